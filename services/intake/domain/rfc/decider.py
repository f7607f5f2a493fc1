"""The rules of a request for change: what each step makes of it, and when it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, assert_never
from uuid import UUID

from services.intake.domain.approval import decided, voted
from services.intake.domain.change_lifecycle import (
    REACHES,
    AlreadyDrafted,
    BadWindow,
    FourEyes,
    Rfc,
    UnknownRfc,
    incomplete,
    is_material,
    missing_before_approval,
    missing_before_submission,
    refuse_unless_possible,
)
from services.intake.domain.judgement import assessed, classified
from services.intake.domain.rfc import commands as ask
from services.intake.domain.rfc import events as past
from services.intake.domain.rfc.commands import RfcCommand
from services.intake.domain.rfc.events import RfcEvent
from services.intake.domain.vocabulary import ChangeType
from services.intake.domain.vocabulary import RfcState as State
from shared.eventsourcing.decider import Decider


def decide(command: RfcCommand, state: Rfc) -> Sequence[RfcEvent]:
    """Answer a command; a step already taken yields nothing, an impossible one is refused by its reason."""
    match command:
        case ask.DraftRfc():
            return _draft(command, state)
        case ask.LinkProject():
            return _link(command, state)
        case _:
            pass
    rfc_id, at = _existing(state), command.occurred_at
    if REACHES.get(type(command)) is state.state:
        return []
    refuse_unless_possible(state, type(command))
    match command:
        case ask.EditRfc():
            return _edit(command, state, rfc_id)
        case ask.SubmitRfc():
            return _submit(command, state, rfc_id)
        case ask.ClassifyRfc():
            return classified(command, state, rfc_id)
        case ask.AssessRisk():
            return assessed(command, state, rfc_id)
        case ask.CastVote():
            return voted(command, state, rfc_id)
        case ask.DecideRfc():
            return decided(command, state, rfc_id)
        case ask.RevertRfc(reason=reason):
            return [
                past.RfcReverted(rfc_id=rfc_id, occurred_at=at, reason=reason, revision=state.revision + 1)
            ]
        case ask.ScheduleRfc():
            return _schedule(command, state, rfc_id)
        case ask.StartImplementation(implementer_id=implementer_id):
            if implementer_id == state.approved_by:
                raise FourEyes(
                    "whoever approved a change does not make it", remedy="name another implementer"
                )
            return [past.ImplementationStarted(rfc_id=rfc_id, occurred_at=at, implementer_id=implementer_id)]
        case ask.RecordImplementation(outcome=outcome):
            return [past.RfcImplemented(rfc_id=rfc_id, occurred_at=at, outcome=outcome)]
        case ask.CloseRfc(outcome=outcome, review=review):
            missing = missing_before_approval(state.text)
            if state.change_type is ChangeType.EMERGENCY and missing:
                raise incomplete(missing, "closed")
            return [past.RfcClosed(rfc_id=rfc_id, occurred_at=at, outcome=outcome, review=review)]
        case ask.CancelRfc(reason=reason):
            return [past.RfcCancelled(rfc_id=rfc_id, occurred_at=at, reason=reason)]
        case _:
            assert_never(command)


def evolve(state: Rfc, event: RfcEvent) -> Rfc:
    """Fold one event into what is known."""
    match event:
        case past.RfcDrafted():
            return Rfc(
                rfc_id=event.rfc_id,
                serial=event.serial,
                drafted_at=event.occurred_at,
                requester_id=event.requester_id,
                request_id=event.request_id,
                change_type=event.change_type,
                text=event.text,
            )
        case past.RfcEdited(text=text):
            return _void(replace(state, text=text), event.revision, event.state)
        case past.RfcSubmitted():
            return replace(state, state=State.SUBMITTED)
        case past.RfcClassified(change_type=change_type, revision=revision):
            return _void(replace(state, change_type=change_type), revision, State.CLASSIFIED)
        case past.RiskAssessed(score=score):
            return replace(state, state=State.ASSESSED, risk_score=score)
        case past.VoteCast(voter_id=voter_id, vote=vote):
            return replace(state, state=State.AWAITING_APPROVAL, votes={**state.votes, voter_id: vote})
        case past.RfcApproved(decided_by=decided_by):
            return replace(state, state=State.APPROVED, approved_by=decided_by, deferred_until=None)
        case past.RfcRejected(revision=revision):
            return _void(state, revision, State.DRAFT)
        case past.RfcDeferred(until=until):
            return replace(state, state=State.DEFERRED, deferred_until=until)
        case past.RfcReverted(revision=revision):
            return _void(state, revision, State.DRAFT)
        case past.RfcScheduled():
            return replace(state, state=State.SCHEDULED)
        case past.ImplementationStarted(implementer_id=implementer_id):
            return replace(state, state=State.IMPLEMENTING, implementer_id=implementer_id)
        case past.RfcImplemented(outcome=outcome):
            return replace(state, state=State.IN_REVIEW, outcome=outcome)
        case past.RfcClosed(outcome=outcome):
            return replace(state, state=State.CLOSED, outcome=outcome)
        case past.RfcCancelled():
            return replace(state, state=State.CANCELLED)
        case past.RfcProjectLinked(project_id=project_id):
            return replace(state, projects=state.projects | {project_id})
        case _:
            assert_never(event)


def _after_edit(state: State) -> State:
    """Return where a material edit puts an RFC: what was judged is to be judged again."""
    return state if state in (State.DRAFT, State.SUBMITTED) else State.CLASSIFIED


def _void(state: Rfc, revision: int, now: State) -> Rfc:
    """Move to `now`; a higher revision voids votes and approval."""
    state = replace(state, state=now)
    if revision == state.revision:
        return state
    return replace(state, revision=revision, votes={}, approved_by=None, deferred_until=None)


def _existing(state: Rfc) -> UUID:
    if state.rfc_id is None:
        raise UnknownRfc("there is no such RFC")
    return state.rfc_id


def _draft(command: ask.DraftRfc, state: Rfc) -> list[RfcEvent]:
    if state.rfc_id is not None:
        raise AlreadyDrafted(f"the id {command.rfc_id} belongs to another RFC")
    _check_window(command.text.window_starts_at, command.text.window_ends_at)
    return [
        past.RfcDrafted(
            rfc_id=command.rfc_id,
            serial=command.serial,
            occurred_at=command.occurred_at,
            requester_id=command.requester_id,
            request_id=command.request_id,
            change_type=command.change_type,
            text=command.text,
        )
    ]


def _edit(command: ask.EditRfc, state: Rfc, rfc_id: UUID) -> list[RfcEvent]:
    changes: dict[str, Any] = dict(command.changes)
    text = replace(state.text, **changes)
    if text == state.text:
        return []
    _check_window(text.window_starts_at, text.window_ends_at)
    missing = missing_before_submission(text)
    if state.state is not State.DRAFT and missing:
        raise incomplete(missing, "kept under way")
    material = is_material(state, text)
    return [
        past.RfcEdited(
            rfc_id=rfc_id,
            occurred_at=command.occurred_at,
            text=text,
            material=material,
            revision=state.revision + 1 if material else state.revision,
            state=_after_edit(state.state) if material else state.state,
        )
    ]


def _submit(command: ask.SubmitRfc, state: Rfc, rfc_id: UUID) -> list[RfcEvent]:
    missing = missing_before_submission(state.text)
    if missing or state.drafted_at is None or state.requester_id is None:
        raise incomplete(missing, "submitted")
    return [
        past.RfcSubmitted(
            rfc_id=rfc_id,
            serial=state.serial,
            drafted_at=state.drafted_at,
            occurred_at=command.occurred_at,
            requester_id=state.requester_id,
            request_id=state.request_id,
            change_type=state.change_type,
            text=state.text,
        )
    ]


def _schedule(command: ask.ScheduleRfc, state: Rfc, rfc_id: UUID) -> list[RfcEvent]:
    _check_window(command.starts_at, command.ends_at)
    if command.starts_at < command.occurred_at:
        raise BadWindow("a change cannot be scheduled into the past", field="/starts_at")
    opens, shuts = state.text.window_starts_at, state.text.window_ends_at
    if (opens and command.starts_at < opens) or (shuts and command.ends_at > shuts):
        raise BadWindow(
            "this lies outside the window that was judged",
            remedy="edit the RFC's window, which has it judged again",
            field="/starts_at",
        )
    return [
        past.RfcScheduled(
            rfc_id=rfc_id,
            occurred_at=command.occurred_at,
            starts_at=command.starts_at,
            ends_at=command.ends_at,
        )
    ]


def _check_window(starts_at: datetime | None, ends_at: datetime | None) -> None:
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise BadWindow("a change window ends after it starts", field="/window_ends_at")


def _link(command: ask.LinkProject, state: Rfc) -> list[RfcEvent]:
    """Note the project; one that names an RFC we do not know says nothing here."""
    if state.rfc_id is None or command.project_id in state.projects:
        return []
    return [
        past.RfcProjectLinked(
            rfc_id=state.rfc_id,
            occurred_at=command.occurred_at,
            project_id=command.project_id,
            project_number=command.project_number,
            service=command.service,
            new_service=command.new_service,
            historic=command.historic,
        )
    ]


RFC: Decider[RfcCommand, Rfc, RfcEvent] = Decider(stream="rfc", initial=Rfc(), decide=decide, evolve=evolve)
