"""What is known of a request for change, and which steps its state allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.intake.domain.rfc import commands as ask
from services.intake.domain.rfc.events import RfcText
from services.intake.domain.vocabulary import ChangeOutcome, ChangeType, RfcState, Vote
from shared.eventsourcing.decider import NotFound, Rejected

State = RfcState


class UnknownRfc(NotFound):
    """No RFC has this id."""


class AlreadyDrafted(Rejected):
    """The id is taken by another RFC."""


class StepNotPossible(Rejected):
    """The RFC's state does not allow this step."""


class MissingFacts(Rejected):
    """The RFC cannot go on before it says more."""


class StaleRevision(Rejected):
    """The RFC has changed materially since the person read it."""


class FourEyes(Rejected):
    """Whoever asks for a change, or makes it, cannot be the one who approves it."""


class NotTheirDecision(Rejected):
    """This type of change is decided by another role."""

    status = 403


class StillDeferred(Rejected):
    """The decision was put off to a later time."""


class BadWindow(Rejected):
    """A change window must end after it starts, and must not lie in the past."""


class ReasonMissing(Rejected):
    """This step has to say why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rfc:
    """What the rules need to know. `votes` and `approved_by` are valid for `revision` only."""

    rfc_id: UUID | None = None
    serial: int = 0
    state: State = State.DRAFT
    drafted_at: datetime | None = None
    requester_id: UUID | None = None
    request_id: UUID | None = None
    change_type: ChangeType = ChangeType.NORMAL
    text: RfcText = field(default_factory=lambda: RfcText(title=""))
    revision: int = 1
    votes: Mapping[UUID, Vote] = field(default_factory=dict)
    approved_by: UUID | None = None
    deferred_until: datetime | None = None
    implementer_id: UUID | None = None
    risk_score: int | None = None
    outcome: ChangeOutcome | None = None
    projects: frozenset[UUID] = frozenset()


_BEFORE_WORK = frozenset(
    {
        State.DRAFT,
        State.SUBMITTED,
        State.CLASSIFIED,
        State.ASSESSED,
        State.AWAITING_APPROVAL,
        State.DEFERRED,
        State.APPROVED,
        State.SCHEDULED,
    }
)
UNDER_WORK = frozenset({State.IMPLEMENTING, State.IN_REVIEW})
_UNDECIDED = frozenset(
    {State.CLASSIFIED, State.ASSESSED, State.AWAITING_APPROVAL, State.DEFERRED},
)
POSSIBLE_IN: dict[type, tuple[str, frozenset[State]]] = {
    ask.EditRfc: ("edits", _BEFORE_WORK),
    ask.SubmitRfc: ("submission", frozenset({State.DRAFT})),
    ask.ClassifyRfc: ("classification", _UNDECIDED | {State.SUBMITTED}),
    ask.AssessRisk: ("assessment", _UNDECIDED),
    ask.CastVote: ("votes", _UNDECIDED),
    ask.DecideRfc: ("decision", _UNDECIDED),
    ask.RevertRfc: ("reversion", _BEFORE_WORK - {State.DRAFT}),
    ask.ScheduleRfc: ("schedule", frozenset({State.APPROVED, State.SCHEDULED})),
    ask.StartImplementation: ("implementation", frozenset({State.SCHEDULED})),
    ask.RecordImplementation: ("outcome", frozenset({State.IMPLEMENTING})),
    ask.CloseRfc: ("closure", frozenset({State.IN_REVIEW})),
    ask.CancelRfc: ("cancellation", _BEFORE_WORK),
}
REACHES: dict[type, State] = {
    ask.SubmitRfc: State.SUBMITTED,
    ask.StartImplementation: State.IMPLEMENTING,
    ask.RecordImplementation: State.IN_REVIEW,
    ask.CloseRfc: State.CLOSED,
    ask.CancelRfc: State.CANCELLED,
    ask.RevertRfc: State.DRAFT,
}
_NEEDS_ASSESSMENT = frozenset({"votes", "decision"})


def allowed_transitions(state: Rfc) -> tuple[str, ...]:
    """Return the names of the steps that are possible now, as their sub-resources are called."""
    if state.rfc_id is None:
        return ()
    names = {name for name, states in POSSIBLE_IN.values() if state.state in states}
    if state.state is State.CLASSIFIED and state.change_type is not ChangeType.EMERGENCY:
        names -= _NEEDS_ASSESSMENT  # only an emergency may be decided before its risk is assessed
    if state.change_type is ChangeType.EMERGENCY and state.state in UNDER_WORK:
        names.add("edits")  # an emergency's plans may be written down until its review ends
    if state.change_type is ChangeType.STANDARD:
        names -= _NEEDS_ASSESSMENT
        if state.state in (State.CLASSIFIED, State.ASSESSED):
            names.add("schedule")  # pre-approved: goes from classified straight to its window
    return tuple(sorted(names))


def missing_before_submission(text: RfcText) -> tuple[str, ...]:
    """Return the names of the facts that an RFC must hold before anybody looks at it."""
    needed = {
        "business_impact": text.business_impact,
        "service": text.service,
        "risk_of_not_accepting": text.risk_of_not_accepting,
        "reason": text.reason,
    }
    return tuple(name for name, value in needed.items() if not value)


def missing_before_approval(text: RfcText) -> tuple[str, ...]:
    """Return the names of the plans and facts without which nothing but an emergency is approved."""
    needed: dict[str, object] = {
        "implementation_plan": text.implementation_plan,
        "back_out_plan": text.back_out_plan,
        "test_plan": text.test_plan,
        "window_starts_at": text.window_starts_at,
        "window_ends_at": text.window_ends_at,
        "affected_components": text.affected_components,
    }
    return tuple(name for name, value in needed.items() if not value)


def refuse_unless_possible(state: Rfc, command: type) -> None:
    """Raise `StepNotPossible`, naming the steps that are, unless this one is among them."""
    name, _ = POSSIBLE_IN[command]
    possible = allowed_transitions(state)
    if name not in possible:
        raise StepNotPossible(
            f"{name} is not possible while the {state.change_type} RFC is {state.state}",
            remedy=f"possible now: {', '.join(possible) or 'none'}",
        )


def incomplete(missing: tuple[str, ...], step: str) -> MissingFacts:
    """Return the refusal that names what an RFC still has to say."""
    return MissingFacts(
        f"the RFC cannot be {step} without {', '.join(missing)}",
        remedy="add what is missing with an edit",
        field=f"/{missing[0]}",
    )


def is_material(state: Rfc, new: RfcText) -> bool:
    """Tell whether an edit changes what was judged: scope, plans, or a window reaching beyond the old one.

    Nothing is judged yet in a draft or under work; an emergency may fill in later what it left blank.
    """
    old = state.text
    if state.state is State.DRAFT or state.state in UNDER_WORK:
        return False
    may_follow = state.change_type is ChangeType.EMERGENCY
    for name in ("service", "affected_components", "implementation_plan", "back_out_plan", "test_plan"):
        was, now = getattr(old, name), getattr(new, name)
        if was != now and (was or not may_follow):
            return True
    if old.window_starts_at is None or old.window_ends_at is None:
        window = (old.window_starts_at, old.window_ends_at)
        return not may_follow and window != (new.window_starts_at, new.window_ends_at)
    if new.window_starts_at is None or new.window_ends_at is None:
        return True
    return new.window_starts_at < old.window_starts_at or new.window_ends_at > old.window_ends_at
