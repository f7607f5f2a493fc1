"""Records: what was heard of them, which are uncovered, and how many there are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter

from services.sla.api.history import history
from services.sla.domain.record.decider import RECORD
from services.sla.projections import clocks, records
from shared.eventsourcing.decider import NotFound
from shared.http.context import ServiceContext
from shared.http.paging import PageQuery


class UnknownRecord(NotFound):
    """Nothing was ever heard of it."""


def unknown() -> UnknownRecord:
    """Make the refusal for an id that nothing is known of."""
    return UnknownRecord("nothing was heard of this record", remedy="use the id that intake gave it")


class Records:
    """What can be asked about records."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def uncovered(self, page: PageQuery) -> Mapping[str, Any]:
        """List records that no SLA covers, the latest opened first."""
        after = page.after("uncovered", datetime.fromisoformat, UUID)
        key = None if after is None else (after[0], after[1])
        rows = await records.uncovered(self._context.database, page.limit + 1, key)
        return page.answer(rows, "uncovered", lambda row: (row["opened_at"], row["record_id"]), dict)

    async def counts(self) -> Mapping[str, Any]:
        """Count records by kind, history and coverage; `covered` null has not been looked at yet."""
        return {"items": [dict(row) for row in await records.counts(self._context.database)]}

    async def shown(self, record_id: UUID) -> Mapping[str, Any]:
        """Show a record's facts as heard, and its clocks."""
        found = await records.records_of(self._context.database, [record_id])
        if record_id not in found:
            raise unknown()
        async with self._context.database.connection() as conn:
            state, _ = await self._context.store.load(conn, RECORD, record_id)
        facts = [
            {"kind": fact.kind, "occurred_at": fact.occurred_at, "attributes": dict(fact.attributes)}
            for fact in state.facts
        ]
        own = await clocks.of_record(self._context.database, record_id)
        return {**dict(found[record_id]), "heard": facts, "clocks": [dict(row) for row in own]}

    async def history(self, record_id: UUID) -> Any:
        """Tell everything that was heard of a record and told of its clocks, in order."""
        return await history(self._context, RECORD, record_id, unknown)


def router(context: ServiceContext) -> APIRouter:
    """Return the routes of records."""
    routes = APIRouter(prefix="/v1/records", tags=["records"])
    own = Records(context)
    routes.get("/uncovered")(own.uncovered)
    routes.get("/counts")(own.counts)
    routes.get("/{record_id}")(own.shown)
    routes.get("/{record_id}/history")(own.history)
    return routes
