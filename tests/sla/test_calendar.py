"""A calendar's versions, told as given, when, then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from services.sla.domain.calendar import commands, events
from services.sla.domain.calendar.decider import (
    CALENDAR,
    CalendarExists,
    CalendarUnusable,
    EffectiveTooEarly,
    NothingToPublish,
    UnknownCalendar,
)
from services.sla.domain.hours import Holiday, Pattern
from tests.sla.woodgrove import MONDAY_TO_FRIDAY
from tests.support.specification import specify

NOW = datetime(2026, 5, 17, 9, tzinfo=UTC)
PATTERN = Pattern(
    zone="America/Los_Angeles",
    weekly=MONDAY_TO_FRIDAY,
    holidays=(Holiday(on=date(2026, 12, 25), name="Closed early", hours=("08:00-12:00",)),),
)
SOURCE = events.HolidaySource(market="XFED", first_year=2026, last_year=2026)
DRAFT = commands.DraftCalendar(
    name="Woodgrove regular hours",
    pattern=PATTERN,
    holiday_source=SOURCE,
    maintenance=(),
    drafted_at=NOW,
)
DRAFTED = events.CalendarDrafted(
    name=DRAFT.name, pattern=PATTERN, holiday_source=SOURCE, maintenance=(), occurred_at=NOW
)
JULY = Holiday(on=date(2026, 7, 4), name="Independence Day")
PUBLISH = commands.PublishCalendar(
    effective_from=datetime(2007, 5, 17, tzinfo=UTC),
    resolved=(JULY, Holiday(on=date(2026, 12, 25), name="Christmas Day")),
    zone_release="2026.1",
    published_at=NOW,
)
PUBLISHED = events.CalendarPublished(
    version=1,
    name=DRAFT.name,
    pattern=replace(PATTERN, holidays=(JULY, *PATTERN.holidays)),
    holiday_source=SOURCE,
    maintenance=(),
    effective_from=PUBLISH.effective_from,
    zone_release="2026.1",
    occurred_at=NOW,
)


def test_a_published_version_holds_its_holidays_as_dates_and_the_calendars_own_win() -> None:
    specify(CALENDAR).when(DRAFT).then(DRAFTED)
    specify(CALENDAR).given(DRAFTED).when(PUBLISH).then(PUBLISHED)


def test_a_calendar_is_made_once() -> None:
    specify(CALENDAR).given(DRAFTED).when(replace(DRAFT, new=True)).then_rejected(CalendarExists)


def test_a_version_is_published_once() -> None:
    specify(CALENDAR).given(DRAFTED, PUBLISHED).when(PUBLISH).then_rejected(NothingToPublish)


def test_a_later_version_does_not_change_what_was_told_before() -> None:
    given = specify(CALENDAR).given(DRAFTED, PUBLISHED, DRAFTED)
    given.when(PUBLISH).then_rejected(EffectiveTooEarly, "/effective_from")
    later = replace(PUBLISH, effective_from=NOW + timedelta(days=1))
    given.when(later).then(replace(PUBLISHED, version=2, effective_from=later.effective_from))


def test_a_calendar_that_was_never_drafted_cannot_be_published() -> None:
    specify(CALENDAR).when(PUBLISH).then_rejected(UnknownCalendar)


def test_hours_that_cannot_be_reckoned_with_are_refused() -> None:
    wrong = replace(DRAFT, pattern=replace(PATTERN, zone="Mars/Olympus"))
    specify(CALENDAR).when(wrong).then_rejected(CalendarUnusable, "/hours")
    specify(CALENDAR).when(replace(DRAFT, name=" ")).then_rejected(CalendarUnusable, "/name")
