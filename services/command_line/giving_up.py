"""Giving up what was set aside: it will never be taken, and the log says so and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import Appended, Unit
from shared.messaging import checkpoints, parked
from shared.messaging.message import Partition
from shared.runtime.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """Messages of one partition. `key` is empty for a foreign message; `positions` holds its offset then."""

    partition: Partition
    key: str
    positions: tuple[int, ...]


Record = Callable[[GivenUp], Unit]


async def give_up_key(
    database: Database,
    store: EventStore,
    source: str,
    topic: str,
    key: bytes,
    record: Record,
) -> GivenUp | None:
    """Forget a parked key and its messages; later ones of the key are taken again. None: it is not parked.

    `record` makes the service's own unit that tells of it; it is appended in the same transaction.
    """
    consumer = store.definition.service
    async with database.transaction() as conn:
        found = await parked.of_key(conn, consumer, source, topic, key)
        if not found:
            return None
        await checkpoints.lock(conn, consumer, [found[0].partition])  # none can be parked behind these now
        found = await parked.of_key(conn, consumer, source, topic, key)
        if not found:
            return None
        await parked.remove(conn, consumer, source, topic, key)
        positions = tuple(message.position for message in found)
        given_up = GivenUp(
            partition=found[0].partition, key=key.decode(errors="replace"), positions=positions
        )
        appended = await _appended(store, conn, record(given_up))
    store.announce(appended.position)
    return given_up


async def give_up_foreign(
    database: Database,
    store: EventStore,
    partition: Partition,
    offset: int,
    record: Record,
) -> GivenUp | None:
    """Forget a message that no service of ours wrote. None: there is none at this offset."""
    async with database.transaction() as conn:
        if not await parked.remove_foreign(conn, store.definition.service, partition, offset):
            return None
        given_up = GivenUp(partition=partition, key="", positions=(offset,))
        appended = await _appended(store, conn, record(given_up))
    store.announce(appended.position)
    return given_up


async def _appended(store: EventStore, conn: Any, unit: Unit) -> Appended:
    [outcome] = await store.append(conn, [unit])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
