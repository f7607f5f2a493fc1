"""What may be asked of a calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.sla.domain.calendar.events import HolidaySource, Maintenance
from services.sla.domain.hours import Holiday, Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftCalendar:
    """Write down the next version; a draft replaces the draft before it. `new`: there is none yet."""

    name: str
    pattern: Pattern
    holiday_source: HolidaySource
    maintenance: tuple[Maintenance, ...]
    drafted_at: datetime
    new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishCalendar:
    """Make the draft count from `effective_from` on.

    `resolved` are the dates of the draft's holiday source, looked up by the caller; the draft's own dates win
    over them. `zone_release` names the time zone database in use.
    """

    effective_from: datetime
    resolved: tuple[Holiday, ...]
    zone_release: str
    published_at: datetime


Command = DraftCalendar | PublishCalendar
