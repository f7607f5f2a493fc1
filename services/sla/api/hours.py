"""Hours as they are written in requests, and holidays looked up while they are taken in."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from pydantic import Field, model_validator

from services.sla.domain.calendar.decider import CalendarUnusable
from services.sla.domain.calendar.events import HolidaySource
from services.sla.domain.hours import WEEKDAYS, Exceptional, Holiday, Pattern, Season, Week
from shared.http.validation import Body

Hours = Annotated[str, Field(pattern=r"^\d\d:\d\d-\d\d:\d\d$", examples=["08:00-17:00", "22:00-06:00"])]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Day = Annotated[tuple[Hours, ...], Field(max_length=24)]
YearDay = Annotated[str, Field(pattern=r"^(\d\d-\d\d)?$", examples=["04-07"])]
_YEARS = 60


class WeekBody(Body):
    """The hours of each weekday; a day left out is closed."""

    mon: Day = ()
    tue: Day = ()
    wed: Day = ()
    thu: Day = ()
    fri: Day = ()
    sat: Day = ()
    sun: Day = ()

    def week(self) -> Week:
        return tuple(getattr(self, day) for day in WEEKDAYS)


class SeasonBody(Body):
    """Other weekly hours between two dates, or every year between two days."""

    name: Name
    weekly: WeekBody
    first: date | None = None
    last: date | None = None
    first_day: YearDay = ""
    last_day: YearDay = ""
    closest_weekdays: bool = Field(
        default=False, description="a first or last day on a Saturday moves to Friday, on a Sunday to Monday"
    )


class HolidaysBody(Body):
    """Whose holidays are kept: a financial market (XFED is the Federal Reserve) or a country."""

    market: str = ""
    country: str = ""
    subdivision: str = ""
    first_year: int = Field(ge=1970, le=2100)
    last_year: int = Field(ge=1970, le=2100)

    @model_validator(mode="after")
    def _one_source(self) -> HolidaysBody:
        if bool(self.market) == bool(self.country):
            raise ValueError("name either a market or a country")
        if not 0 <= self.last_year - self.first_year <= _YEARS:
            raise ValueError(f"the years run forwards, {_YEARS} at most")
        return self

    def source(self) -> HolidaySource:
        return HolidaySource(**self.model_dump())


class HolidayBody(Body):
    """A day off of one's own; `hours` makes it a half day."""

    on: date
    name: Name
    hours: Day = ()


class DatesBody(Body):
    """Extra hours on some dates, or dates (or hours of them) on which everything is closed."""

    first: date
    last: date
    reason: Name
    hours: Day = ()


class HoursBody(Body):
    """Everything that makes a calendar: closures > extra hours > holidays > seasons > weekly."""

    zone: str = Field(description="IANA time zone", examples=["America/Los_Angeles"])
    weekly: WeekBody
    seasons: list[SeasonBody] = Field(default=[], max_length=50)
    holidays: HolidaysBody | None = None
    days_off: list[HolidayBody] = Field(default=[], max_length=1000)
    extra_hours: list[DatesBody] = Field(default=[], max_length=1000)
    closures: list[DatesBody] = Field(default=[], max_length=1000)

    def pattern(self) -> Pattern:
        """Return the hours without the holidays that are still to be looked up."""
        return Pattern(
            zone=self.zone,
            weekly=self.weekly.week(),
            seasons=tuple(_season(season) for season in self.seasons),
            holidays=tuple(Holiday(on=d.on, name=d.name, hours=d.hours) for d in self.days_off),
            extra_hours=tuple(_dates(each) for each in self.extra_hours),
            closures=tuple(_dates(each) for each in self.closures),
        )

    def source(self) -> HolidaySource:
        """Return whose holidays are kept; nobody's when none are named."""
        return self.holidays.source() if self.holidays is not None else HolidaySource()


def resolve(source: HolidaySource) -> tuple[Holiday, ...]:
    """Look up a source's dates; raises `CalendarUnusable` for a market or country nobody knows."""
    import holidays as holiday_calendars  # its calendars of the world take a fifth of the start to load

    years = range(source.first_year, source.last_year + 1)
    try:
        if source.market:
            found: Any = holiday_calendars.financial_holidays(source.market, years=years)
        elif source.country:
            found = holiday_calendars.country_holidays(
                source.country, subdiv=source.subdivision or None, years=years
            )
        else:
            return ()
    except NotImplementedError as unknown:
        raise CalendarUnusable(
            f"no holidays are known for {source.market or source.country} {source.subdivision}".rstrip(),
            remedy="name a market such as XFED, or an ISO 3166 country and subdivision",
            field="/hours/holidays",
        ) from unknown
    return tuple(Holiday(on=on, name=name) for on, name in sorted(found.items()))


def _season(season: SeasonBody) -> Season:
    return Season(
        name=season.name,
        weekly=season.weekly.week(),
        first=season.first,
        last=season.last,
        first_day=season.first_day,
        last_day=season.last_day,
        closest_weekdays=season.closest_weekdays,
    )


def _dates(dates: DatesBody) -> Exceptional:
    return Exceptional(first=dates.first, last=dates.last, reason=dates.reason, hours=dates.hours)
