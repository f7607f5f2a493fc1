"""Calendars: drafted, published in versions, and tried without storing anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version as installed
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, Field, model_validator

from services.sla.api.history import current, history
from services.sla.api.hours import Hours, HoursBody, Name, resolve
from services.sla.domain.business_time import Calendar, NeverOpen
from services.sla.domain.calendar import commands
from services.sla.domain.calendar.decider import (
    CALENDAR,
    CalendarUnusable,
    UnknownCalendar,
    usable,
)
from services.sla.domain.calendar.events import Maintenance
from services.sla.projections import calendars
from services.sla.projections.promises import Promises
from shared.eventsourcing.log import Step
from shared.http.answers import answer
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller, Key, Match
from shared.http.paging import PageQuery
from shared.http.validation import Body
from shared.runtime.ids import uuid7

LONGEST_PREVIEW_DAYS = 800


class MaintenanceBody(Body):
    """Hours reserved for maintenance on the dates of a recurrence (RFC 5545)."""

    words: str = Field(max_length=2000)
    rule: str = Field(max_length=500, examples=["FREQ=MONTHLY;BYDAY=1SU"])
    hours: Hours
    notice_days: int = Field(ge=0, le=365)


class CalendarBody(Body):
    """A calendar's next version. `calendar_id` may be chosen: the same id is then made only once."""

    calendar_id: UUID | None = None
    name: Name
    hours: HoursBody
    maintenance: list[MaintenanceBody] = Field(default=[], max_length=50)

    def command(self, at: datetime) -> commands.DraftCalendar:
        return commands.DraftCalendar(
            name=self.name,
            pattern=self.hours.pattern(),
            holiday_source=self.hours.source(),
            maintenance=tuple(Maintenance(**window.model_dump()) for window in self.maintenance),
            drafted_at=at,
        )


class PublicationBody(Body):
    """From when on the draft counts."""

    effective_from: AwareDatetime


class PreviewBody(Body):
    """Hours, or a calendar that exists, and what to reckon with them from `start` on."""

    hours: HoursBody | None = None
    calendar_id: UUID | None = None
    start: AwareDatetime
    end: AwareDatetime | None = None
    seconds: int | None = Field(default=None, ge=0, le=10**9)
    business_days: int | None = Field(default=None, ge=1, le=1000)

    @model_validator(mode="after")
    def _one_calendar(self) -> PreviewBody:
        if (self.hours is None) == (self.calendar_id is None):
            raise ValueError("send either hours or a calendar_id")
        if self.end is not None and not 0 <= (self.end - self.start).days <= LONGEST_PREVIEW_DAYS:
            raise ValueError(f"the end comes after the start, {LONGEST_PREVIEW_DAYS} days at most")
        return self


def unknown() -> UnknownCalendar:
    """Make the refusal for an id that nothing is known of."""
    return UnknownCalendar("there is no such calendar", remedy="GET /v1/calendars lists them")


class Calendars:
    """What can be asked about calendars."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._promises = Promises(context.database)

    async def draft(self, body: CalendarBody, actor: Caller, key: Key) -> Response:
        """Write down a new calendar; it counts once it is published."""
        calendar_id = body.calendar_id or uuid7()
        command = replace(body.command(self._context.clock.now()), new=True)
        step = Step(decider=CALENDAR, stream_id=calendar_id, command=command)
        appended = await self._context.commands.execute(actor, step, idempotency=key)
        return answer(appended, status=201, location="/v1/calendars/{id}")

    async def redraft(
        self, calendar_id: UUID, body: CalendarBody, actor: Caller, key: Key, match: Match
    ) -> Response:
        """Write down the calendar's next version."""
        command = body.command(self._context.clock.now())
        step = Step(decider=CALENDAR, stream_id=calendar_id, command=command, expected_version=match)
        return answer(await self._context.commands.execute(actor, step, idempotency=key))

    async def publish(
        self, calendar_id: UUID, body: PublicationBody, actor: Caller, key: Key, match: Match
    ) -> Response:
        """Let the draft count from a moment on; its holidays are looked up now and kept as dates."""
        self._context.commands.authorise(actor, commands.PublishCalendar)
        async with self._context.database.connection() as conn:
            state, _ = await self._context.store.load(conn, CALENDAR, calendar_id)
        drafted = state.draft if state is not None else None
        command = commands.PublishCalendar(
            effective_from=body.effective_from.astimezone(UTC),
            resolved=resolve(drafted.holiday_source) if drafted is not None else (),
            zone_release=installed("tzdata"),
            published_at=self._context.clock.now(),
        )
        step = Step(decider=CALENDAR, stream_id=calendar_id, command=command, expected_version=match)
        return answer(await self._context.commands.execute(actor, step, idempotency=key))

    async def preview(self, body: PreviewBody) -> Mapping[str, Any]:
        """Reckon with hours without storing anything, and say why each hour counts or does not."""
        calendar = await self._calendar(body)
        answered: dict[str, Any] = {"zone": calendar.pattern.zone, "start": body.start}
        try:
            if body.seconds is not None:
                answered["due_at"] = calendar.add(body.start, body.seconds)
            if body.business_days is not None:
                answered["end_of_business_day"] = calendar.end_of_business_day(body.start, body.business_days)
        except NeverOpen as never:
            raise CalendarUnusable(str(never), remedy="open some hours", field="/hours") from never
        end = body.end or answered.get("due_at") or answered.get("end_of_business_day")
        if end is not None and (end - body.start).days <= LONGEST_PREVIEW_DAYS:
            answered["end"] = end
            answered["business_seconds"] = calendar.between(body.start, end)
            answered["explanation"] = [
                {"start": s.start, "end": s.end, "counts": s.open, "why": s.why, "seconds": s.seconds}
                for s in calendar.explain(body.start, end)
            ]
        return answered

    async def listed(self, page: PageQuery) -> Mapping[str, Any]:
        """List calendars and their versions by name; version 0 is a draft."""
        after = page.after("name", str, UUID, int)
        rows = await calendars.listed(self._context.database, page.limit + 1, _key(after))
        return page.answer(rows, "name", lambda r: (r["name"], r["calendar_id"], r["version"]), dict)

    async def versions(self, calendar_id: UUID, response: Response) -> Mapping[str, Any]:
        """Show every version of a calendar with its hours, the newest first."""
        await current(self._context, CALENDAR, calendar_id, response, unknown)
        rows = await calendars.versions_of(self._context.database, calendar_id)
        return {"id": calendar_id, "versions": [_shown(row) for row in rows]}

    async def history(self, calendar_id: UUID) -> Any:
        """Tell everything that happened to a calendar, in order."""
        return await history(self._context, CALENDAR, calendar_id, unknown)

    async def allowed_transitions(self, calendar_id: UUID, response: Response) -> Mapping[str, Any]:
        """Say what can be done with a calendar now."""
        state = await current(self._context, CALENDAR, calendar_id, response, unknown)
        drafted = state.draft is not None
        return {
            "state": "drafted" if drafted else "published",
            "transitions": ("drafts", "publication") if drafted else ("drafts",),
        }

    async def _calendar(self, body: PreviewBody) -> Calendar:
        if body.hours is not None:
            pattern = body.hours.pattern()
            own = {day.on for day in pattern.holidays}
            found = [day for day in resolve(body.hours.source()) if day.on not in own]
            return Calendar(usable(replace(pattern, holidays=(*pattern.holidays, *found))))
        assert body.calendar_id is not None  # noqa: S101  the model demands one of the two
        calendar = await self._promises.calendar(body.calendar_id, body.start)
        if calendar is None:
            raise UnknownCalendar("no version of it is published", remedy="GET /v1/calendars lists them")
        return calendar


def router(context: ServiceContext) -> APIRouter:
    """Return the routes of calendars."""
    routes = APIRouter(prefix="/v1/calendars", tags=["calendars"])
    own = Calendars(context)
    routes.post("", status_code=201, response_model=None)(own.draft)
    routes.post("/preview")(own.preview)
    routes.post("/{calendar_id}/drafts", response_model=None)(own.redraft)
    routes.post("/{calendar_id}/publication", response_model=None)(own.publish)
    routes.get("")(own.listed)
    routes.get("/{calendar_id}")(own.versions)
    routes.get("/{calendar_id}/history")(own.history)
    routes.get("/{calendar_id}/allowed-transitions")(own.allowed_transitions)
    return routes


def _key(after: tuple[Any, ...] | None) -> tuple[str, UUID, int] | None:
    return None if after is None else (after[0], after[1], after[2])


def _shown(row: Any) -> dict[str, Any]:
    parsed = {name: json.loads(row[name]) for name in ("pattern", "holiday_source", "maintenance")}
    shown = {**dict(row), **parsed}
    del shown["calendar_id"]
    return shown
