"""Which life of the log this is; a restore begins a new one before anything else is done."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from shared.eventsourcing.erasure import ErasureRules, erase, erased_in_log
from shared.eventsourcing.event_store import APPEND_LOCK, EventStore
from shared.eventsourcing.projection import ReadModel
from shared.runtime.database import Database

_LOG = structlog.get_logger(__name__)

_LAST = "SELECT ordinal, id, after FROM log.incarnation ORDER BY ordinal DESC LIMIT 1"
_BEGIN = (
    "INSERT INTO log.incarnation (ordinal, id, after) "
    "SELECT max(ordinal) + 1, gen_random_uuid(), $1 FROM log.incarnation RETURNING ordinal, id, after"
)
_REBUILD = (
    "INSERT INTO read.read_model (name, version, applied, state, detail) "
    "VALUES ($1, $2, 0, 'building', 'after a restore') ON CONFLICT (name, version) "
    "DO UPDATE SET applied = 0, state = 'building', detail = excluded.detail"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incarnation:
    """A life of the log. Positions up to `after` are those of the lives before it."""

    ordinal: int
    id: UUID
    after: int


async def current(conn: asyncpg.Connection) -> Incarnation:
    """Return the life that the log is in."""
    return _incarnation(await conn.fetchrow(_LAST))


async def restore(
    database: Database,
    store: EventStore,
    rules: ErasureRules,
    *,
    erased_elsewhere: Iterable[UUID] = (),
) -> Incarnation:
    """Begin a new life after a backup was put back; run it as the owner, before any process starts.

    A backup may know persons who have been erased since, and so may that of the keys: everyone whom the own
    log, the emptied keys or another service's list names is erased again. The read models are emptied and
    marked for rebuild, so readiness waits for them. Safe to repeat: a repeat begins one more life.
    """
    async with database.transaction() as conn:
        incarnation = await begin(conn, store)
    told = await erased_in_log(database, store, rules)
    everyone = told | set(await store.keys.erased()) | set(erased_elsewhere)
    for subject in told:
        await store.keys.erase(subject)
    await erase(database, store, rules, sorted(everyone - told), settle_seconds=0)
    _LOG.warning(
        "new incarnation", service=store.definition.service, after=incarnation.after, erased=len(everyone)
    )
    return incarnation


async def begin(conn: asyncpg.Connection, store: EventStore) -> Incarnation:
    """Write the new life that begins at the present head, and empty the read models, in one transaction."""
    await conn.execute("SELECT pg_advisory_xact_lock($1, $2)", *APPEND_LOCK)
    head = await store.head(conn)
    row = await conn.fetchrow(_BEGIN, head.position)
    await _empty(conn, store.definition.read_models)
    return _incarnation(row)


async def _empty(conn: asyncpg.Connection, models: Collection[ReadModel]) -> None:
    for model in models:
        await conn.execute(_REBUILD, model.name, model.version)
        await conn.execute(f"TRUNCATE {model.table.fullname}")


def _incarnation(row: Any) -> Incarnation:
    return Incarnation(ordinal=row["ordinal"], id=row["id"], after=row["after"])
