"""A change's life: what it must say, who judges it, who decides, what an edit undoes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.intake.domain import change_lifecycle as life
from services.intake.domain.rfc import commands as ask
from services.intake.domain.rfc.decider import RFC
from services.intake.domain.risk import UnknownAnswer
from services.intake.domain.vocabulary import ChangeOutcome, ChangeType, Decision, RfcState, Vote
from tests.intake.builders import (
    ANNA,
    BORIS,
    CALM,
    CHAIR,
    HOUR,
    MONDAY,
    READY,
    RFC_ID,
    SUBMIT_RFC,
    TEXT,
    assess,
    classify,
    draft,
    vote,
)
from tests.support.specification import specify

rfc = specify(RFC)


def decide(
    decision: Decision = Decision.APPROVE, by: UUID = CHAIR, revision: int = 1, **more: Any
) -> ask.DecideRfc:
    roles = more.pop("roles", frozenset({"change_manager"}))
    return ask.DecideRfc(
        occurred_at=more.pop("at", MONDAY),
        decided_by=by,
        roles=roles,
        decision=decision,
        revision=revision,
        **more,
    )


def edit(**changes: Any) -> ask.EditRfc:
    return ask.EditRfc(occurred_at=MONDAY, changes=changes)


PLANS = {
    name: getattr(READY, name)
    for name in ("affected_components", "implementation_plan", "back_out_plan", "test_plan")
} | {"window_starts_at": READY.window_starts_at, "window_ends_at": READY.window_ends_at}
SCHEDULE = ask.ScheduleRfc(occurred_at=MONDAY, starts_at=MONDAY + 100 * HOUR, ends_at=MONDAY + 102 * HOUR)
START = ask.StartImplementation(occurred_at=MONDAY, implementer_id=BORIS)
DONE = ask.RecordImplementation(occurred_at=MONDAY, outcome=ChangeOutcome.SUCCESSFUL)
CLOSE = ask.CloseRfc(occurred_at=MONDAY, outcome=ChangeOutcome.SUCCESSFUL)
JUDGED = (draft(), SUBMIT_RFC, classify(), assess())
APPROVED = (*JUDGED, decide())


def state_after(*commands: ask.RfcCommand) -> life.Rfc:
    state = RFC.initial
    for command in commands:
        state = RFC.fold(RFC.decide(command, state), state)
    return state


@pytest.mark.parametrize("fact", ["business_impact", "service", "risk_of_not_accepting", "reason"])
def test_an_rfc_is_not_submitted_before_it_says_the_four_facts(fact: str) -> None:
    text = replace(TEXT, **{fact: ""})
    refusal = rfc.when(draft(text), SUBMIT_RFC).then_rejected(life.MissingFacts, f"/{fact}")
    assert fact in refusal.detail


def test_a_normal_change_goes_the_whole_way() -> None:
    state = state_after(*JUDGED, vote(), decide(), SCHEDULE, START, DONE, CLOSE)
    assert (state.state, state.outcome) == (RfcState.CLOSED, ChangeOutcome.SUCCESSFUL)


def test_classification_carries_the_rule_and_its_inputs() -> None:
    (event,) = rfc.when(draft(), SUBMIT_RFC, classify(affected_services=("Calendar",))).events()
    assert (event.category, event.priority, event.policy_version) == ("service_impact", 2, 1)
    assert event.rule == (
        "service_impact: service impact is medium and the expected risk is not high; "
        "impact high x urgency medium = 2 by matrix 3x3 version 1"
    )
    assert event.affected_services == ("Calendar",)


def test_another_type_needs_a_reason_and_voids_the_votes() -> None:
    rfc.when(*JUDGED, classify(ChangeType.EMERGENCY)).then_rejected(life.ReasonMissing, "/type_reason")
    state = state_after(*JUDGED, vote(), classify(ChangeType.EMERGENCY, type_reason="the disk is failing"))
    assert (state.revision, dict(state.votes), state.state) == (2, {}, RfcState.CLASSIFIED)


def test_an_assessment_answers_every_factor_and_adds_up() -> None:
    (event,) = rfc.when(*JUDGED).events()
    assert event.score == sum(term.points for term in event.factors) == 20
    assert event.level == "low"
    partial = ask.AssessRisk(
        occurred_at=MONDAY, assessed_by=BORIS, answers={k: v for k, v in CALM.items() if k != "window"}
    )
    rfc.when(draft(), SUBMIT_RFC, classify(), partial).then_rejected(UnknownAnswer, "/answers/window")


def test_the_requester_cannot_talk_the_risk_down_alone() -> None:
    risky = assess(service_criticality="critical")
    rfc.when(draft(), SUBMIT_RFC, classify(), risky, assess(by=ANNA)).then_rejected(life.FourEyes)
    assert state_after(draft(), SUBMIT_RFC, classify(), risky, assess(by=BORIS)).risk_score == 20


def test_a_normal_change_is_not_decided_before_its_risk_is_assessed() -> None:
    rfc.when(draft(), SUBMIT_RFC, classify(), decide()).then_rejected(life.StepNotPossible)


def test_a_vote_counts_for_the_revision_that_was_read() -> None:
    rfc.when(*JUDGED, edit(back_out_plan="Restore the backup."), assess(), vote(revision=1)).then_rejected(
        life.StaleRevision, "/revision"
    )


def test_the_same_vote_twice_says_nothing_new_and_another_replaces_it() -> None:
    rfc.when(*JUDGED, vote(), vote()).then_nothing()
    state = state_after(*JUDGED, vote(), vote(vote=Vote.REJECT))
    assert dict(state.votes) == {BORIS: Vote.REJECT}


def test_whoever_asks_for_a_change_neither_votes_nor_decides_on_it() -> None:
    rfc.when(*JUDGED, vote(by=ANNA)).then_rejected(life.FourEyes)
    rfc.when(*JUDGED, decide(by=ANNA)).then_rejected(life.FourEyes)


def test_whoever_approved_a_change_does_not_make_it() -> None:
    start = ask.StartImplementation(occurred_at=MONDAY, implementer_id=CHAIR)
    rfc.when(*APPROVED, SCHEDULE, start).then_rejected(life.FourEyes)


def test_a_normal_change_is_not_approved_without_its_plans() -> None:
    refusal = rfc.when(draft(TEXT), SUBMIT_RFC, classify(), assess(), decide()).then_rejected(
        life.MissingFacts
    )
    for plan in ("implementation_plan", "back_out_plan", "test_plan", "window_starts_at"):
        assert plan in refusal.detail


def test_an_emergency_is_decided_by_the_service_desk_manager_before_any_plan() -> None:
    emergency = (draft(TEXT, change_type=ChangeType.EMERGENCY), SUBMIT_RFC, classify(ChangeType.EMERGENCY))
    desk = frozenset({"service_desk_manager"})
    assert state_after(*emergency, decide(roles=desk)).state is RfcState.APPROVED
    rfc.when(*emergency, decide()).then_rejected(life.NotTheirDecision)


def test_an_emergency_does_not_close_before_its_plans_are_written_down() -> None:
    emergency = (draft(TEXT, change_type=ChangeType.EMERGENCY), SUBMIT_RFC, classify(ChangeType.EMERGENCY))
    way = (*emergency, decide(roles=frozenset({"service_desk_manager"})), SCHEDULE, START, DONE)
    rfc.when(*way, CLOSE).then_rejected(life.MissingFacts)
    state = state_after(*way, edit(**PLANS), CLOSE)
    assert state.state is RfcState.CLOSED


def test_a_standard_change_goes_from_classified_to_its_window() -> None:
    standard = (draft(change_type=ChangeType.STANDARD), SUBMIT_RFC, classify(ChangeType.STANDARD))
    assert state_after(*standard, SCHEDULE).state is RfcState.SCHEDULED
    assert "decision" not in life.allowed_transitions(state_after(*standard))


def test_a_rejected_change_is_a_draft_again_and_says_why() -> None:
    rfc.when(*JUDGED, decide(Decision.REJECT)).then_rejected(life.ReasonMissing, "/reason")
    state = state_after(*JUDGED, vote(), decide(Decision.REJECT, reason="too early"))
    assert (state.state, state.revision, dict(state.votes)) == (RfcState.DRAFT, 2, {})


def test_a_deferred_decision_waits_until_its_time() -> None:
    until = MONDAY + timedelta(days=7)
    rfc.when(*JUDGED, decide(Decision.DEFER, reason="holidays")).then_rejected(life.ReasonMissing, "/until")
    deferred = (*JUDGED, decide(Decision.DEFER, reason="holidays", until=until))
    rfc.when(*deferred, decide()).then_rejected(life.StillDeferred)
    assert state_after(*deferred, decide(at=until)).state is RfcState.APPROVED


def test_a_material_edit_voids_votes_and_approval_and_has_the_change_judged_again() -> None:
    state = state_after(*JUDGED, vote(), decide(), edit(back_out_plan="Restore the backup."))
    assert (state.state, state.revision) == (RfcState.CLASSIFIED, 2)
    assert (state.approved_by, dict(state.votes)) == (None, {})


@pytest.mark.parametrize("changes", [{"title": "Mail"}, {"window_ends_at": MONDAY + 103 * HOUR}])
def test_an_edit_of_words_or_within_the_window_undoes_nothing(changes: dict[str, Any]) -> None:
    state = state_after(*APPROVED, edit(**changes))
    assert (state.state, state.revision) == (RfcState.APPROVED, 1)


def test_the_same_text_again_says_nothing_new() -> None:
    rfc.when(*APPROVED, edit(title=READY.title)).then_nothing()


def test_reverting_to_draft_voids_what_was_decided() -> None:
    state = state_after(*APPROVED, ask.RevertRfc(occurred_at=MONDAY, reason="another plan"))
    assert (state.state, state.revision, state.approved_by) == (RfcState.DRAFT, 2, None)


def test_a_change_is_scheduled_inside_the_window_that_was_judged() -> None:
    early = ask.ScheduleRfc(occurred_at=MONDAY, starts_at=MONDAY + HOUR, ends_at=MONDAY + 2 * HOUR)
    rfc.when(*APPROVED, early).then_rejected(life.BadWindow)
    gone = replace(SCHEDULE, occurred_at=MONDAY + 101 * HOUR)
    rfc.when(*APPROVED, gone).then_rejected(life.BadWindow)
    backwards = ask.ScheduleRfc(occurred_at=MONDAY, starts_at=MONDAY + 2 * HOUR, ends_at=MONDAY + HOUR)
    rfc.when(*APPROVED, backwards).then_rejected(life.BadWindow)


def test_a_change_is_cancelled_only_before_work_begins() -> None:
    cancel = ask.CancelRfc(occurred_at=MONDAY, reason="not needed")
    assert state_after(*APPROVED, cancel).state is RfcState.CANCELLED
    rfc.when(*APPROVED, SCHEDULE, START, cancel).then_rejected(life.StepNotPossible)


def test_a_project_that_came_from_the_change_is_noted_once() -> None:
    link = ask.LinkProject(
        occurred_at=MONDAY,
        project_id=RFC_ID,
        project_number="PRJ-2026-000001",
        service="Mail",
        new_service=False,
    )
    assert len(rfc.when(draft(), link).events()) == 1
    rfc.when(draft(), link, link).then_nothing()
    rfc.when(link).then_nothing()


def test_an_unknown_rfc_is_not_found_and_an_id_is_not_given_twice() -> None:
    rfc.when(SUBMIT_RFC).then_rejected(life.UnknownRfc)
    rfc.when(draft(), draft()).then_rejected(life.AlreadyDrafted)
    assert life.allowed_transitions(RFC.initial) == ()


def test_an_rfc_under_way_keeps_its_four_facts() -> None:
    rfc.when(*JUDGED, edit(reason="")).then_rejected(life.MissingFacts, "/reason")
    (event,) = rfc.when(draft(), edit(reason="")).events()
    assert (event.text.reason, event.text.service) == ("", "E-mail")
