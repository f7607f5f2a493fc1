"""What a calendar says of one local date: which hours are open, and why or why not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = 86_400
MINUTE = 60
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SATURDAY, SUNDAY = 5, 6
Week = tuple[tuple[str, ...], ...]
"""Seven tuples of hours written "08:00-17:00", Monday first; "22:00-06:00" runs into the next day."""

_HOURS = re.compile(r"^([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)$")
_MONTH_DAY = re.compile(r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """Weekly hours that replace the regular ones for a while, both end dates included.

    Either two dates (`first`, `last`), or a yearly rule of two days (`first_day`, `last_day`, "04-07") whose
    ends move to the closest weekday when `closest_weekdays`: a Saturday to Friday, a Sunday to Monday. A rule
    whose last day comes before its first one ends in the following year.
    """

    name: str
    weekly: Week
    first: date | None = None
    last: date | None = None
    first_day: str = ""
    last_day: str = ""
    closest_weekdays: bool = False

    def dates(self, year: int) -> tuple[date, date]:
        """Return the season that begins in `year` (or its fixed dates, whatever the year)."""
        if self.first is not None and self.last is not None:
            return self.first, self.last
        first, last = _in_year(self.first_day, year), _in_year(self.last_day, year)
        if last < first:
            last = _in_year(self.last_day, year + 1)
        return (_closest_weekday(first), _closest_weekday(last)) if self.closest_weekdays else (first, last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """A date off from midnight to midnight; `hours` says which are worked all the same (a half day)."""

    on: date
    name: str
    hours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exceptional:
    """Dates, both included, that the week does not foresee: extra hours, or hours closed (none: all day)."""

    first: date
    last: date
    reason: str
    hours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A calendar version as it is stored: closures > extra hours > holidays > seasons > weekly."""

    zone: str
    weekly: Week
    seasons: tuple[Season, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    extra_hours: tuple[Exceptional, ...] = ()
    closures: tuple[Exceptional, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a local day in wall-clock seconds after midnight: open or closed, and why."""

    start: int
    end: int
    open: bool
    why: str


ROUND_THE_CLOCK = Pattern(zone="UTC", weekly=(("00:00-24:00",),) * 7)


def parse_hours(text: str) -> tuple[int, int]:
    """Seconds after midnight of "HH:MM-HH:MM"; the end exceeds a day when the hours run past midnight."""
    found = _HOURS.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not hours such as 08:00-17:00 or 22:00-06:00")
    h1, m1, h2, m2 = (int(part) for part in found.groups())
    start, end = (h1 * 60 + m1) * MINUTE, (h2 * 60 + m2) * MINUTE
    if start >= DAY or end > DAY or start == end:
        raise ValueError(f"{text!r} is no span of hours; a whole day is 00:00-24:00")
    return start, end if end > start else end + DAY


def faults(pattern: Pattern) -> list[str]:
    """Say what is wrong with a pattern, in words; empty when it can be used."""
    found: list[str] = []
    try:
        ZoneInfo(pattern.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        found.append(f"{pattern.zone!r} is not a zone of the IANA time zone database")
    for where, week in [("weekly", pattern.weekly), *((s.name, s.weekly) for s in pattern.seasons)]:
        if len(week) != len(WEEKDAYS):
            found.append(f"{where}: a week has seven days, not {len(week)}")
        found += [f"{where}: {fault}" for day in week for fault in _hour_faults(day)]
    for season in pattern.seasons:
        found += _season_faults(season)
    for holiday in pattern.holidays:
        found += [f"{holiday.name}: {fault}" for fault in _hour_faults(holiday.hours)]
    for dates in (*pattern.extra_hours, *pattern.closures):
        if dates.last < dates.first:
            found.append(f"{dates.reason}: the last date lies before the first")
        found += [f"{dates.reason}: {fault}" for fault in _hour_faults(dates.hours)]
    found += [
        f"{extra.reason}: extra hours name their hours" for extra in pattern.extra_hours if not extra.hours
    ]
    return found


class LocalDays:
    """Answers for each local date of a pattern; a night shift belongs to the day on which it starts.

    A holiday closes its own date from midnight to midnight, the rest of the night before included.
    """

    def __init__(self, pattern: Pattern) -> None:
        self._pattern = pattern
        self._holidays = {holiday.on: holiday for holiday in pattern.holidays}
        self._seasons: dict[int, list[tuple[date, date, Season]]] = {}
        self._exceptional: dict[int, list[tuple[Exceptional, bool]]] = {}

    def pieces(self, day: date) -> tuple[Piece, ...]:
        """Tell the whole date in order, without gaps or overlaps."""
        holiday = self._holidays.get(day)
        closed = holiday.name if holiday else "outside hours"
        layers = [Piece(0, DAY, False, closed)]
        layers += _on_the_day(self._shifts(day))
        if holiday is None:
            layers += _after_midnight(self._shifts(day - timedelta(days=1)))
        for dates, opened in self._exceptional_near(day.year):
            layers += _exceptional(dates, day, opened=opened)
        return _uppermost(layers)

    def is_business_day(self, day: date) -> bool:
        """Tell whether it is a day of the regular week with open hours (a season's Saturday is not)."""
        return bool(self._pattern.weekly[day.weekday()]) and any(piece.open for piece in self.pieces(day))

    def _shifts(self, day: date) -> list[Piece]:
        holiday = self._holidays.get(day)
        if holiday is not None:
            return _open(holiday.hours, holiday.name)
        for first, last, season in self._seasons_near(day.year):
            if first <= day <= last:
                return _open(season.weekly[day.weekday()], season.name)
        return _open(self._pattern.weekly[day.weekday()], "regular hours")

    def _exceptional_near(self, year: int) -> list[tuple[Exceptional, bool]]:
        """Return the extra hours and then the closures that may touch a date of the year."""
        if year not in self._exceptional:
            extra = [(dates, True) for dates in self._pattern.extra_hours]
            closed = [(dates, False) for dates in self._pattern.closures]
            self._exceptional[year] = [
                (dates, opened)
                for dates, opened in (*extra, *closed)
                # A night shift of 31 December runs into the new year.
                if dates.first.year <= year <= (dates.last + timedelta(days=1)).year
            ]
        return self._exceptional[year]

    def _seasons_near(self, year: int) -> list[tuple[date, date, Season]]:
        if year not in self._seasons:
            self._seasons[year] = [
                (*season.dates(begins), season)
                for season in self._pattern.seasons
                for begins in ((year,) if season.first else (year - 1, year))
            ]
        return self._seasons[year]


def _open(hours: Sequence[str], why: str) -> list[Piece]:
    return [Piece(*parse_hours(text), True, why) for text in hours]


def _on_the_day(shifts: list[Piece]) -> list[Piece]:
    return [Piece(s.start, min(s.end, DAY), s.open, s.why) for s in shifts]


def _after_midnight(shifts: list[Piece]) -> list[Piece]:
    return [Piece(0, s.end - DAY, s.open, s.why) for s in shifts if s.end > DAY]


def _exceptional(dates: Exceptional, day: date, *, opened: bool) -> list[Piece]:
    before = day - timedelta(days=1)
    if day < dates.first or dates.last < before:
        return []
    hours = [Piece(*parse_hours(text), opened, dates.reason) for text in dates.hours or ("00:00-24:00",)]
    layers = _on_the_day(hours) if day <= dates.last else []
    return layers + (_after_midnight(hours) if dates.first <= before <= dates.last else [])


def _uppermost(layers: list[Piece]) -> tuple[Piece, ...]:
    cuts = sorted({edge for layer in layers for edge in (layer.start, layer.end)})
    found: list[Piece] = []
    for start, end in pairwise(cuts):
        top = next(layer for layer in reversed(layers) if layer.start <= start and end <= layer.end)
        if found and (found[-1].open, found[-1].why) == (top.open, top.why):
            found[-1] = Piece(found[-1].start, end, top.open, top.why)
        else:
            found.append(Piece(start, end, top.open, top.why))
    return tuple(found)


def _in_year(month_day: str, year: int) -> date:
    month, day = (int(part) for part in month_day.split("-"))
    if (month, day) == (2, 29) and not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
        return date(year, 2, 28)
    return date(year, month, day)


def _closest_weekday(day: date) -> date:
    return day + timedelta(days={SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0))


def _hour_faults(hours: Sequence[str]) -> list[str]:
    found = []
    for text in hours:
        try:
            parse_hours(text)
        except ValueError as fault:
            found.append(str(fault))
    return found


def _season_faults(season: Season) -> list[str]:
    if season.first is not None or season.last is not None:
        if season.first is None or season.last is None or season.first_day or season.last_day:
            return [f"{season.name}: a season has two dates or two yearly days"]
        return [f"{season.name}: the last date lies before the first"] if season.last < season.first else []
    for text in (season.first_day, season.last_day):
        if not _MONTH_DAY.match(text):
            return [f"{season.name}: {text!r} is not a yearly day such as 04-07"]
        try:
            _in_year(text, 2024)
        except ValueError:
            return [f"{season.name}: there is no {text}"]
    return []
