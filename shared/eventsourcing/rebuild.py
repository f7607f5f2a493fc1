"""Repairing a read model: built anew beside the live table, then put in its place."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import asyncpg
import sqlalchemy as sa
import structlog

from shared.eventsourcing.catch_up import apply_range, known_until
from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import NewerData
from shared.eventsourcing.projection import Changes, Kind, ReadModel
from shared.eventsourcing.reading import AT_ONCE
from shared.eventsourcing.writing import copy, shape_of, write
from shared.runtime.database import Database
from shared.runtime.failpoints import failpoint

CHUNK_EVENTS = 5000  # written at once; read and folded in smaller pages
NEAR_EVENTS = 500  # what the switch may still apply while it holds the row lock
_SWITCH_PAUSE_SECONDS = 0.25

_LOG = structlog.get_logger(__name__)

_CREATE = (
    "DROP TABLE IF EXISTS {new}; CREATE TABLE {new} (LIKE {old} INCLUDING DEFAULTS INCLUDING CONSTRAINTS "
    "INCLUDING GENERATED INCLUDING STORAGE INCLUDING COMMENTS)"
)
_LIKE_LIVE = """
SELECT format('GRANT %s ON {new} TO %I', a.privilege_type, a.grantee::regrole) AS statement
FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = '{old}'::regclass AND a.grantee <> c.relowner
UNION ALL SELECT format('ALTER TABLE {new} SET (%s)', array_to_string(reloptions, ', '))
FROM pg_class WHERE oid = '{old}'::regclass AND reloptions IS NOT NULL
"""
_INDEXES = """
SELECT c.relname AS name, i.indisprimary AS primary, pg_get_indexdef(c.oid) AS definition,
       pg_get_constraintdef(k.oid) AS rule
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.contype IN ('p', 'u')
WHERE i.indrelid = $1::text::regclass ORDER BY c.relname
"""
_LOCK = "SELECT applied FROM read.read_model WHERE name = $1 AND version = $2 FOR UPDATE"
_LIVE = (
    "UPDATE read.read_model SET applied = $3, state = 'live', detail = NULL WHERE name = $1 AND version = $2"
)


class RebuildOvertaken(Exception):
    """Another rebuild of the same read model has begun; this one stops and has changed nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a rebuild is: events looked at, events in all, events per second so far."""

    done: int
    total: int
    rate: float


async def rebuild(
    database: Database,
    store: EventStore,
    model: ReadModel,
    *,
    progress: Callable[[Progress], None] = lambda _: None,
    chunk: int = CHUNK_EVENTS,
) -> int:
    """Build the model's table from position 0, switch to it, and return the position it has reached.

    `database` is the owner's. The live table serves until the switch and stays untouched if this ends early.
    Raises `NewerData` where the log holds a type that this release cannot read.
    """
    building = _Building(database, store, model)
    await building.begin()
    loop = asyncio.get_running_loop()
    began, done, reached = loop.time(), 0, None
    while reached is None:
        total = await building.head()
        async with aclosing(building.fill(done, total, chunk)) as filling:
            async for done in filling:
                progress(Progress(done=done, total=total, rate=done / max(loop.time() - began, 1e-6)))
        await building.index()
        reached = await building.switch(done)
    _LOG.info("read model rebuilt", read_model=model.name, version=model.version, position=reached)
    return reached


class _Building:
    """The table `<table>_new` while it is being filled."""

    def __init__(self, database: Database, store: EventStore, model: ReadModel) -> None:
        self._database = database
        self._store = store
        self._live = model
        self._new = f"{model.table.fullname}_new"
        copied = model.table.to_metadata(sa.MetaData(), name=f"{model.table.name}_new")
        self._model = replace(model, table=copied)
        self._copies = "bytea" not in shape_of(copied).types.values()
        self._indexed = False
        self._renames: list[tuple[str, str]] = []
        self._later: list[str] = []
        self._oid = 0

    async def head(self) -> int:
        async with self._database.connection() as conn:
            return (await self._store.head(conn)).position

    async def begin(self) -> None:
        """Create the table like the live one, with its primary key alone: other indexes are built last."""
        names = {"old": self._live.table.fullname, "new": self._new}
        async with self._database.transaction() as conn:
            await conn.execute(_CREATE.format(**names))
            for row in await conn.fetch(_LIKE_LIVE.format(**names)):
                await conn.execute(row["statement"])
            for row in await conn.fetch(_INDEXES, names["old"]):
                statement = self._index_statement(row)
                if row["primary"]:
                    await conn.execute(statement)
                else:
                    self._later.append(statement)
            self._oid = await conn.fetchval("SELECT $1::text::regclass::oid", self._new)

    async def fill(self, after: int, until: int, chunk: int) -> AsyncGenerator[int, None]:
        """Apply the log up to `until` and yield the place: one chunk is written while the next is folded."""
        async with self._database.connection() as reader, self._database.connection() as writer:
            page = min(chunk, AT_ONCE)
            pages = self._store.replay(reader, after, until, self._model.follows, page=page)
            changes, written = Changes(), _done()
            async with aclosing(pages):
                try:
                    async for place, events in pages:
                        self._model.changes(events, changes)
                        if place < min(after + chunk, until):
                            continue
                        await written
                        written = asyncio.create_task(self._add(writer, changes, after, place))
                        after, changes = place, Changes()
                        yield place
                    await written
                finally:
                    written.cancel()
                    await asyncio.wait([written])

    async def index(self) -> None:
        """Build the other indexes, once the bulk of the rows is there."""
        if self._indexed:
            return
        async with self._database.transaction() as conn:
            await self._own(conn)
            await conn.execute("SET LOCAL statement_timeout = 0")
            for statement in self._later:
                await conn.execute(statement)
            # A tenth of the usual sample, for the minute until autovacuum has seen the new table.
            await conn.execute("SET LOCAL default_statistics_target = 10")
            await conn.execute(f"ANALYZE {self._new}")
        self._indexed = True

    async def switch(self, done: int) -> int | None:
        """Apply the rest and rename; None where readers are in the way or the head has run on: try again."""
        key = (self._live.name, self._live.version)
        try:
            async with self._database.transaction() as conn:
                await conn.execute("SET LOCAL lock_timeout = '200ms'")  # readers queue no longer than this
                await self._own(conn)
                applied = await conn.fetchval(_LOCK, *key)
                head = (await self._store.head(conn)).position
                if head - done > NEAR_EVENTS:
                    return None
                reached = await apply_range(conn, self._store, self._model, done, head)
                if reached < (applied or 0):
                    raise NewerData(f"newer code has taken {self._live.name} to position {applied}")
                failpoint("rebuild.before_switch")
                await self._rename(conn)
                await conn.execute(_LIVE, *key, reached)
                return reached
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(_SWITCH_PAUSE_SECONDS)
            return None

    async def _rename(self, conn: asyncpg.Connection) -> None:
        table = self._live.table
        await conn.execute(f"DROP TABLE {table.fullname}")
        await conn.execute(f'ALTER TABLE {self._new} RENAME TO "{table.name}"')
        for building, name in self._renames:
            await conn.execute(f'ALTER INDEX {table.schema}."{building}" RENAME TO "{name}"')

    async def _add(self, conn: asyncpg.Connection, changes: Changes, after: int, until: int) -> None:
        if await known_until(conn, self._store, after, until) < until:
            raise NewerData("the log holds events that this release cannot read; nothing was changed")
        async with conn.transaction():
            await self._own(conn)
            await write(conn, self._model, await self._copied(conn, changes))

    async def _copied(self, conn: asyncpg.Connection, changes: Changes) -> Changes:
        """COPY whole new rows, which takes a third of an upsert's time, and return what is left to write.

        A row that is already there ends this for the rest of the rebuild: the model replaces its rows.
        """
        segment = changes.steps[0]
        if not self._copies or len(changes.steps) > 1 or not isinstance(segment, dict):
            return changes
        puts = [(key, columns) for key, (kind, columns) in segment.items() if kind is Kind.PUT]
        if not puts:
            return changes
        table = self._model.table
        try:
            async with conn.transaction():
                await copy(conn, table, shape_of(table).rows_of(puts, Kind.PUT))
        except asyncpg.UniqueViolationError:
            self._copies = False
            return changes
        rest = Changes()
        rest.steps = [{key: change for key, change in segment.items() if change[0] is not Kind.PUT}]
        return rest

    async def _own(self, conn: asyncpg.Connection) -> None:
        """Keep other rebuilds off the table for this transaction; raise if one has replaced it."""
        try:
            await conn.execute(f"LOCK TABLE {self._new} IN SHARE UPDATE EXCLUSIVE MODE")
        except asyncpg.UndefinedTableError:
            raise RebuildOvertaken(self._new) from None
        if await conn.fetchval("SELECT $1::text::regclass::oid", self._new) != self._oid:
            raise RebuildOvertaken(self._new)

    def _index_statement(self, row: asyncpg.Record) -> str:
        building = f"{row['name'][:59]}_new"
        self._renames.append((building, row["name"]))
        if row["rule"] is not None:
            return f'ALTER TABLE {self._new} ADD CONSTRAINT "{building}" {row["rule"]}'
        return re.sub(
            r"^(CREATE (?:UNIQUE )?INDEX) \S+ ON (?:ONLY )?\S+ ",
            rf'\1 "{building}" ON {self._new} ',
            row["definition"],
        )


def _done() -> asyncio.Future[None]:
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


async def table_hash(conn: asyncpg.Connection, table: sa.Table) -> str:
    """Return the SHA-256 over the table's rows in the order of their key: equal content, equal hash.

    Neither the rows' physical order nor the session's settings enter it; generated columns are left out.
    """
    shape = shape_of(table)
    columns = ", ".join(f'"{name}"' for name in shape.keys + shape.values)
    order = ", ".join(
        f'"{name}" COLLATE "C"' if shape.types[name] == "text" else f'"{name}"' for name in shape.keys
    )
    digest = hashlib.sha256()
    async with conn.transaction():
        await conn.execute(
            "SET LOCAL timezone = 'UTC'; SET LOCAL datestyle = ISO; SET LOCAL bytea_output = hex"
        )
        rows = conn.cursor(
            f"SELECT ROW({columns})::text FROM {table.fullname} ORDER BY {order}", prefetch=2000
        )
        async for row in rows:
            digest.update(row[0].encode() + b"\n")
    return digest.hexdigest()
