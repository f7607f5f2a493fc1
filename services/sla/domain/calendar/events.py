"""What happened to a calendar; stored for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.sla.domain.hours import Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class HolidaySource:
    """Whose holidays are kept: a financial market such as XFED, or a country and perhaps its subdivision."""

    market: str = ""
    country: str = ""
    subdivision: str = ""
    first_year: int = 0
    last_year: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """Hours reserved for maintenance. `rule` is an RFC 5545 recurrence of the local date."""

    words: str
    rule: str
    hours: str
    notice_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarDrafted:
    """The next version has been written down."""

    name: str
    pattern: Pattern
    holiday_source: HolidaySource
    maintenance: tuple[Maintenance, ...]
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPublished:
    """A version counts from `effective_from` on; it holds its holidays as dates and never changes."""

    version: int
    name: str
    pattern: Pattern
    holiday_source: HolidaySource
    maintenance: tuple[Maintenance, ...]
    effective_from: datetime
    zone_release: str
    occurred_at: datetime
    historic: bool = False


Event = CalendarDrafted | CalendarPublished
