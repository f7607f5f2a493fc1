"""What is known of a request, and which steps its state allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.intake.domain.request import commands as ask
from services.intake.domain.vocabulary import (
    OPEN_STATES,
    HoldReason,
    Level,
    RequestKind,
    RequestState,
)
from shared.eventsourcing.decider import NotFound, Rejected, Unprocessable

REOPEN_WITHIN = timedelta(days=30)

State = RequestState


class UnknownRequest(NotFound):
    """No request has this id."""


class AlreadySubmitted(Rejected):
    """The id is taken by another request."""


class NotPossibleNow(Rejected):
    """The request's state does not allow this step."""


class FactsMissing(Rejected):
    """The request cannot go on before it says more."""


class ReopenWindowPassed(Rejected):
    """The request was done too long ago; a new one is needed."""


class IncidentsAreLinked(Unprocessable):
    """An incident is linked to a change, never converted into one."""


@dataclass(frozen=True, kw_only=True)  # no slots: see `changed`
class Request:
    """What the rules need to know.

    `left` is the state a hold interrupted, `done_at` when the request was fulfilled or closed, `breaches` the
    clocks that ran out (or the source's verdict), `last_row` the last row taken from an import.
    """

    request_id: UUID | None = None
    state: State = State.SUBMITTED
    left: State = State.SUBMITTED
    hold: HoldReason | None = None
    done_at: datetime | None = None
    kind: RequestKind = RequestKind.SERVICE_REQUEST
    requester_id: UUID | None = None
    source: tuple[str | None, str | None] = (None, None)
    service: str | None = None
    category: str | None = None
    impact: Level = Level.MEDIUM
    urgency: Level = Level.MEDIUM
    priority: int = 3
    group: str | None = None
    assignee: str | None = None
    breaches: frozenset[str] = frozenset()
    projects: frozenset[UUID] = frozenset()
    comments: frozenset[UUID] = frozenset()
    last_row: int = -1


BEFORE_WORK = frozenset({State.SUBMITTED, State.TRIAGED})
POSSIBLE_IN: dict[type, tuple[str, frozenset[State]]] = {
    ask.TriageRequest: ("triage", BEFORE_WORK),
    ask.AcceptRequest: ("acceptance", frozenset({State.TRIAGED})),
    ask.RejectRequest: ("rejection", OPEN_STATES),
    ask.AssignRequest: ("assignment", OPEN_STATES),
    ask.HoldRequest: ("hold", OPEN_STATES),
    ask.ResumeRequest: ("resumption", frozenset({State.ON_HOLD})),
    ask.RecordResponse: ("responses", OPEN_STATES | {State.FULFILLED}),
    ask.RecordContact: ("contacts", OPEN_STATES | {State.FULFILLED, State.CLOSED}),
    ask.ReprioritiseRequest: ("priority", OPEN_STATES),
    ask.FulfilRequest: ("fulfilment", OPEN_STATES),
    ask.CloseRequest: ("closure", frozenset({State.FULFILLED, State.ON_HOLD, State.CONVERTED})),
    ask.ReopenRequest: ("reopening", frozenset({State.FULFILLED, State.CLOSED})),
    ask.WithdrawRequest: ("withdrawal", OPEN_STATES),
    ask.ConvertRequest: ("conversion", OPEN_STATES),
}
REACHES: dict[type, State] = {
    ask.AcceptRequest: State.ACCEPTED,
    ask.RejectRequest: State.REJECTED,
    ask.FulfilRequest: State.FULFILLED,
    ask.CloseRequest: State.CLOSED,
    ask.WithdrawRequest: State.WITHDRAWN,
}


def allowed_transitions(state: Request) -> tuple[str, ...]:
    """Return the names of the steps that are possible now, as their sub-resources are called."""
    if state.request_id is None:
        return ()
    names = {name for name, states in POSSIBLE_IN.values() if state.state in states}
    if state.state is State.ON_HOLD and state.hold is not HoldReason.REQUESTER:
        names.discard("closure")
    if state.kind is RequestKind.INCIDENT:
        names.discard("conversion")
    return tuple(sorted(names))


def not_now(state: Request, step: str) -> NotPossibleNow:
    """Return the refusal of a step, naming those that are possible."""
    possible = ", ".join(allowed_transitions(state)) or "none"
    return NotPossibleNow(
        f"{step} is not possible while the request is {state.state}", remedy=f"possible now: {possible}"
    )
