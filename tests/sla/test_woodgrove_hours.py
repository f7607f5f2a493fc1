"""Woodgrove Bank's agreed hours in 2026, and the season of other years."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from time import perf_counter
from zoneinfo import ZoneInfo

from services.sla.domain.business_time import Calendar
from tests.sla.woodgrove import regular_hours

PACIFIC = ZoneInfo("America/Los_Angeles")
HOURS = Calendar(regular_hours(2007, 2031))


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=PACIFIC)


def test_the_first_half_of_2026_has_1159_agreed_hours() -> None:
    assert HOURS.between(at(2026, 1, 1), at(2026, 7, 1)) == 1159 * 3600


def test_the_first_half_of_2026_has_4343_hours_on_the_clock() -> None:
    assert at(2026, 7, 1).astimezone(UTC) - at(2026, 1, 1).astimezone(UTC) == timedelta(hours=4343)


def test_the_tax_season_of_2026_runs_from_tuesday_7_to_tuesday_21_april_with_two_saturdays() -> None:
    stretches = HOURS.explain(at(2026, 4, 1), at(2026, 5, 1))
    season = [s.start.astimezone(PACIFIC) for s in stretches if s.open and s.why == "tax season"]
    assert (season[0].date(), season[-1].date()) == (date(2026, 4, 7), date(2026, 4, 21))
    assert [day.day for day in season if day.weekday() == 5] == [11, 18]


def test_the_tax_season_of_2029_moves_from_saturdays_to_fridays() -> None:
    (season,) = HOURS.pattern.seasons
    assert season.dates(2029) == (date(2029, 4, 6), date(2029, 4, 20))


def test_a_sunday_moves_to_the_monday_after() -> None:
    (season,) = HOURS.pattern.seasons
    assert season.dates(2030) == (date(2030, 4, 8), date(2030, 4, 22))


def test_friday_3_july_2026_is_an_ordinary_working_day() -> None:
    assert HOURS.between(at(2026, 7, 3), at(2026, 7, 4)) == 9 * 3600


def test_the_board_of_wednesday_17_june_answers_by_thursday_25_june() -> None:
    # Juneteenth, Friday 19 June, is a bank holiday and the weekend follows.
    assert HOURS.end_of_business_day(at(2026, 6, 17, 10), 5) == at(2026, 6, 25, 17)


def test_a_seasons_saturday_is_no_business_day() -> None:
    assert HOURS.end_of_business_day(at(2026, 4, 10, 10), 1) == at(2026, 4, 13, 19)


def test_two_hours_from_half_past_four_on_friday_end_on_monday() -> None:
    assert HOURS.add(at(2026, 5, 15, 16, 30), 7200) == at(2026, 5, 18, 9, 30)


def test_twelve_thousand_records_with_four_clocks_take_seconds() -> None:
    calendar = Calendar(regular_hours(2015, 2017))
    opened = at(2016, 2, 29)
    began = perf_counter()
    for number in range(48_000):
        start = opened + timedelta(minutes=number)
        due = calendar.add(start, 7200)
        calendar.between(start, due + timedelta(days=40))
    assert perf_counter() - began < 5
