"""An agreement's rules: both parties sign, versions follow, nothing is rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from services.sla.domain.agreement import commands, events
from services.sla.domain.terms import Party, Terms, faults
from shared.eventsourcing.decider import Decider, NotFound, Rejected, Unprocessable


class UnknownAgreement(NotFound):
    """There is no such agreement."""


class AgreementExists(Rejected):
    """An agreement of this id was made before."""


class TermsUnusable(Unprocessable):
    """No clock could run on these terms."""


class NothingToSign(Rejected):
    """There is no draft that waits for a signature."""


class AlreadySigned(Rejected):
    """This party has signed the draft."""


class NotSigned(Rejected):
    """Both parties sign before an agreement counts."""


class SameCoverage(Rejected):
    """Two agreements would cover the same just as specifically."""


class CalendarNotPublished(Rejected):
    """A deadline cannot be reckoned without the hours that it counts in."""


class InForceTooEarly(Rejected):
    """A later version would silently change promises that were made."""


class NotInForce(Rejected):
    """Only what is in force can end."""


NOBODY: frozenset[Party] = frozenset()


class Stage(StrEnum):
    """How far the newest version has come."""

    DRAFT = "draft"
    SIGNED = "signed"
    IN_FORCE = "in_force"
    TERMINATED = "terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The newest version and the one in force, which may be the same."""

    version: int
    terms: Terms
    stage: Stage
    signatures: frozenset[Party] = frozenset()
    in_force: int | None = None
    in_force_terms: Terms | None = None
    seq: int = 1
    coverage_seq: int = 0
    covered_after: UUID | None = None


def decide(command: commands.Command, state: Agreement | None) -> Sequence[events.Event]:
    """Return what follows from the command, or raise what forbids it."""
    match command:
        case commands.DraftAgreement():
            return _draft(command, state)
        case commands.SignAgreement():
            return _sign(command, _known(state))
        case commands.PutInForce():
            return _put_in_force(command, _known(state))
        case commands.TerminateAgreement():
            return _terminate(command, _known(state))
        case commands.ApplyCoverage():
            return _apply(command, _known(state))
        case _:
            assert_never(command)


def evolve(state: Agreement | None, event: events.Event) -> Agreement:
    """Fold one event into what is known; `seq` counts the stream's events."""
    return replace(_evolve(state, event), seq=1 if state is None else state.seq + 1)


def transitions(state: Agreement) -> tuple[str, ...]:
    """Name what can be done with an agreement now, as the API calls it."""
    found = ["drafts"]
    if state.stage is Stage.DRAFT:
        found.append("signatures")
    if state.stage is Stage.SIGNED:
        found.append("entry-into-force")
    if state.in_force is not None:
        found.append("termination")
    return tuple(found)


def _evolve(state: Agreement | None, event: events.Event) -> Agreement:
    if isinstance(event, events.AgreementDrafted):
        drafted = Agreement(version=event.version, terms=event.terms, stage=Stage.DRAFT)
        if state is None:
            return drafted
        return replace(state, version=event.version, terms=event.terms, stage=Stage.DRAFT, signatures=NOBODY)
    known = _known(state)
    match event:
        case events.AgreementPartySigned():
            return replace(known, signatures=known.signatures | {event.party})
        case events.AgreementSigned():
            return replace(known, stage=Stage.SIGNED)
        case events.AgreementInForce():
            return replace(
                known,
                stage=Stage.IN_FORCE,
                in_force=event.version,
                in_force_terms=event.terms,
                coverage_seq=known.seq + 1,
                covered_after=None,
            )
        case events.CoverageApplied():
            return replace(known, coverage_seq=known.seq + 1, covered_after=event.after)
        case events.AgreementSuperseded():
            return known
        case events.AgreementTerminated():
            return replace(known, stage=Stage.TERMINATED, in_force=None, in_force_terms=None)
        case _:
            assert_never(event)


def _draft(command: commands.DraftAgreement, state: Agreement | None) -> list[events.Event]:
    if command.new and state is not None:
        raise AgreementExists("this agreement exists", remedy="draft its next version: POST .../drafts")
    wrong = faults(command.terms)
    if wrong:
        raise TermsUnusable("; ".join(wrong), remedy="correct the terms", field="/terms")
    version = 1
    if state is not None:
        version = state.version if state.stage is Stage.DRAFT else state.version + 1
    return [events.AgreementDrafted(version=version, terms=command.terms, occurred_at=command.drafted_at)]


def _sign(command: commands.SignAgreement, state: Agreement) -> list[events.Event]:
    if state.stage is not Stage.DRAFT:
        raise NothingToSign(f"version {state.version} is {state.stage}", remedy="draft the next version")
    if command.party in state.signatures:
        raise AlreadySigned(f"the {command.party} has signed version {state.version}", field="/party")
    if not command.by.strip():
        raise TermsUnusable("a signature has a name", remedy="say who signs", field="/by")
    signed: list[events.Event] = [
        events.AgreementPartySigned(
            version=state.version, party=command.party, by=command.by, occurred_at=command.signed_at
        )
    ]
    if state.signatures | {command.party} == set(Party):
        signed.append(
            events.AgreementSigned(version=state.version, terms=state.terms, occurred_at=command.signed_at)
        )
    return signed


def _put_in_force(command: commands.PutInForce, state: Agreement) -> list[events.Event]:
    if state.stage is not Stage.SIGNED:
        raise NotSigned(f"version {state.version} is {state.stage}", remedy="let both parties sign it")
    if command.rivals:
        raise SameCoverage(
            f"just as specific: {', '.join(command.rivals)}", remedy="name the services or customers apart"
        )
    if command.without_hours:
        raise CalendarNotPublished(
            f"no hours published for {', '.join(command.without_hours)}",
            remedy="publish the calendar with an effective date no later than the agreement's",
        )
    follows: list[events.Event] = []
    starts = state.terms.in_force_from
    if state.in_force is not None and state.in_force_terms is not None:
        if starts < max(command.decided_at, state.in_force_terms.in_force_from):
            raise InForceTooEarly(
                f"version {state.in_force} already counts; what it promised stands",
                remedy="let the next version begin now or later",
                field="/in_force_from",
            )
        follows.append(
            events.AgreementSuperseded(
                version=state.in_force,
                superseded_by=command.agreement_id,
                by_version=state.version,
                ends_at=min(starts, state.in_force_terms.in_force_until or starts),
                occurred_at=command.decided_at,
            )
        )
    counts = events.AgreementInForce(version=state.version, terms=state.terms, occurred_at=command.decided_at)
    return [*follows, counts]


def _terminate(command: commands.TerminateAgreement, state: Agreement) -> list[events.Event]:
    if state.in_force is None:
        raise NotInForce("no version is in force", remedy="there is nothing to end")
    if not command.reason.strip():
        raise TermsUnusable("a termination has a reason", remedy="say why", field="/reason")
    if command.ends_at < command.decided_at:
        raise InForceTooEarly(
            "what was promised until now stands", remedy="end it now or later", field="/ends_at"
        )
    until = state.in_force_terms.in_force_until if state.in_force_terms else None
    if until is not None and command.ends_at >= until:
        raise NotInForce(f"it ends by itself at {until.isoformat()}", field="/ends_at")
    return [
        events.AgreementTerminated(
            version=state.in_force,
            ends_at=command.ends_at,
            reason=command.reason,
            occurred_at=command.decided_at,
        )
    ]


def _apply(command: commands.ApplyCoverage, state: Agreement) -> list[events.Event]:
    if state.in_force is None or command.seq != state.coverage_seq:
        return []
    return [
        events.CoverageApplied(
            version=state.in_force, after=command.after, done=command.done, occurred_at=command.applied_at
        )
    ]


def _known(state: Agreement | None) -> Agreement:
    if state is None:
        raise UnknownAgreement("there is no such agreement", remedy="draft it first: POST /v1/agreements")
    return state


AGREEMENT: Decider[commands.Command, Agreement | None, events.Event] = Decider(
    stream="agreement", initial=None, decide=decide, evolve=evolve
)
