"""How many requests there are, by state, by kind, and late: an import is checked by it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from services.intake.projections.request_list import REQUEST_LIST, TABLE, Filters
from shared.runtime.database import Database

_KEPT = 200
# What a count depends on: the life of the log, how far the table follows it, and the file that holds the
# table (a rebuild makes another).
_STATE = """
SELECT (SELECT id FROM log.incarnation ORDER BY ordinal DESC LIMIT 1), m.applied,
       pg_relation_filenode($1::text::regclass)
FROM read.read_model m WHERE m.name = $2 AND m.version = $3
"""


class Counts:
    """Counts as they are now, each made once for as long as nothing happens: it may read every request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._state: Any = None
        self._kept: dict[Filters, asyncio.Task[dict[str, Any]]] = {}

    async def of(self, filters: Filters) -> dict[str, Any]:
        """Return the counts of what meets the filters, see `summed`."""
        async with self._database.connection() as conn:
            state = await conn.fetchrow(_STATE, TABLE.fullname, REQUEST_LIST.name, REQUEST_LIST.version)
        # Read before the count, which may know more than that state then, but never less.
        if state != self._state or len(self._kept) >= _KEPT:
            self._state, self._kept = state, {}
        kept = self._kept
        if (counting := kept.get(filters)) is None:
            counting = kept[filters] = asyncio.create_task(self._count(filters))
            counting.add_done_callback(lambda done: _failed(done) and kept.pop(filters, None))
        return await asyncio.shield(counting)  # others may wait for it too

    async def _count(self, filters: Filters) -> dict[str, Any]:
        return summed(await self._database.rows(counted(filters)))


def _failed(done: asyncio.Task[Any]) -> bool:
    return done.cancelled() or done.exception() is not None


def counted(filters: Filters) -> sa.Select[Any]:
    """Return the statement that counts requests by state and kind, with the late ones among them."""
    c = TABLE.c
    return (
        sa.select(
            c.state,
            c.kind,
            sa.func.count().label("requests"),
            sa.func.count().filter(c.breaches > 0).label("breached"),
            sa.func.count().filter(c.breached_at_source).label("breached_at_source"),
        )
        .where(*filters.conditions())
        .group_by(c.state, c.kind)
    )


def summed(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Add the groups up. `breached` counts our own clocks' verdicts, `breached_at_source` the source's."""
    by_state: dict[str, int] = {}
    by_kind: dict[str, int] = {}
    total = breached = at_source = 0
    for row in rows:
        by_state[row["state"]] = by_state.get(row["state"], 0) + row["requests"]
        by_kind[row["kind"]] = by_kind.get(row["kind"], 0) + row["requests"]
        total += row["requests"]
        breached += row["breached"]
        at_source += row["breached_at_source"]
    return {
        "total": total,
        "by_state": dict(sorted(by_state.items())),
        "by_kind": dict(sorted(by_kind.items())),
        "breached": breached,
        "breached_at_source": at_source,
    }
