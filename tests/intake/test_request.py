"""A request's life: what is possible when, and what follows."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from services.intake.domain import lifecycle
from services.intake.domain.request import commands as ask
from services.intake.domain.request import events as past
from services.intake.domain.request.decider import REQUEST
from services.intake.domain.vocabulary import (
    Channel,
    CloseReason,
    ConversionTarget,
    HoldReason,
    Level,
    RequestKind,
    RequestState,
    Visibility,
)
from tests.intake.builders import ANNA, HOUR, MONDAY, REQUEST_ID, RFC_ID, submit, triage, was_submitted
from tests.support.specification import specify

CLOCK = UUID("01890a5d-ac96-774b-bcce-b302099a8aaa")
ACCEPT = ask.AcceptRequest(occurred_at=MONDAY)
ASSIGN = ask.AssignRequest(occurred_at=MONDAY, group="Desk", assignee="boris")
FULFIL = ask.FulfilRequest(occurred_at=MONDAY)
WAIT = ask.HoldRequest(occurred_at=MONDAY, reason=HoldReason.REQUESTER)
RESUME = ask.ResumeRequest(occurred_at=MONDAY)
REOPEN = ask.ReopenRequest(occurred_at=MONDAY)
CONVERT = ask.ConvertRequest(occurred_at=MONDAY, to=ConversionTarget.RFC, target_id=RFC_ID)
BREACH = ask.NoteBreach(occurred_at=MONDAY, clock_id=CLOCK, target="resolution", due_at=MONDAY - HOUR)
request = specify(REQUEST)
submitted = request.given(was_submitted())


def state_after(*commands: ask.RequestCommand) -> lifecycle.Request:
    state = REQUEST.initial
    for command in (submit(), *commands):
        state = REQUEST.fold(REQUEST.decide(command, state), state)
    return state


def test_a_submitted_request_keeps_every_fact_and_says_why_it_has_its_priority() -> None:
    (event,) = request.when(submit(impact=Level.HIGH)).events()
    assert (event.title, event.requester_id, event.units) == ("A second monitor", ANNA, 1)
    assert event.priority == 2
    assert event.priority_rule == "impact high x urgency medium = 2 by matrix 3x3 version 1"


def test_the_same_external_ticket_is_submitted_once() -> None:
    ticket = {"source_system": "zammad", "external_id": "4711"}
    request.given(was_submitted(**ticket)).when(submit(**ticket)).then_nothing()


def test_an_id_is_not_given_to_two_requests() -> None:
    submitted.when(submit()).then_rejected(lifecycle.AlreadySubmitted)


def test_nothing_happens_to_a_request_that_does_not_exist() -> None:
    request.when(FULFIL).then_rejected(lifecycle.UnknownRequest)


def test_triage_names_service_and_category_and_weighs_the_request_again() -> None:
    submitted.when(triage()).then(
        past.RequestTriaged(
            request_id=REQUEST_ID,
            occurred_at=MONDAY,
            service="Workplace",
            category="Hardware",
            impact=Level.LOW,
            urgency=Level.MEDIUM,
            priority=4,
            priority_rule="impact low x urgency medium = 4 by matrix 3x3 version 1",
            state=RequestState.TRIAGED,
        )
    )


def test_the_same_triage_twice_says_nothing_new() -> None:
    submitted.when(triage(), triage()).then_nothing()


def test_a_request_is_accepted_only_after_triage() -> None:
    submitted.when(ACCEPT).then_rejected(lifecycle.NotPossibleNow)


def test_a_request_without_a_service_is_not_accepted() -> None:
    submitted.when(triage(service=""), ACCEPT).then_rejected(lifecycle.FactsMissing, "/service")


def test_an_accepted_request_that_is_assigned_is_in_fulfilment() -> None:
    assert state_after(triage(), ACCEPT).state is RequestState.ACCEPTED
    assert state_after(triage(), ACCEPT, ASSIGN).state is RequestState.IN_FULFILMENT
    assert state_after(triage(), ASSIGN, ACCEPT).state is RequestState.IN_FULFILMENT


def test_the_same_assignment_twice_says_nothing_new() -> None:
    submitted.when(ASSIGN, ASSIGN).then_nothing()


def test_a_request_resumes_where_its_hold_interrupted_it() -> None:
    assert state_after(triage(), WAIT, RESUME).state is RequestState.TRIAGED


def test_work_assigned_while_on_hold_goes_on_in_fulfilment() -> None:
    assert state_after(triage(), ACCEPT, WAIT, ASSIGN, RESUME).state is RequestState.IN_FULFILMENT


def test_another_reason_to_wait_ends_the_first_wait() -> None:
    supplier = ask.HoldRequest(occurred_at=MONDAY, reason=HoldReason.SUPPLIER)
    submitted.when(WAIT, supplier).then(
        past.RequestResumed(request_id=REQUEST_ID, occurred_at=MONDAY, state=RequestState.SUBMITTED),
        past.RequestHeld(request_id=REQUEST_ID, occurred_at=MONDAY, reason=HoldReason.SUPPLIER),
    )


@pytest.mark.parametrize("before", [(), (triage(),), (triage(), ACCEPT), (WAIT,)])
def test_a_request_may_be_answered_at_once(before: tuple[ask.RequestCommand, ...]) -> None:
    assert state_after(*before, FULFIL).state is RequestState.FULFILLED


def test_a_request_on_hold_closes_only_when_the_requester_does_not_answer() -> None:
    no_answer = ask.CloseRequest(occurred_at=MONDAY, reason=CloseReason.NO_ANSWER)
    assert state_after(WAIT, no_answer).state is RequestState.CLOSED
    submitted.when(WAIT, ask.CloseRequest(occurred_at=MONDAY)).then_rejected(lifecycle.NotPossibleNow)


def test_a_fulfilled_request_can_be_reopened_for_thirty_days() -> None:
    late = ask.ReopenRequest(occurred_at=MONDAY + timedelta(days=31))
    assert state_after(FULFIL, REOPEN).state is RequestState.IN_FULFILMENT
    submitted.when(FULFIL, late).then_rejected(lifecycle.ReopenWindowPassed)


def test_the_window_to_reopen_counts_from_fulfilment_not_from_closing() -> None:
    close = ask.CloseRequest(occurred_at=MONDAY + timedelta(days=20))
    late = ask.ReopenRequest(occurred_at=MONDAY + timedelta(days=31))
    submitted.when(FULFIL, close, late).then_rejected(lifecycle.ReopenWindowPassed)


@pytest.mark.parametrize(
    "end",
    [
        ask.RejectRequest(occurred_at=MONDAY, reason="not for IT"),
        ask.WithdrawRequest(occurred_at=MONDAY),
        CONVERT,
    ],
)
def test_an_ended_request_takes_no_further_steps(end: ask.RequestCommand) -> None:
    submitted.when(end, FULFIL).then_rejected(lifecycle.NotPossibleNow)


def test_a_step_already_taken_says_nothing_new() -> None:
    submitted.when(FULFIL, FULFIL).then_nothing()


def test_a_converted_request_closes_with_what_it_became_and_not_by_hand() -> None:
    done = ask.CloseRequest(occurred_at=MONDAY, reason=CloseReason.CONVERTED)
    assert state_after(CONVERT, done).state is RequestState.CLOSED
    submitted.when(CONVERT, ask.CloseRequest(occurred_at=MONDAY)).then_rejected(lifecycle.NotPossibleNow)


def test_an_incident_is_linked_never_converted() -> None:
    incident = request.given(was_submitted(kind=RequestKind.INCIDENT))
    incident.when(CONVERT).then_rejected(lifecycle.IncidentsAreLinked)
    assert "conversion" not in lifecycle.allowed_transitions(
        REQUEST.fold([was_submitted(kind=RequestKind.INCIDENT)])
    )


def test_a_new_weight_gives_a_new_priority_and_the_same_weight_none() -> None:
    heavier = ask.ReprioritiseRequest(occurred_at=MONDAY, impact=Level.HIGH, urgency=Level.HIGH)
    (event,) = submitted.when(heavier).events()
    assert event.priority == 1
    submitted.when(heavier, heavier).then_nothing()


def test_answers_and_contacts_are_counted_every_time() -> None:
    answer = ask.RecordResponse(occurred_at=MONDAY, human=True, channel=Channel.MAIL)
    contact = ask.RecordContact(occurred_at=MONDAY, channel=Channel.PHONE)
    assert len(submitted.when(answer, answer).events()) == 1
    assert len(submitted.when(contact, contact).events()) == 1


def test_a_comment_is_sealed_under_the_requester_and_taken_once() -> None:
    comment = ask.AddComment(
        occurred_at=MONDAY,
        comment_id=CLOCK,
        author="boris",
        comment="On its way.",
        visibility=Visibility.PUBLIC,
    )
    (event,) = submitted.when(comment).events()
    assert event.requester_id == ANNA
    submitted.when(comment, comment).then_nothing()


def test_a_breach_is_noted_once_and_can_be_withdrawn() -> None:
    (event,) = submitted.when(BREACH).events()
    assert (event.found_by, event.breaches) == ("sla", 1)
    submitted.when(BREACH, BREACH).then_nothing()
    withdrawn = ask.NoteBreachWithdrawn(occurred_at=MONDAY, clock_id=CLOCK)
    (event,) = submitted.when(BREACH, withdrawn).events()
    assert event.breaches == 0
    submitted.when(BREACH, withdrawn, withdrawn).then_nothing()


def test_a_breach_of_a_record_that_is_no_request_says_nothing_here() -> None:
    request.when(BREACH).then_nothing()


def test_a_project_that_came_of_it_is_noted_once_and_shown() -> None:
    noted = ask.NoteProject(occurred_at=MONDAY, project_id=CLOCK, project_number="PRJ-2026-000001")
    (event,) = submitted.when(noted).events()
    assert (event.project_id, event.project_number) == (CLOCK, "PRJ-2026-000001")
    submitted.when(noted, noted).then_nothing()
    request.when(noted).then_nothing()


def test_allowed_transitions_name_exactly_the_steps_that_are_not_refused() -> None:
    assert lifecycle.allowed_transitions(REQUEST.initial) == ()
    assert lifecycle.allowed_transitions(state_after(FULFIL)) == (
        "closure",
        "contacts",
        "reopening",
        "responses",
    )
    problem = ask.HoldRequest(occurred_at=MONDAY, reason=HoldReason.PROBLEM)
    assert "closure" in lifecycle.allowed_transitions(state_after(WAIT))
    assert "closure" not in lifecycle.allowed_transitions(state_after(problem))
