"""A record's clocks as given, when, then: each thing once, at its own time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from services.sla.domain.lifecycle import ClockState
from services.sla.domain.record import events
from services.sla.domain.record.decider import CORRECTED, NO_LONGER_PROMISED, RECORD, clock_id_of
from services.sla.domain.target import Fact, RecordKind
from tests.sla.builders import (
    AGREEMENT_ID,
    CONTACT,
    MONDAY,
    NOMINAL,
    OUTAGE,
    RECORD_ID,
    check,
    fact,
    minutes,
    record,
    submitted,
)
from tests.support.specification import specify

OPENED = submitted()
CLOCK_ID = clock_id_of(RECORD_ID, AGREEMENT_ID, NOMINAL.name, OPENED.key)
LATER = MONDAY + minutes(600)
DUE = MONDAY + minutes(120)
IDENTITY: dict[str, Any] = {
    "clock_id": CLOCK_ID,
    "agreement_id": AGREEMENT_ID,
    "target": NOMINAL.name,
    "target_version": 1,
    "record": RecordKind.REQUEST,
    "historic": False,
}


def heard(told: Fact, seq: int, *, historic: bool = False) -> events.FactRecorded:
    return events.FactRecorded(
        key=told.key,
        kind=told.kind,
        record=RecordKind.REQUEST,
        seq=seq,
        attributes=told.attributes,
        occurred_at=told.occurred_at,
        historic=historic,
    )


def checked(
    seq: int, as_of: datetime, next_at: datetime | None, now: datetime = LATER
) -> events.RecordChecked:
    return events.RecordChecked(
        seq=seq,
        as_of=as_of,
        covered=True,
        agreements=(AGREEMENT_ID,),
        next_at=next_at,
        occurred_at=now,
        historic=False,
    )


ATTACHED = events.ClockAttached(**IDENTITY, due_at=DUE, limit_seconds=7200, occurred_at=MONDAY)


def reached(threshold: int, after: float) -> events.ThresholdReached:
    return events.ThresholdReached(
        **IDENTITY, threshold=threshold, due_at=DUE, occurred_at=MONDAY + minutes(after)
    )


def kinds(happened: list[Any]) -> list[str]:
    return [type(event).__name__ for event in happened]


def test_a_fact_is_taken_as_it_was_told() -> None:
    specify(RECORD).when(record(OPENED)).then(heard(OPENED, 1))


def test_the_same_fact_told_twice_is_one_fact() -> None:
    specify(RECORD).given(heard(OPENED, 1)).when(record(OPENED)).then_nothing()


def test_a_fact_about_a_record_never_heard_of_is_taken_all_the_same() -> None:
    resumed = fact("resumed")
    specify(RECORD).when(record(resumed)).then(heard(resumed, 1))


def test_the_first_check_attaches_what_is_promised() -> None:
    next_at = MONDAY + minutes(60)
    specify(RECORD).given(heard(OPENED, 1)).when(check(1)).then(ATTACHED, checked(2, MONDAY, next_at))


def test_a_repeated_check_decides_to_nothing() -> None:
    specify(RECORD).given(heard(OPENED, 1)).when(check(1), check(1)).then_nothing()
    specify(RECORD).given(heard(OPENED, 1)).when(check(1), check(2)).then_nothing()


def test_a_check_that_was_overtaken_by_a_fact_leaves_it_to_the_next_check() -> None:
    given = specify(RECORD).given(heard(OPENED, 1), heard(fact("held", 1, reason="requester"), 2))
    given.when(check(1)).then_nothing()


def test_a_record_that_no_agreement_covers_is_told_so_once() -> None:
    told = specify(RECORD).given(heard(OPENED, 1)).when(check(1, targets=())).events()
    assert [(type(event), event.covered, event.next_at) for event in told] == [
        (events.RecordChecked, False, None)
    ]


def test_each_threshold_is_told_once_at_its_own_instant() -> None:
    after_half = specify(RECORD).given(heard(OPENED, 1)).when(check(1), check(2, MONDAY + minutes(60)))
    at = MONDAY + minutes(60)
    after_half.then(reached(50, 60), checked(3, at, MONDAY + minutes(90), now=at))
    after_half.when(check(2, at)).then_nothing()
    after_half.when(check(3, at)).then_nothing()


def test_a_breach_is_told_at_the_due_instant_when_it_is_detected_late() -> None:
    late = MONDAY + minutes(500)
    told = specify(RECORD).given(heard(OPENED, 1)).when(check(1), check(2, late)).events()
    (breach,) = [event for event in told if isinstance(event, events.ClockBreached)]
    assert breach == events.ClockBreached(
        **IDENTITY, due_at=DUE, detected_at=late, elapsed_seconds=7200, occurred_at=DUE
    )


def test_a_check_because_of_a_fact_knows_nothing_after_that_fact() -> None:
    # The stop may be on its way: only a deadline check, with everything heard, may speak of a breach.
    told = specify(RECORD).given(heard(OPENED, 1)).when(check(1, now=MONDAY + minutes(9999))).events()
    assert kinds(told) == ["ClockAttached", "RecordChecked"]


def test_a_record_done_in_time_is_met() -> None:
    done = fact("fulfilled", 45)
    told = specify(RECORD).given(heard(OPENED, 1)).when(check(1), record(done), check(3)).events()
    assert told == [
        events.ClockMet(**IDENTITY, late=False, elapsed_seconds=2700, occurred_at=done.occurred_at),
        checked(4, done.occurred_at, None),
    ]


def test_a_record_done_late_is_breached_and_met_late() -> None:
    done = fact("fulfilled", 150)
    told = specify(RECORD).given(heard(OPENED, 1)).when(check(1), record(done), check(3)).events()
    assert kinds(told) == [*["ThresholdReached"] * 4, "ClockBreached", "ClockMet", "RecordChecked"]
    assert told[-2].late


def test_a_hold_for_the_requester_is_told_with_no_deadline_left() -> None:
    held = fact("held", 30, reason="requester")
    told = specify(RECORD).given(heard(OPENED, 1)).when(check(1), record(held), check(3)).events()
    assert told == [
        events.ClockRescheduled(
            clock_id=CLOCK_ID,
            state=ClockState.PAUSED,
            due_at=None,
            remaining_seconds=5400,
            occurred_at=held.occurred_at,
            historic=False,
        ),
        checked(4, held.occurred_at, None),
    ]


def test_a_fact_that_comes_late_withdraws_the_breach() -> None:
    late = MONDAY + minutes(500)
    done = fact("fulfilled", 100)
    told = (
        specify(RECORD)
        .given(heard(OPENED, 1))
        .when(check(1), check(2, late), record(done), check(4))
        .events()
    )
    assert told[0] == events.BreachWithdrawn(**IDENTITY, reason=CORRECTED, occurred_at=late)
    assert told[1].late is False


def test_a_check_of_an_earlier_fact_does_not_unsay_a_breach() -> None:
    contact = fact("contact_received", 20)
    told = (
        specify(RECORD)
        .given(heard(OPENED, 1))
        .when(check(1), check(2, MONDAY + minutes(500)), record(contact), check(4))
        .events()
    )
    assert kinds(told) == ["RecordChecked"]


def test_a_complete_outage_cancels_the_first_clock_and_starts_the_second() -> None:
    worse = fact("triaged", 20, complete_outage="true")
    both = (NOMINAL, OUTAGE)
    told = (
        specify(RECORD)
        .given(heard(OPENED, 1))
        .when(check(1, targets=both), record(worse), check(3, targets=both))
        .events()
    )
    assert kinds(told) == ["ClockCancelled", "ClockAttached", "RecordChecked"]
    assert told[1].due_at == MONDAY + minutes(50)


def test_clocks_of_an_agreement_that_no_longer_covers_the_record_are_cancelled() -> None:
    moved = fact("triaged", 20, service="Telephony")
    told = (
        specify(RECORD).given(heard(OPENED, 1)).when(check(1), record(moved), check(3, targets=())).events()
    )
    assert (kinds(told), told[0].reason) == (["ClockCancelled", "RecordChecked"], NO_LONGER_PROMISED)


def test_history_is_evaluated_at_its_own_times_and_marked() -> None:
    done = fact("fulfilled", 150)
    past = [heard(OPENED, 1, historic=True), heard(done, 2, historic=True)]
    told = specify(RECORD).given(*past).when(check(2)).events()
    assert all(event.historic for event in told)
    breach = next(event for event in told if isinstance(event, events.ClockBreached))
    assert breach.occurred_at == DUE


def test_several_targets_run_side_by_side() -> None:
    told = specify(RECORD).given(heard(OPENED, 1)).when(check(1, targets=(NOMINAL, CONTACT))).events()
    assert [event.target for event in told[:2]] == ["incident-nominal", "contact"]
    assert told[-1].next_at == MONDAY + minutes(5)


def test_a_threshold_under_a_new_version_of_the_target_is_told_again() -> None:
    given = specify(RECORD).given(heard(OPENED, 1)).when(check(1), check(2, MONDAY + minutes(60)))
    first = check(3, MONDAY + minutes(61))
    (promise,) = first.promises
    told = given.when(replace(first, promises=(replace(promise, version=2),))).events()
    assert [(e.threshold, e.target_version) for e in told if isinstance(e, events.ThresholdReached)] == [
        (50, 2)
    ]
