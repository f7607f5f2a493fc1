"""Clocks: next to breach first, of one record, counted, and each explained to the second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.sla.domain.business_time import Calendar, NeverOpen
from services.sla.domain.clock import Reading, due_after_pause, evaluate, explain
from services.sla.domain.record.decider import RECORD, Record, clock_id_of
from services.sla.domain.target import Target
from services.sla.projections import clocks
from services.sla.projections.promises import Promises
from services.sla.projections.records import records_of
from shared.eventsourcing.decider import NotFound
from shared.http.context import ServiceContext
from shared.http.paging import PageQuery

HOUR = 3600


class UnknownClock(NotFound):
    """There is no such clock."""


class Standing(StrEnum):
    """Which live clocks are listed."""

    AT_RISK = "at_risk"
    BREACHED = "breached"


class Clocks:
    """What can be asked about clocks."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._promises = Promises(context.database)

    async def listed(
        self, page: PageQuery, standing: Standing = Standing.AT_RISK, record_id: UUID | None = None
    ) -> Mapping[str, Any]:
        """List live clocks, the next to breach (or the longest late) first; or all clocks of one record."""
        database = self._context.database
        if record_id is not None:
            rows = await clocks.of_record(database, record_id)
            return {"items": [dict(row) for row in rows], "next_cursor": None}
        after = page.after(standing, datetime.fromisoformat, UUID)
        key = None if after is None else (after[0], after[1])
        read = clocks.at_risk if standing is Standing.AT_RISK else clocks.breached
        rows = await read(database, page.limit + 1, key)
        return page.answer(rows, standing, lambda row: (row["due_at"], row["clock_id"]), dict)

    async def counts(self) -> Mapping[str, Any]:
        """Count clocks by target: attached, met, met late, breached; history apart."""
        return {"items": [dict(row) for row in await clocks.counts(self._context.database)]}

    async def shown(self, clock_id: UUID) -> Mapping[str, Any]:
        """Show what was told of a clock."""
        return dict(await self._row(clock_id))

    async def explained(
        self,
        clock_id: UUID,
        pause_seconds: Annotated[
            int, Query(ge=0, le=366 * 24 * HOUR, description="length of the pause to try, on the wall clock")
        ] = HOUR,
    ) -> Mapping[str, Any]:
        """Work the clock out anew from its facts: every interval, what counts, and what a pause would do."""
        row = await self._row(clock_id)
        now = self._context.clock.now()
        async with self._context.database.connection() as conn:
            state, _ = await self._context.store.load(conn, RECORD, row["record_id"])
        found = await self._reading(row, state, now)
        if found is None:
            raise UnknownClock(
                "the facts known today make no such clock", remedy="see the record's other clocks"
            )
        reading, target, calendar = found
        return {
            "clock_id": clock_id,
            "record_id": row["record_id"],
            "agreement_id": row["agreement_id"],
            "target": target.name,
            "words": target.words,
            "target_version": row["target_version"],
            "zone": calendar.pattern.zone,
            "as_of": now,
            "state": reading.state,
            "started_at": reading.started_at,
            "due_at": reading.due_at,
            "breached_at": reading.breached_at,
            "ended_at": reading.ended_at,
            "limit": {"seconds": reading.limit, "kind": target.limit},
            "elapsed_seconds": reading.elapsed,
            "remaining_seconds": reading.remaining,
            "thresholds": [asdict(mark) for mark in reading.reached],
            "intervals": [
                asdict(part) | {"counts": part.kind == "running"} for part in explain(reading, calendar, now)
            ],
            "if_paused_now": _pause(reading, calendar, now, pause_seconds),
        }

    async def _row(self, clock_id: UUID) -> Any:
        row = await clocks.clock_by_id(self._context.database, clock_id)
        if row is None:
            raise UnknownClock("there is no such clock", remedy="GET /v1/clocks lists them")
        return row

    async def _reading(
        self, row: Any, state: Record, now: datetime
    ) -> tuple[Reading, Target, Calendar] | None:
        record_id = row["record_id"]
        records = await records_of(self._context.database, [record_id])
        promise = await self._promises.promise(
            row["agreement_id"], row["target_version"], records[record_id]["opened_at"]
        )
        for promised in promise.targets if promise is not None else ():
            if promised.target.name != row["target"]:
                continue
            for reading in evaluate(promised.target, promised.calendar, state.facts, now):
                known = clock_id_of(record_id, row["agreement_id"], row["target"], reading.key)
                if known == row["clock_id"]:
                    return reading, promised.target, promised.calendar
        return None


def router(context: ServiceContext) -> APIRouter:
    """Return the routes of clocks."""
    routes = APIRouter(prefix="/v1/clocks", tags=["clocks"])
    own = Clocks(context)
    routes.get("")(own.listed)
    routes.get("/counts")(own.counts)
    routes.get("/{clock_id}")(own.shown)
    routes.get("/{clock_id}/explain")(own.explained)
    return routes


def _pause(
    reading: Reading, calendar: Calendar, now: datetime, pause_seconds: int
) -> Mapping[str, Any] | None:
    """Tell the deadline after a pause from now on; None for a clock that has ended or run out."""
    resumed_at = now + timedelta(seconds=pause_seconds)
    try:
        due_at = due_after_pause(reading, calendar, resumed_at)
    except NeverOpen:
        due_at = None
    if due_at is None:
        return None
    return {
        "pause_seconds": pause_seconds,
        "resumed_at": resumed_at,
        "remaining_seconds": reading.remaining,
        "due_at": due_at,
    }
