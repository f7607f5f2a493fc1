"""Any command on any state is refused or yields events that fold; repeats say nothing new."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain import change_lifecycle, lifecycle
from services.intake.domain.classification import Facts
from services.intake.domain.request import commands as ask
from services.intake.domain.request.decider import REQUEST
from services.intake.domain.rfc import commands as ask_rfc
from services.intake.domain.rfc.decider import RFC
from services.intake.domain.vocabulary import (
    ChangeOutcome,
    ChangeType,
    Channel,
    CloseReason,
    ConversionTarget,
    Decision,
    HoldReason,
    Level,
    RequestKind,
    RequestState,
    Visibility,
    Vote,
)
from shared.eventsourcing.decider import Decider, Rejected
from tests.intake.builders import ANNA, BORIS, CALM, CHAIR, MONDAY, READY, TEXT, draft, submit

ids = st.sampled_from([UUID(int=n) for n in range(1, 4)])
people = st.sampled_from([ANNA, BORIS, CHAIR])
times = st.integers(0, 60 * 24 * 60).map(lambda minutes: MONDAY + timedelta(minutes=minutes))
levels = st.sampled_from(Level)
words = st.sampled_from(["", "Mail", "Workplace"])


def asked(command: type, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(command, occurred_at=times, **fields)


def history(rows: list[ask.HistoryRow]) -> ask.RecordHistory:
    return ask.RecordHistory(opening=submit(), rows=tuple(rows))


states = st.sampled_from(
    [RequestState.SUBMITTED, RequestState.ACCEPTED, RequestState.FULFILLED, RequestState.CLOSED]
).map(lambda state: (state, None)) | st.sampled_from(HoldReason).map(
    lambda reason: (RequestState.ON_HOLD, reason)
)
rows = states.flatmap(
    lambda state: st.builds(
        ask.HistoryRow,
        row=st.integers(0, 9),
        occurred_at=times,
        state=st.just(state[0]),
        hold=st.just(state[1]),
        requester_id=people,
        requester_name=words,
        service=words,
        category=words,
        impact=levels,
        urgency=levels,
        priority=st.integers(1, 5),
        group=words,
        assignee=words,
        breached=st.booleans(),
    )
)
histories = st.lists(rows, max_size=6, unique_by=lambda row: row.row).map(history)
channels = st.sampled_from(Channel)
request_commands = st.one_of(
    st.sampled_from(RequestKind).map(lambda kind: submit(kind=kind)),
    histories,
    asked(ask.TriageRequest, service=words, category=words, impact=levels, urgency=levels),
    asked(ask.AcceptRequest),
    asked(ask.RejectRequest, reason=words),
    asked(ask.AssignRequest, group=words, assignee=words),
    asked(ask.HoldRequest, reason=st.sampled_from(HoldReason)),
    asked(ask.ResumeRequest),
    asked(ask.RecordResponse, human=st.booleans(), channel=channels),
    asked(ask.RecordContact, channel=channels),
    asked(ask.ReprioritiseRequest, impact=levels, urgency=levels),
    asked(ask.FulfilRequest),
    asked(ask.CloseRequest, reason=st.sampled_from(CloseReason)),
    asked(ask.ReopenRequest),
    asked(ask.WithdrawRequest),
    asked(ask.ConvertRequest, to=st.sampled_from(ConversionTarget), target_id=ids),
    asked(
        ask.AddComment, comment_id=ids, author=words, comment=words, visibility=st.sampled_from(Visibility)
    ),
    asked(ask.NoteBreach, clock_id=ids, target=words, due_at=times, historic=st.booleans()),
    asked(ask.NoteBreachWithdrawn, clock_id=ids, historic=st.booleans()),
    asked(ask.NoteProject, project_id=ids, project_number=words, historic=st.booleans()),
)
facts = st.builds(
    Facts,
    service_impact=levels,
    new_service=st.booleans(),
    expected_risk=levels,
    initial_resources=words,
    impact=levels,
    urgency=levels,
    risk_of_not_accepting=levels,
)
texts = st.sampled_from([READY, TEXT])
types = st.sampled_from(ChangeType)
roles = st.sampled_from(
    [frozenset({"change_manager"}), frozenset({"service_desk_manager"}), frozenset[str]()]
)
rfc_commands = st.one_of(
    st.builds(draft, texts, change_type=types),
    asked(
        ask_rfc.EditRfc,
        changes=st.fixed_dictionaries({}, optional={"reason": words, "test_plan": words, "service": words}),
    ),
    asked(ask_rfc.SubmitRfc),
    asked(ask_rfc.ClassifyRfc, change_type=types, facts=facts, type_reason=words),
    asked(ask_rfc.AssessRisk, assessed_by=people, answers=st.just(CALM)),
    asked(ask_rfc.CastVote, voter_id=people, vote=st.sampled_from(Vote), revision=st.integers(1, 2)),
    asked(
        ask_rfc.DecideRfc,
        decided_by=people,
        roles=roles,
        decision=st.sampled_from(Decision),
        revision=st.integers(1, 2),
        reason=words,
        until=times,
    ),
    asked(ask_rfc.RevertRfc, reason=words),
    asked(ask_rfc.ScheduleRfc, starts_at=times, ends_at=times),
    asked(ask_rfc.StartImplementation, implementer_id=people),
    asked(ask_rfc.RecordImplementation, outcome=st.sampled_from(ChangeOutcome)),
    asked(ask_rfc.CloseRfc, outcome=st.sampled_from(ChangeOutcome)),
    asked(ask_rfc.CancelRfc, reason=words),
    asked(
        ask_rfc.LinkProject, project_id=ids, project_number=words, service=words, new_service=st.booleans()
    ),
)

COUNTED_EVERY_TIME = (
    ask.RecordResponse,
    ask.RecordContact,
    ask_rfc.ClassifyRfc,
    ask_rfc.AssessRisk,
    ask_rfc.ScheduleRfc,
    ask_rfc.DecideRfc,
)


def lived(decider: Decider[Any, Any, Any], commands: list[Any]) -> list[Any]:
    """Ask every command; return the events, having repeated each command and found nothing new."""
    state, told = decider.initial, []
    for command in commands:
        try:
            events = list(decider.decide(command, state))
        except Rejected:
            continue
        state = decider.fold(events, state)
        told += events
        try:
            again = decider.decide(command, state)
        except Rejected:
            continue
        assert list(again) == [] or isinstance(command, COUNTED_EVERY_TIME)
    return told


@given(st.lists(request_commands, max_size=12))
def test_a_request_survives_any_sequence_of_commands(commands: list[ask.RequestCommand]) -> None:
    told = lived(REQUEST, [submit(), *commands])
    state = REQUEST.fold(told)
    assert state.request_id is not None
    assert (state.state is RequestState.ON_HOLD) is (state.hold is not None)
    assert lifecycle.allowed_transitions(state) == tuple(sorted(lifecycle.allowed_transitions(state)))


@given(st.lists(rfc_commands, max_size=14))
def test_a_change_survives_any_sequence_of_commands(commands: list[ask_rfc.RfcCommand]) -> None:
    told = lived(RFC, [draft(), *commands])
    state = RFC.fold(told)
    assert state.revision >= 1
    assert state.approved_by is None or state.approved_by != state.requester_id
    assert "draft" not in change_lifecycle.allowed_transitions(state)


@given(histories, histories)
def test_recording_history_again_says_nothing_new(
    first: ask.RecordHistory, second: ask.RecordHistory
) -> None:
    told = list(REQUEST.decide(first, REQUEST.initial))
    told += REQUEST.decide(second, REQUEST.fold(told))
    state = REQUEST.fold(told)
    assert REQUEST.decide(first, state) == REQUEST.decide(second, state) == []
    assert all(event.historic for event in told)


@given(histories, st.data())
def test_history_recorded_in_two_parts_ends_like_history_recorded_at_once(
    whole: ask.RecordHistory, data: st.DataObject
) -> None:
    ordered = sorted(whole.rows, key=lambda row: row.row)
    cut = data.draw(st.integers(0, len(ordered)))
    told = list(REQUEST.decide(history(ordered[:cut]), REQUEST.initial))
    told += REQUEST.decide(whole, REQUEST.fold(told))
    assert REQUEST.fold(told) == REQUEST.fold(REQUEST.decide(whole, REQUEST.initial))
