"""Where a concept stands, and the checks that every step of its way begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.demand.domain.board import Vote
from services.demand.domain.proposal import Phase, Proposal, contradictions, missing
from shared.eventsourcing.decider import NotFound, Rejected, Unprocessable

REVISABLE = frozenset(
    {Phase.IDEA, Phase.DRAFT, Phase.SUBMITTED, Phase.SCREENING, Phase.QUALIFIED, Phase.DEFERRED}
)


STEPS: Mapping[Phase, tuple[str, ...]] = {
    Phase.IDEA: ("revision", "submission"),
    Phase.DRAFT: ("revision", "submission"),
    Phase.SUBMITTED: ("revision", "screening", "qualification", "decision"),
    Phase.SCREENING: ("revision", "qualification", "decision"),
    Phase.QUALIFIED: ("revision", "votes", "decision"),
    Phase.DEFERRED: ("revision", "screening"),
    Phase.APPROVED: ("delivery",),
    Phase.DELIVERING: ("benefit-tracking",),
    Phase.BENEFITS_TRACKED: ("closing",),
    Phase.DECLINED: (),
    Phase.CLOSED: (),
}


class UnknownConcept(NotFound):
    """There is no such concept."""


class ConceptExists(Rejected):
    """The concept was proposed before."""


class ContradictoryConcept(Unprocessable):
    """Some of what the concept says cannot stand together."""


class FactsMissing(Rejected):
    """The concept cannot be handed in before it says everything that a board must know."""


class ReasonMissing(Unprocessable):
    """A decision needs its reason."""


class OwnerMissing(Unprocessable):
    """An approved project needs an owner and a team."""


class PhaseNotAllowed(Rejected):
    """The concept is not in a phase in which this can be done."""


class BoardMissing(Unprocessable):
    """What is before a board is for a board to decide."""


class DateInThePast(Unprocessable):
    """A concept is put off to a day that is still to come."""


class RevisionMoved(Rejected):
    """The concept says something else by now than what was voted on or decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concept:
    """What is known of one concept. `votes` are those on the current revision."""

    concept_id: UUID
    number: str
    phase: Phase
    revision: int
    proposal: Proposal
    authors: frozenset[str]
    votes: Mapping[str, Vote] = field(default_factory=dict)


def in_phase(state: Concept, *phases: Phase) -> None:
    """Refuse a concept that is in none of these phases."""
    if state.phase not in phases:
        raise PhaseNotAllowed(
            f"{state.number} is {state.phase}", remedy=f"this is for: {', '.join(sorted(phases))}"
        )


def current(state: Concept, revision: int) -> None:
    """Refuse a judgement on anything but the current revision."""
    if revision != state.revision:
        raise RevisionMoved(
            f"{state.number} is at revision {state.revision}, not {revision}",
            remedy="read it again",
            field="/revision",
        )


def consistent(proposal: Proposal) -> None:
    """Refuse what contradicts itself."""
    found = contradictions(proposal)
    if found:
        raise ContradictoryConcept("; ".join(found))


def complete(proposal: Proposal) -> None:
    """Refuse what a board could not decide on, naming all that is missing."""
    left = missing(proposal)
    if left:
        raise FactsMissing(f"missing: {', '.join(left)}", remedy="state them, then hand the concept in")


def reasoned(text: str) -> str:
    """Return the reason; refuse a blank one."""
    if not text.strip():
        raise ReasonMissing("the reason is blank", remedy="say why in a sentence", field="/reason")
    return text


def known(state: Concept | None) -> Concept:
    """Return the concept; refuse where there is none."""
    if state is None:
        raise UnknownConcept("there is no such concept")
    return state
