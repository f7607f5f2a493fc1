"""Business time: properties, a brute-force oracle, clock changes, nights, exceptions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sla.domain.business_time import Calendar, NeverOpen, round_the_clock
from services.sla.domain.hours import Exceptional, Holiday, Pattern, faults

ZONES = ("Europe/Amsterdam", "America/Los_Angeles", "Australia/Lord_Howe", "Africa/Cairo")
# Either side of a clock change in each zone, and one instant in the quiet of the year.
CHANGES = {
    "Europe/Amsterdam": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/Los_Angeles": ("2026-03-08T10:00", "2026-11-01T09:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),
    "Africa/Cairo": ("2026-04-23T22:00", "2026-10-29T21:00"),
}
HOURS = (
    "00:00-24:00",
    "08:00-12:00",
    "13:00-17:00",
    "22:00-06:00",
    "01:30-02:30",
    "23:15-00:45",
    "00:00-01:00",
)
WEEKS = st.tuples(*[st.lists(st.sampled_from(HOURS), max_size=2).map(tuple)] * 7).filter(any)


@st.composite
def calendars(draw: st.DrawFn) -> tuple[Calendar, datetime]:
    """A calendar, and an instant within three days of a change of its clock."""
    zone = draw(st.sampled_from(ZONES))
    change = datetime.fromisoformat(draw(st.sampled_from(CHANGES[zone]))).replace(tzinfo=UTC)
    day = change.date()
    off = draw(st.lists(st.integers(-2, 2), max_size=2, unique=True))
    shut = draw(st.lists(st.integers(-2, 2), max_size=1))
    pattern = Pattern(
        zone=zone,
        weekly=draw(WEEKS),
        holidays=tuple(Holiday(on=day + timedelta(days=n), name="holiday") for n in off),
        closures=tuple(
            Exceptional(first=day + timedelta(days=n), last=day + timedelta(days=n), reason="move")
            for n in shut
        ),
    )
    assert faults(pattern) == []
    return Calendar(pattern), change + timedelta(seconds=draw(st.integers(-3 * 86_400, 3 * 86_400)))


SPANS = st.integers(0, 4 * 86_400)


@settings(deadline=None)
@given(calendars(), SPANS, SPANS)
def test_business_time_splits_into_parts_that_add_up(
    drawn: tuple[Calendar, datetime], first: int, second: int
) -> None:
    calendar, a = drawn
    b = a + timedelta(seconds=first)
    c = b + timedelta(seconds=second)
    assert calendar.between(a, b) + calendar.between(b, c) == calendar.between(a, c)
    assert 0 <= calendar.between(a, b) <= first
    assert calendar.between(b, a) == -calendar.between(a, b)


@settings(deadline=None)
@given(calendars(), st.integers(1, 200_000))
def test_adding_undoes_measuring_and_lands_on_the_first_such_instant(
    drawn: tuple[Calendar, datetime], seconds: int
) -> None:
    calendar, start = drawn
    try:
        end = calendar.add(start, seconds)
    except NeverOpen:
        assert calendar.between(start, start + timedelta(days=3650)) == 0
        return
    assert calendar.between(start, end) == seconds
    assert calendar.between(start, end - timedelta(seconds=1)) == seconds - 1


@settings(deadline=None)
@given(calendars(), st.integers(0, 100_000), st.integers(0, 100_000))
def test_adding_in_two_steps_is_adding_at_once(
    drawn: tuple[Calendar, datetime], first: int, second: int
) -> None:
    calendar, start = drawn
    assert (
        calendar.add(calendar.add(start, first), second) == calendar.add(start, first + second) or second == 0
    )


@settings(deadline=None)
@given(calendars(), SPANS)
def test_the_explanation_covers_the_span_and_its_open_parts_sum_to_the_time(
    drawn: tuple[Calendar, datetime], seconds: int
) -> None:
    calendar, start = drawn
    end = start + timedelta(seconds=seconds)
    stretches = calendar.explain(start, end)
    assert sum(s.seconds for s in stretches) == seconds
    assert sum(s.seconds for s in stretches if s.open) == calendar.between(start, end)
    assert all(one.end == other.start for one, other in pairwise(stretches))
    open_seconds = sum(int((b - a).total_seconds()) for a, b in calendar.intervals(start, end))
    assert open_seconds == calendar.between(start, end)


@settings(max_examples=60, deadline=None)
@given(calendars())
def test_a_minute_by_minute_reading_of_the_wall_clock_agrees(drawn: tuple[Calendar, datetime]) -> None:
    calendar, start = drawn
    start = start.replace(second=0)
    zone = ZoneInfo(calendar.pattern.zone)
    minutes = [start + timedelta(minutes=n) for n in range(2 * 24 * 60)]
    oracle = sum(_open_on_the_wall(calendar.pattern, minute.astimezone(zone)) for minute in minutes)
    assert calendar.between(start, start + timedelta(days=2)) == oracle * 60


def _open_on_the_wall(pattern: Pattern, wall: datetime) -> bool:
    """The naive reading, written without any of the code under test."""
    closed = {c.first for c in pattern.closures}
    holidays = {h.on for h in pattern.holidays}
    today, yesterday = wall.date(), wall.date() - timedelta(days=1)
    if today in closed or today in holidays:
        return False
    reading = f"{wall:%H:%M}"
    for text in pattern.weekly[today.weekday()]:
        begins, ends = text.split("-")
        if begins <= reading and (reading < ends or ends < begins):
            return True
    overnight = [] if yesterday in holidays else [t.split("-") for t in pattern.weekly[yesterday.weekday()]]
    return any(ends < begins and reading < ends for begins, ends in overnight)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Amsterdam", date(2026, 3, 29), 23),
        ("Europe/Amsterdam", date(2026, 10, 25), 25),
        ("America/Los_Angeles", date(2026, 3, 8), 23),
        ("America/Los_Angeles", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Africa/Cairo", date(2026, 4, 24), 23),
        ("Africa/Cairo", date(2026, 10, 29), 25),
    ],
)
def test_the_day_of_a_clock_change_has_the_hours_it_really_has(zone: str, day: date, hours: float) -> None:
    weekly = tuple(("00:00-24:00",) if n == day.weekday() else () for n in range(7))
    calendar = Calendar(Pattern(zone=zone, weekly=weekly))
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    span = (noon - timedelta(days=2), noon + timedelta(days=2))
    assert calendar.between(*span) == hours * 3600
    assert len(calendar.intervals(*span)) == 1


def test_a_night_shift_over_the_change_to_summer_time_is_an_hour_short() -> None:
    calendar = Calendar(Pattern(zone="Europe/Amsterdam", weekly=((), (), (), (), (), ("22:00-06:00",), ())))
    start = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert calendar.between(start, start + timedelta(days=1)) == 7 * 3600


def test_the_lunch_break_does_not_count() -> None:
    calendar = Calendar(Pattern(zone="UTC", weekly=(("08:00-12:00", "13:00-17:00"),) * 7))
    assert calendar.add(datetime(2026, 5, 4, 11, tzinfo=UTC), 7200) == datetime(2026, 5, 4, 14, tzinfo=UTC)


def test_a_day_until_24_00_loses_no_minute() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert round_the_clock().between(start, start + timedelta(days=365)) == 365 * 86_400


def test_a_closure_outranks_extra_hours_and_these_outrank_a_holiday() -> None:
    day = date(2026, 12, 25)
    calendar = Calendar(
        Pattern(
            zone="UTC",
            weekly=(("08:00-17:00",),) * 7,
            holidays=(Holiday(on=day, name="Christmas Day"),),
            extra_hours=(Exceptional(first=day, last=day, reason="migration", hours=("10:00-16:00",)),),
            closures=(Exceptional(first=day, last=day, reason="power cut", hours=("12:00-13:00",)),),
        )
    )
    start = datetime(2026, 12, 25, tzinfo=UTC)
    told = [(s.start.hour, s.open, s.why) for s in calendar.explain(start, start + timedelta(days=1))]
    assert told == [
        (0, False, "Christmas Day"),
        (10, True, "migration"),
        (12, False, "power cut"),
        (13, True, "migration"),
        (16, False, "Christmas Day"),
    ]


def test_a_half_day_is_worked_in_its_own_hours() -> None:
    eve = Holiday(on=date(2026, 12, 24), name="Christmas Eve", hours=("08:00-12:00",))
    calendar = Calendar(Pattern(zone="UTC", weekly=(("08:00-17:00",),) * 7, holidays=(eve,)))
    start = datetime(2026, 12, 24, tzinfo=UTC)
    assert calendar.between(start, start + timedelta(days=1)) == 4 * 3600


def test_a_calendar_that_closes_for_good_says_so() -> None:
    shut = Exceptional(first=date(2026, 1, 1), last=date(2100, 1, 1), reason="dissolved")
    calendar = Calendar(Pattern(zone="UTC", weekly=(("08:00-17:00",),) * 7, closures=(shut,)))
    with pytest.raises(NeverOpen):
        calendar.add(datetime(2026, 1, 1, tzinfo=UTC), 60)


def test_a_wrong_calendar_is_told_what_is_wrong_with_it() -> None:
    pattern = Pattern(zone="Mars/Olympus", weekly=(("8-17",),) * 6)
    told = " ".join(faults(pattern))
    assert "Mars/Olympus" in told
    assert "seven days" in told
    assert "08:00-17:00" in told
