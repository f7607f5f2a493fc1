"""What another system's picture of a request after an update means as ordinary events."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from services.intake.domain.lifecycle import Request
from services.intake.domain.opening import submitted
from services.intake.domain.priority import Priority
from services.intake.domain.request.commands import HistoryRow, RecordHistory, SubmitRequest
from services.intake.domain.request.events import (
    BreachNoted,
    HistoryRecorded,
    RequestAccepted,
    RequestAssigned,
    RequestClosed,
    RequesterChanged,
    RequestEvent,
    RequestFulfilled,
    RequestHeld,
    RequestReopened,
    RequestReprioritised,
    RequestResumed,
    RequestSubmitted,
    RequestTriaged,
)
from services.intake.domain.vocabulary import CloseReason, RequestState
from shared.eventsourcing.decider import changed

SOURCE_VERDICT = "the source's own service level"
_BEFORE_WORK = frozenset({RequestState.SUBMITTED, RequestState.TRIAGED})
_DONE = frozenset({RequestState.FULFILLED, RequestState.CLOSED})


def history(
    command: RecordHistory, state: Request, evolve: Callable[[Request, RequestEvent], Request]
) -> list[RequestEvent]:
    """Return the events of all rows beyond the last row taken; none when there is no such row.

    Nothing is refused: what happened elsewhere has happened, in whatever order.
    """
    fresh = sorted((row for row in command.rows if row.row > state.last_row), key=lambda row: row.row)
    if not fresh:
        return []
    events: list[RequestEvent] = []

    def happened(more: list[RequestEvent]) -> None:
        nonlocal state
        for event in more:
            state = evolve(state, event)
            events.append(event)

    if state.request_id is None:
        happened([_opened(command, fresh[0])])
    for row in fresh:
        happened(_facts(state, row, command.opening))
        happened(_transition(state, row))
    taken = HistoryRecorded(
        request_id=command.opening.request_id,
        occurred_at=fresh[-1].occurred_at,
        last_row=fresh[-1].row,
        rows=len(fresh),
    )
    return [*events, taken]


def _rule(row: HistoryRow, source: str | None) -> str:
    return f"priority {row.priority} as {source or 'the source'} recorded it"


def _opened(command: RecordHistory, row: HistoryRow) -> RequestSubmitted:
    """Begin as the first row knew it: an opening said to be later than that row is not believed."""
    opening = command.opening
    known = changed(
        opening,
        serial=command.serial,
        occurred_at=min(opening.occurred_at, row.occurred_at),
        requester_id=row.requester_id,
        requester_name=row.requester_name,
        service=row.service,
        category=row.category,
        impact=row.impact,
        urgency=row.urgency,
    )
    priority = Priority(value=row.priority, rule=_rule(row, opening.source_system))
    return submitted(known, priority, historic=True)


def _facts(state: Request, row: HistoryRow, opening: SubmitRequest) -> list[RequestEvent]:
    """Return what this row says anew about the requester, the classification, the verdict, the assignment."""
    request_id, at = opening.request_id, row.occurred_at
    events: list[RequestEvent] = []
    if row.requester_id != state.requester_id:
        events.append(
            RequesterChanged(
                request_id=request_id,
                occurred_at=at,
                requester_id=row.requester_id,
                requester_name=row.requester_name,
                historic=True,
            )
        )
    events += _reclassified(state, row, opening)
    if row.breached and SOURCE_VERDICT not in state.breaches:
        events.append(
            BreachNoted(
                request_id=request_id,
                occurred_at=at,
                found_by=opening.source_system or "",
                clock_id=None,
                target=SOURCE_VERDICT,
                due_at=None,
                breaches=len(state.breaches) + 1,
                historic=True,
            )
        )
    if row.group and (row.group, row.assignee) != (state.group, state.assignee):
        events.append(
            RequestAssigned(
                request_id=request_id,
                occurred_at=at,
                group=row.group,
                assignee=row.assignee,
                state=RequestState.IN_FULFILMENT if state.state is RequestState.ACCEPTED else state.state,
                historic=True,
            )
        )
    return events


def _reclassified(state: Request, row: HistoryRow, opening: SubmitRequest) -> list[RequestEvent]:
    if (row.service, row.category) != (state.service, state.category):
        return [
            RequestTriaged(
                request_id=opening.request_id,
                occurred_at=row.occurred_at,
                service=row.service,
                category=row.category,
                impact=row.impact,
                urgency=row.urgency,
                priority=row.priority,
                priority_rule=_rule(row, opening.source_system),
                state=_triaged(state),
                historic=True,
            )
        ]
    if (row.impact, row.urgency, row.priority) != (state.impact, state.urgency, state.priority):
        return [
            RequestReprioritised(
                request_id=opening.request_id,
                occurred_at=row.occurred_at,
                impact=row.impact,
                urgency=row.urgency,
                priority=row.priority,
                priority_rule=_rule(row, opening.source_system),
                historic=True,
            )
        ]
    return []


def _triaged(state: Request) -> RequestState:
    return RequestState.TRIAGED if state.state is RequestState.SUBMITTED else state.state


def _transition(state: Request, row: HistoryRow) -> list[RequestEvent]:
    """Return the way from the known state to the row's; 30,945 rows of a real log need none."""
    known, wanted = state.state, row.state
    before = state.left if known is RequestState.ON_HOLD else known
    if state.request_id is None or (known is wanted and state.hold is row.hold):
        return []
    request_id, at = state.request_id, row.occurred_at
    events: list[RequestEvent] = []
    if known in _DONE and wanted is not RequestState.CLOSED:
        events.append(RequestReopened(request_id=request_id, occurred_at=at, historic=True))
    if known is RequestState.ON_HOLD and wanted not in _DONE:
        events.append(RequestResumed(request_id=request_id, occurred_at=at, state=state.left, historic=True))
    match wanted:
        case RequestState.ACCEPTED if before in _BEFORE_WORK:
            started = RequestState.IN_FULFILMENT if state.group else RequestState.ACCEPTED
            events.append(
                RequestAccepted(request_id=request_id, occurred_at=at, state=started, historic=True)
            )
        case RequestState.ON_HOLD:
            events.append(_held(request_id, row))
        case RequestState.FULFILLED:
            events.append(RequestFulfilled(request_id=request_id, occurred_at=at, historic=True))
        case RequestState.CLOSED:
            reason = CloseReason.IMPORTED
            events.append(RequestClosed(request_id=request_id, occurred_at=at, reason=reason, historic=True))
        case _:
            pass  # New again, or Active while work goes on: the reopening or resumption said it all
    return events


def _held(request_id: UUID, row: HistoryRow) -> RequestHeld:
    if row.hold is None:
        raise ValueError(f"row {row.row} is on hold without saying for what")
    return RequestHeld(request_id=request_id, occurred_at=row.occurred_at, reason=row.hold, historic=True)
