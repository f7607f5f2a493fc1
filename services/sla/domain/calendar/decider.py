"""A calendar's rules: drafts may be anything that works, published versions never change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from services.sla.domain.calendar import commands, events
from services.sla.domain.hours import Pattern, faults
from shared.eventsourcing.decider import Decider, NotFound, Rejected, Unprocessable


class UnknownCalendar(NotFound):
    """There is no such calendar."""


class CalendarExists(Rejected):
    """A calendar of this id was made before."""


class CalendarUnusable(Unprocessable):
    """The hours cannot be reckoned with."""


class NothingToPublish(Rejected):
    """Every draft is published already."""


class EffectiveTooEarly(Rejected):
    """A later version would silently change deadlines that have been told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The draft, if any, and how far publishing has come."""

    draft: events.CalendarDrafted | None = None
    version: int = 0
    effective_from: datetime | None = None


def decide(command: commands.Command, state: Calendar | None) -> Sequence[events.Event]:
    """Return what follows from the command, or raise what forbids it."""
    match command:
        case commands.DraftCalendar():
            return _draft(command, state)
        case commands.PublishCalendar():
            return _publish(command, state)
        case _:
            assert_never(command)


def evolve(state: Calendar | None, event: events.Event) -> Calendar:
    """Fold one event into what is known."""
    known = state or Calendar()
    match event:
        case events.CalendarDrafted():
            return replace(known, draft=event)
        case events.CalendarPublished():
            return Calendar(version=event.version, effective_from=event.effective_from)
        case _:
            assert_never(event)


def usable(pattern: Pattern) -> Pattern:
    """Return the pattern, or raise `CalendarUnusable` with everything that is wrong with it."""
    wrong = faults(pattern)
    if wrong:
        raise CalendarUnusable("; ".join(wrong), remedy="correct the hours", field="/hours")
    return pattern


def with_holidays(pattern: Pattern, command: commands.PublishCalendar) -> Pattern:
    """Return the pattern with the resolved dates; a date that the calendar names itself keeps its own."""
    own = {holiday.on for holiday in pattern.holidays}
    added = [holiday for holiday in command.resolved if holiday.on not in own]
    return replace(pattern, holidays=tuple(sorted((*pattern.holidays, *added), key=lambda h: h.on)))


def _draft(command: commands.DraftCalendar, state: Calendar | None) -> list[events.Event]:
    if command.new and state is not None:
        raise CalendarExists("this calendar exists", remedy="draft its next version: POST .../drafts")
    if not command.name.strip():
        raise CalendarUnusable("a calendar has a name", remedy="name it", field="/name")
    return [
        events.CalendarDrafted(
            name=command.name,
            pattern=usable(command.pattern),
            holiday_source=command.holiday_source,
            maintenance=command.maintenance,
            occurred_at=command.drafted_at,
        )
    ]


def _publish(command: commands.PublishCalendar, state: Calendar | None) -> list[events.Event]:
    if state is None:
        raise UnknownCalendar("there is no such calendar", remedy="draft it first: POST /v1/calendars")
    if state.draft is None:
        raise NothingToPublish(f"version {state.version} is the latest", remedy="draft the next one")
    if state.effective_from is not None and command.effective_from < max(
        command.published_at, state.effective_from
    ):
        raise EffectiveTooEarly(
            f"version {state.version} already counts; what it promised stands",
            remedy="let the next version take effect from now on or later",
            field="/effective_from",
        )
    draft = state.draft
    return [
        events.CalendarPublished(
            version=state.version + 1,
            name=draft.name,
            pattern=usable(with_holidays(draft.pattern, command)),
            holiday_source=draft.holiday_source,
            maintenance=draft.maintenance,
            effective_from=command.effective_from,
            zone_release=command.zone_release,
            occurred_at=command.published_at,
        )
    ]


CALENDAR: Decider[commands.Command, Calendar | None, events.Event] = Decider(
    stream="calendar", initial=None, decide=decide, evolve=evolve
)
