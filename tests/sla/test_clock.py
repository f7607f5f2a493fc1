"""A clock worked out from facts: pauses, stops, reopening, changes, explanation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from services.sla.domain.business_time import Calendar
from services.sla.domain.clock import Reading, due_after_pause, evaluate, explain
from services.sla.domain.lifecycle import ClockState
from services.sla.domain.target import Condition, Fact, Limit, OnChange, Target
from tests.sla.builders import (
    ALWAYS,
    CALENDAR_ID,
    CONTACT,
    MONDAY,
    NOMINAL,
    OUTAGE,
    fact,
    minutes,
    submitted,
)
from tests.sla.woodgrove import regular_hours

PACIFIC = ZoneInfo("America/Los_Angeles")
OFFICE = Calendar(regular_hours())
# Friday 15 May 2026, 16:00 at Woodgrove: an hour before the office closes for the weekend.
FRIDAY = datetime(2026, 5, 15, 16, tzinfo=PACIFIC).astimezone(UTC)


def read(
    target: Target, *facts: Fact, after: float = 0, calendar: Calendar = ALWAYS, start: datetime = MONDAY
) -> Reading:
    (reading,) = evaluate(target, calendar, facts, start + minutes(after))
    return reading


def test_a_clock_runs_from_the_submission() -> None:
    reading = read(NOMINAL, submitted(), after=30)
    assert (reading.state, reading.elapsed, reading.remaining) == (ClockState.RUNNING, 1800, 5400)
    assert reading.due_at == MONDAY + minutes(120)
    assert reading.next_at == MONDAY + minutes(60)


def test_only_a_hold_for_the_requester_pauses_the_customers_clock() -> None:
    for reason, elapsed in (("requester", 10), ("supplier", 40), ("problem", 40), ("evidence", 40)):
        reading = read(NOMINAL, submitted(), fact("held", 10, reason=reason), after=40)
        assert reading.elapsed == elapsed * 60


def test_a_hold_that_changes_from_the_requester_to_the_supplier_runs_on() -> None:
    facts = [submitted(), fact("held", 10, reason="requester"), fact("held", 20, reason="supplier")]
    assert read(NOMINAL, *facts, after=30).elapsed == 20 * 60


def test_a_pause_moves_the_deadline_by_its_length() -> None:
    facts = [submitted(), fact("held", 10, reason="requester"), fact("resumed", 70)]
    assert read(NOMINAL, *facts, after=80).due_at == MONDAY + minutes(180)


def test_a_paused_clock_has_no_deadline_and_nothing_ahead() -> None:
    reading = read(NOMINAL, submitted(), fact("held", 10, reason="requester"), after=900)
    assert (reading.due_at, reading.next_at, reading.breached_at) == (None, None, None)


def test_a_record_fulfilled_while_on_hold_is_met_with_the_time_before_the_hold() -> None:
    reading = read(
        NOMINAL, submitted(), fact("held", 10, reason="requester"), fact("fulfilled", 999), after=999
    )
    assert (reading.state, reading.elapsed, reading.breached_at) == (ClockState.MET, 600, None)


def test_a_pause_over_a_closed_weekend_changes_nothing() -> None:
    opened = submitted()
    opened = replace(opened, occurred_at=FRIDAY)
    held = fact("held", 90, start=FRIDAY, reason="requester")
    resumed = fact("resumed", 60 * 24 * 2, start=FRIDAY)
    with_pause = read(NOMINAL, opened, held, resumed, after=60 * 64.5, calendar=OFFICE, start=FRIDAY)
    without = read(NOMINAL, opened, after=60 * 64.5, calendar=OFFICE, start=FRIDAY)
    assert with_pause.due_at == without.due_at == datetime(2026, 5, 18, 9, tzinfo=PACIFIC)
    assert with_pause.elapsed == without.elapsed


def test_under_two_hours_is_missed_at_two_hours_and_within_two_hours_is_kept() -> None:
    facts = [submitted(), fact("fulfilled", 120)]
    assert read(NOMINAL, *facts, after=200).breached_at == MONDAY + minutes(120)
    assert read(replace(NOMINAL, limit=Limit.WITHIN), *facts, after=200).breached_at is None


def test_the_breach_lies_at_the_due_instant_however_late_it_is_seen() -> None:
    reading = read(OUTAGE, submitted(complete_outage="true"), after=60 * 24 * 9)
    assert reading.breached_at == MONDAY + minutes(30)
    assert [(mark.threshold, mark.at - MONDAY) for mark in reading.reached] == [
        (50, minutes(15)),
        (75, minutes(22.5)),
        (90, minutes(27)),
        (100, minutes(30)),
    ]


def test_a_reopened_record_runs_on_without_the_time_it_was_done() -> None:
    facts = [submitted(), fact("fulfilled", 60), fact("reopened", 600)]
    reading = read(NOMINAL, *facts, after=610)
    assert (reading.state, reading.elapsed) == (ClockState.RUNNING, 70 * 60)
    assert reading.due_at == MONDAY + minutes(660)


def test_a_nominal_incident_that_becomes_a_complete_outage_starts_the_second_clock_then() -> None:
    facts = [submitted(), fact("triaged", 20, complete_outage="true")]
    first, second = read(NOMINAL, *facts, after=25), read(OUTAGE, *facts, after=25)
    assert (first.state, first.ended_at) == (ClockState.CANCELLED, MONDAY + minutes(20))
    assert (second.started_at, second.due_at) == (MONDAY + minutes(20), MONDAY + minutes(50))


def test_a_downgrade_keeps_the_start_and_the_pauses() -> None:
    facts = [
        submitted(complete_outage="true"),
        fact("held", 5, reason="requester"),
        fact("resumed", 15),
        fact("triaged", 20, complete_outage="false"),
    ]
    reading = read(NOMINAL, *facts, after=30)
    assert (reading.started_at, reading.elapsed) == (MONDAY, 20 * 60)
    restarted = read(replace(NOMINAL, on_change=OnChange.RESTART), *facts, after=30)
    assert (restarted.started_at, restarted.elapsed) == (MONDAY + minutes(20), 10 * 60)


def test_every_contact_has_its_own_ten_minutes_and_only_a_person_answers() -> None:
    facts = [
        submitted(),
        fact("responded", 1, human="false"),
        fact("contact_received", 5),
        fact("responded", 12, human="true"),
    ]
    first, second = evaluate(CONTACT, ALWAYS, facts, MONDAY + minutes(30))
    assert (first.state, first.elapsed, first.breached_at) == (
        ClockState.MET,
        720,
        MONDAY + minutes(10),
    )
    assert (second.state, second.elapsed, second.breached_at) == (ClockState.MET, 420, None)


def test_a_withdrawn_request_cancels_its_clock() -> None:
    reading = read(NOMINAL, submitted(), fact("withdrawn", 10), after=60)
    assert (reading.state, reading.reason, reading.due_at) == (
        ClockState.CANCELLED,
        "request.withdrawn",
        MONDAY + minutes(120),
    )


def test_the_answer_to_a_normal_change_is_due_five_business_days_after_the_board_meets() -> None:
    answer = Target(
        name="change-normal",
        words="five business days of the next CAB meeting",
        start=(Condition(fact="rfc.submitted"),),
        stop=(Condition(fact="rfc.approved"), Condition(fact="rfc.rejected")),
        business_days=5,
        anchor="next_board_at",
        calendar_id=CALENDAR_ID,
        pause=(),
    )
    board = datetime(2026, 6, 17, 10, tzinfo=PACIFIC)
    asked = datetime(2026, 6, 11, 9, tzinfo=PACIFIC).astimezone(UTC)
    told = fact("rfc.submitted", start=asked, next_board_at=board.isoformat())
    reading = read(answer, told, after=60, calendar=OFFICE, start=asked)
    assert reading.due_at == datetime(2026, 6, 25, 17, tzinfo=PACIFIC)
    assert evaluate(answer, OFFICE, [fact("rfc.submitted", start=asked)], asked) == ()


def test_the_explanation_names_every_interval_and_sums_to_the_elapsed_time() -> None:
    opened = replace(submitted(), occurred_at=FRIDAY)
    facts = [
        opened,
        fact("held", 30, start=FRIDAY, reason="requester"),
        fact("resumed", 45, start=FRIDAY),
        fact("fulfilled", 60 * 64.5, start=FRIDAY),
        fact("reopened", 60 * 65, start=FRIDAY),
    ]
    now = FRIDAY + minutes(60 * 66)
    (reading,) = evaluate(NOMINAL, OFFICE, facts, now)
    told = [(part.kind, part.seconds // 60, part.why) for part in explain(reading, OFFICE, now)]
    assert told == [
        ("running", 30, "regular hours"),
        ("paused", 15, "request.held (requester)"),
        ("running", 15, "regular hours"),
        ("closed", 63 * 60, "outside hours"),
        ("running", 30, "regular hours"),
        ("stopped", 30, "stopped"),
        ("running", 60, "regular hours"),
    ]
    assert reading.elapsed == (30 + 15 + 30 + 60) * 60


def test_the_deadline_after_an_hours_pause_is_told_without_pausing() -> None:
    reading = read(NOMINAL, submitted(), after=30)
    assert due_after_pause(reading, ALWAYS, MONDAY + minutes(90)) == MONDAY + minutes(180)


HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(("held", "resumed", "fulfilled", "reopened", "triaged", "withdrawn")),
        st.integers(0, 60 * 24 * 10),
        st.sampled_from(("requester", "supplier")),
        st.sampled_from(("true", "false")),
    ),
    max_size=8,
)


@settings(deadline=None)
@given(HAPPENINGS, st.integers(0, 60 * 24 * 12), st.sampled_from((NOMINAL, OUTAGE)))
def test_whatever_happens_the_intervals_sum_to_the_time_and_no_breach_falls_into_a_pause(
    happenings: list[tuple[str, int, str, str]], after: int, target: Target
) -> None:
    facts = [submitted()]
    for kind, at, reason, outage in happenings:
        told = {"reason": reason} if kind == "held" else {"complete_outage": outage}
        facts.append(fact(kind, at, **(told if kind in ("held", "triaged") else {})))
    now = MONDAY + minutes(after)
    for reading in evaluate(target, OFFICE, facts, now):
        parts = explain(reading, OFFICE, now)
        assert sum(part.seconds for part in parts if part.kind == "running") == reading.elapsed
        assert all(one.end == other.start for one, other in pairwise(parts))
        instants = [mark.at for mark in reading.reached]
        assert instants == sorted(instants)
        assert reading.next_at is None or reading.next_at > now
        if reading.breached_at is not None:
            breach = reading.breached_at
            assert not any(p.kind == "paused" and p.start < breach < p.end for p in parts)
            assert reading.elapsed >= reading.limit


@settings(deadline=None)
@given(HAPPENINGS)
def test_the_order_in_which_facts_are_heard_does_not_matter(
    happenings: list[tuple[str, int, str, str]],
) -> None:
    spread = {at: (kind, reason) for kind, at, reason, _ in happenings}
    facts = [submitted()]
    facts += [
        fact(kind, at + 1, **({"reason": reason} if kind == "held" else {}))
        for at, (kind, reason) in spread.items()
    ]
    now = MONDAY + timedelta(days=12)
    assert evaluate(NOMINAL, OFFICE, facts, now) == evaluate(NOMINAL, OFFICE, facts[::-1], now)
