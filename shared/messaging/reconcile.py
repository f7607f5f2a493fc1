"""Brings a consumer back onto a source restored from a backup, and lists what was lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import Appended, Unit
from shared.messaging import checkpoints
from shared.messaging.checkpoints import Checkpoint
from shared.messaging.message import Partition
from shared.messaging.pages import FeedHead
from shared.messaging.source_feed import SourceFeed
from shared.runtime.database import Database

_CAUSED: Final = """
SELECT position, stream, stream_id, type FROM log.event
WHERE starts_with(meta->>'causation', $1) AND split_part(meta->>'causation', '/', 4)::bigint > $2
ORDER BY position
"""
_FORGET: Final = """
DELETE FROM work.parked_message
WHERE consumer = $1 AND source = $2 AND topic = $3 AND partition = $4 AND position > $5 AND NOT foreign_born
"""
_FORGET_KEYS: Final = """
DELETE FROM work.parked_key k WHERE k.consumer = $1 AND k.source = $2 AND NOT EXISTS (
    SELECT 1 FROM work.parked_message m WHERE NOT m.foreign_born
    AND (m.consumer, m.source, m.topic, m.key) = (k.consumer, k.source, k.topic, k.key))
"""
_READ_ON: Final = "DELETE FROM work.source_head WHERE consumer = $1 AND source = $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewound:
    """What a checkpoint was set back from and to; the positions between are lost at the source."""

    partition: Partition
    incarnation: UUID
    heard: int
    kept: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An own event that a lost position caused: somebody has to decide what becomes of it."""

    position: int
    stream: str
    stream_id: UUID
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The outcome: what was set back and which own events stand on nothing now."""

    rewound: tuple[Rewound, ...]
    orphans: tuple[Orphan, ...]


async def reconcile(
    database: Database, store: EventStore, feed: SourceFeed, source: str, record: Callable[[Rewound], Unit]
) -> Reconciled:
    """Set back the checkpoints that lie in a part of `source`'s log that a restore undid.

    `record` makes the service's own unit that appends `SourceRewound`; it is appended in the transaction that
    moves the checkpoints. Nothing to set back: nothing is appended. Run again it finds nothing.
    """
    head = await feed.head()
    consumer = store.definition.service
    async with database.connection() as conn:
        marks = await checkpoints.of_source(conn, consumer, source)
    targets = {
        partition: await _last_kept(feed, head, partition, limit)
        for partition, mark in marks.items()
        if (limit := _undone_from(head, mark)) is not None
    }
    if not targets:
        return Reconciled(rewound=(), orphans=())
    async with database.transaction() as conn:
        await conn.execute("SET LOCAL statement_timeout = 0")  # a whole log is searched, once
        marks = await checkpoints.lock(conn, consumer, targets)
        rewound = tuple(
            Rewound(
                partition=partition,
                incarnation=mark.incarnation,
                heard=mark.position,
                kept=targets[partition].position,
            )
            for partition, mark in marks.items()
            if _undone_from(head, mark) is not None and mark.incarnation is not None
        )
        await checkpoints.save(conn, consumer, {each.partition: targets[each.partition] for each in rewound})
        for each in rewound:
            await conn.execute(_FORGET, consumer, *each.partition, each.kept)
        await conn.execute(_FORGET_KEYS, consumer, source)
        await conn.execute(_READ_ON, consumer, source)
        orphans = await _orphans(conn, source, head, rewound)
        appended = await store.append(conn, [record(each) for each in rewound])
        for outcome in appended:
            if not isinstance(outcome, Appended):
                raise outcome
    store.announce(max(outcome.position for outcome in appended if isinstance(outcome, Appended)))
    return Reconciled(rewound=rewound, orphans=orphans)


def _undone_from(head: FeedHead, mark: Checkpoint) -> int | None:
    """Return the last position that the source kept, when the checkpoint lies beyond it."""
    if mark.incarnation is None:
        return None
    limit = head.limit(mark.incarnation)
    return limit if limit is not None and mark.position > limit else None


async def _last_kept(feed: SourceFeed, head: FeedHead, partition: Partition, limit: int) -> Checkpoint:
    """Return a partition's last message at or below `limit`, as a checkpoint in the source's present life."""
    life = head.incarnations[-1].id
    kept = head.ends.get((partition.topic, partition.number), 0)
    if kept > limit:
        # The first message behind the limit names the one before it.
        kept = (await feed.page(limit, b"", chain=partition)).messages[0].prev
    if kept == 0:
        return Checkpoint(incarnation=life)
    message = (await feed.page(kept - 1, b"", chain=partition)).messages[0]
    return Checkpoint(incarnation=life, position=kept, hash=message.hash)


async def _orphans(
    conn: Any, source: str, head: FeedHead, rewound: tuple[Rewound, ...]
) -> tuple[Orphan, ...]:
    """Find own events by their cause, `/<source>/<incarnation>/<position>` as `Heard.meta` has it."""
    found: dict[int, Orphan] = {}
    for life in {each.incarnation for each in rewound}:
        limit = head.limit(life)
        for row in await conn.fetch(_CAUSED, f"/{source}/{life}/", limit):
            found[row["position"]] = Orphan(**dict(row))
    return tuple(found[position] for position in sorted(found))
