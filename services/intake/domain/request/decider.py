"""The rules of a request: what each step makes of it, and when it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never
from uuid import UUID

from services.intake.domain import history
from services.intake.domain.foreign_facts import heard
from services.intake.domain.lifecycle import (
    POSSIBLE_IN,
    REACHES,
    REOPEN_WITHIN,
    AlreadySubmitted,
    FactsMissing,
    IncidentsAreLinked,
    ReopenWindowPassed,
    Request,
    UnknownRequest,
    not_now,
)
from services.intake.domain.opening import submitted
from services.intake.domain.priority import THREE_BY_THREE
from services.intake.domain.request import commands as ask
from services.intake.domain.request import events as past
from services.intake.domain.request.commands import RequestCommand
from services.intake.domain.request.events import RequestEvent
from services.intake.domain.vocabulary import CloseReason, HoldReason, RequestKind
from services.intake.domain.vocabulary import RequestState as State
from shared.eventsourcing.decider import Decider, changed


def decide(command: RequestCommand, state: Request) -> Sequence[RequestEvent]:
    """Answer a command; a step already taken yields nothing, an impossible one is refused by its reason."""
    match command:
        case ask.SubmitRequest():
            return _submit(command, state)
        case ask.RecordHistory():
            return history.history(command, state, evolve)
        case ask.NoteBreach() | ask.NoteBreachWithdrawn() | ask.NoteProject():
            return heard(command, state)
        case _:
            pass
    request_id, at = _existing(state), command.occurred_at
    if isinstance(command, ask.AddComment):
        return _comment(command, state, request_id)
    if REACHES.get(type(command)) is state.state:
        return []
    name, states = POSSIBLE_IN[type(command)]
    if state.state not in states:
        raise not_now(state, name)
    match command:
        case ask.TriageRequest():
            return _triage(command, state, request_id)
        case ask.AcceptRequest():
            if not state.service:
                raise FactsMissing("the request names no service", remedy="triage it", field="/service")
            started = State.IN_FULFILMENT if state.group else State.ACCEPTED
            return [past.RequestAccepted(request_id=request_id, occurred_at=at, state=started)]
        case ask.RejectRequest(reason=reason):
            return [past.RequestRejected(request_id=request_id, occurred_at=at, reason=reason)]
        case ask.AssignRequest():
            return _assign(command, state, request_id)
        case ask.HoldRequest(reason=reason):
            if state.hold is reason:
                return []
            resumed = past.RequestResumed(request_id=request_id, occurred_at=at, state=state.left)
            held = past.RequestHeld(request_id=request_id, occurred_at=at, reason=reason)
            return [held] if state.hold is None else [resumed, held]
        case ask.ResumeRequest():
            return [past.RequestResumed(request_id=request_id, occurred_at=at, state=state.left)]
        case ask.RecordResponse(human=human, channel=channel):
            return [
                past.RequestResponded(request_id=request_id, occurred_at=at, human=human, channel=channel)
            ]
        case ask.RecordContact(channel=channel):
            return [past.ContactReceived(request_id=request_id, occurred_at=at, channel=channel)]
        case ask.ReprioritiseRequest():
            return _reprioritise(command, state, request_id)
        case ask.FulfilRequest():
            return [past.RequestFulfilled(request_id=request_id, occurred_at=at)]
        case ask.CloseRequest():
            return [
                past.RequestClosed(
                    request_id=request_id, occurred_at=at, reason=_close_reason(command, state)
                )
            ]
        case ask.ReopenRequest():
            if state.done_at is not None and at - state.done_at > REOPEN_WITHIN:
                raise ReopenWindowPassed(
                    f"done on {state.done_at:%Y-%m-%d}, more than {REOPEN_WITHIN.days} days ago",
                    remedy="submit a new request that names this one",
                )
            return [past.RequestReopened(request_id=request_id, occurred_at=at)]
        case ask.WithdrawRequest():
            return [past.RequestWithdrawn(request_id=request_id, occurred_at=at)]
        case ask.ConvertRequest(to=to, target_id=target_id):
            if state.kind is RequestKind.INCIDENT:
                raise IncidentsAreLinked("an incident is linked to a change, never converted into one")
            return [past.RequestConverted(request_id=request_id, occurred_at=at, to=to, target_id=target_id)]
        case _:
            assert_never(command)


def evolve(state: Request, event: RequestEvent) -> Request:
    """Fold one event into what is known."""
    match event:
        case past.RequestSubmitted():
            return Request(
                request_id=event.request_id,
                kind=event.kind,
                requester_id=event.requester_id,
                source=(event.source_system, event.external_id),
                service=event.service,
                category=event.category,
                impact=event.impact,
                urgency=event.urgency,
                priority=event.priority,
            )
        case past.RequesterChanged(requester_id=requester_id):
            return changed(state, requester_id=requester_id)
        case past.RequestTriaged():
            return changed(
                state,
                service=event.service,
                category=event.category,
                impact=event.impact,
                urgency=event.urgency,
                priority=event.priority,
                state=event.state,
            )
        case past.RequestReprioritised():
            return changed(state, impact=event.impact, urgency=event.urgency, priority=event.priority)
        case past.RequestAssigned(state=now):
            started = now is State.ON_HOLD and state.left is State.ACCEPTED
            left = State.IN_FULFILMENT if started else state.left
            return changed(state, group=event.group, assignee=event.assignee, state=now, left=left)
        case past.RequestAccepted(state=now):
            return changed(state, state=now)
        case past.RequestHeld(reason=reason):
            return changed(state, state=State.ON_HOLD, left=state.state, hold=reason)
        case past.RequestResumed(state=now):
            return changed(state, state=now, hold=None)
        case past.RequestFulfilled(occurred_at=at):
            return _ended(state, State.FULFILLED, at)
        case past.RequestClosed(occurred_at=at):
            return _ended(state, State.CLOSED, state.done_at or at)
        case past.RequestReopened():
            return changed(state, state=State.IN_FULFILMENT, hold=None, done_at=None)
        case past.RequestRejected(occurred_at=at):
            return _ended(state, State.REJECTED, at)
        case past.RequestWithdrawn(occurred_at=at):
            return _ended(state, State.WITHDRAWN, at)
        case past.RequestConverted():
            return _ended(state, State.CONVERTED, None)
        case past.CommentAdded(comment_id=comment_id):
            return changed(state, comments=state.comments | {comment_id})
        case past.BreachNoted(clock_id=clock_id):
            named = str(clock_id) if clock_id else event.target
            return changed(state, breaches=state.breaches | {named})
        case past.BreachWithdrawn(clock_id=clock_id):
            return changed(state, breaches=state.breaches - {str(clock_id)})
        case past.RequestProjectLinked(project_id=project_id):
            return changed(state, projects=state.projects | {project_id})
        case past.HistoryRecorded(last_row=last_row):
            return changed(state, last_row=last_row)
        case past.RequestResponded() | past.ContactReceived():
            return state
        case _:
            assert_never(event)


def _ended(state: Request, end: State, at: datetime | None) -> Request:
    return changed(state, state=end, hold=None, done_at=at)


def _existing(state: Request) -> UUID:
    if state.request_id is None:
        raise UnknownRequest("there is no such request")
    return state.request_id


def _submit(command: ask.SubmitRequest, state: Request) -> list[RequestEvent]:
    if state.request_id is not None:
        if command.external_id is not None and state.source == (command.source_system, command.external_id):
            return []
        raise AlreadySubmitted(f"the id {command.request_id} belongs to another request")
    return [submitted(command, THREE_BY_THREE.priority(command.impact, command.urgency))]


def _triage(command: ask.TriageRequest, state: Request, request_id: UUID) -> list[RequestEvent]:
    wanted = (command.service, command.category, command.impact, command.urgency)
    known = (state.service, state.category, state.impact, state.urgency)
    if state.state is State.TRIAGED and wanted == known:
        return []
    priority = THREE_BY_THREE.priority(command.impact, command.urgency)
    return [
        past.RequestTriaged(
            request_id=request_id,
            occurred_at=command.occurred_at,
            service=command.service,
            category=command.category,
            impact=command.impact,
            urgency=command.urgency,
            priority=priority.value,
            priority_rule=priority.rule,
            state=State.TRIAGED,
        )
    ]


def _assign(command: ask.AssignRequest, state: Request, request_id: UUID) -> list[RequestEvent]:
    if (command.group, command.assignee) == (state.group, state.assignee):
        return []
    return [
        past.RequestAssigned(
            request_id=request_id,
            occurred_at=command.occurred_at,
            group=command.group,
            assignee=command.assignee,
            state=State.IN_FULFILMENT if state.state is State.ACCEPTED else state.state,
        )
    ]


def _reprioritise(command: ask.ReprioritiseRequest, state: Request, request_id: UUID) -> list[RequestEvent]:
    if (command.impact, command.urgency) == (state.impact, state.urgency):
        return []
    priority = THREE_BY_THREE.priority(command.impact, command.urgency)
    return [
        past.RequestReprioritised(
            request_id=request_id,
            occurred_at=command.occurred_at,
            impact=command.impact,
            urgency=command.urgency,
            priority=priority.value,
            priority_rule=priority.rule,
        )
    ]


def _close_reason(command: ask.CloseRequest, state: Request) -> CloseReason:
    """Return why the request closes; on hold, only a requester who does not answer is a reason."""
    if (state.state is State.CONVERTED) is not (command.reason is CloseReason.CONVERTED):
        raise not_now(state, f"closure ({command.reason})")
    if state.state is State.ON_HOLD:
        if state.hold is not HoldReason.REQUESTER or command.reason is not CloseReason.NO_ANSWER:
            raise not_now(state, f"closure ({command.reason})")
        return CloseReason.NO_ANSWER
    return command.reason


def _comment(command: ask.AddComment, state: Request, request_id: UUID) -> list[RequestEvent]:
    if command.comment_id in state.comments or state.requester_id is None:
        return []
    return [
        past.CommentAdded(
            request_id=request_id,
            occurred_at=command.occurred_at,
            comment_id=command.comment_id,
            requester_id=state.requester_id,
            author=command.author,
            comment=command.comment,
            visibility=command.visibility,
        )
    ]


REQUEST: Decider[RequestCommand, Request, RequestEvent] = Decider(
    stream="request", initial=Request(), decide=decide, evolve=evolve
)
