"""Erasing a person: the key, then the plain text in read models, told to the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import Unit
from shared.runtime.database import Database

UNITS_PER_APPEND = 100
_PASSED = (
    "SELECT count(*) FROM read.read_model m JOIN unnest($1::text[], $2::integer[]) AS own (name, version) "
    "ON m.name = own.name AND m.version = own.version WHERE m.applied >= $3"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureRules:
    """How a service says in its own log that a person was erased.

    `event` is the stored class (`SubjectErased`), `subject_of` reads the person's id from it, `unit_for` is
    the command that appends it. The read models that hold the person's plain text follow the event and null
    it with `Changes.set_every`.
    """

    event: type
    subject_of: Callable[[Any], UUID]
    unit_for: Callable[[UUID], Unit]


async def erase(
    database: Database,
    store: EventStore,
    rules: ErasureRules,
    subjects: Iterable[UUID],
    *,
    settle_seconds: float = 60.0,
) -> int:
    """Make these persons' data unreadable for ever, and return the log's position that says so.

    First the keys are destroyed (their rows stay, so that none can be made again), then, once no process can
    have a key in memory any more (`settle_seconds`, the life of a cached key), the log is told; the same
    transaction nulls the plain text in the read models that are at the head. Safe to repeat after a crash
    anywhere. It is done when `erased_everywhere` tells so for the position.
    """
    people = list(dict.fromkeys(subjects))
    for subject in people:
        await store.keys.erase(subject)
    if people and settle_seconds > 0:
        await asyncio.sleep(settle_seconds)
    position = 0
    for start in range(0, len(people), UNITS_PER_APPEND):
        units = [rules.unit_for(subject) for subject in people[start : start + UNITS_PER_APPEND]]
        async with database.transaction() as conn:
            for outcome in await store.append(conn, units):
                if isinstance(outcome, Exception):
                    raise outcome
                position = max(position, outcome.position)
        store.announce(position)
    return position


async def erased_in_log(database: Database, store: EventStore, rules: ErasureRules) -> set[UUID]:
    """Return every person whose erasure the log has recorded."""
    found: set[UUID] = set()
    async with database.connection() as conn:
        head = (await store.head(conn)).position
        for after in range(0, head, 10_000):
            events = await store.read(conn, after, 10_000, (rules.event,), sealed=True)
            found.update(rules.subject_of(recorded.event) for recorded in events)
    return found


async def unfinished(database: Database, store: EventStore, rules: ErasureRules) -> Collection[UUID]:
    """Return persons whose key is gone but whose erasure the log does not tell: a crash came between."""
    return set(await store.keys.erased()) - await erased_in_log(database, store, rules)


async def erased_everywhere(database: Database, store: EventStore, position: int) -> bool:
    """Tell whether every read model of this release, the asynchronous ones too, has passed the erasure."""
    models = store.definition.read_models
    async with database.connection() as conn:
        passed = await conn.fetchval(
            _PASSED, [model.name for model in models], [model.version for model in models], position
        )
    return bool(passed == len(models))
