"""How far each partition was heard, and what makes a message next, known, or a gap."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from shared.eventsourcing.log import StoreFork
from shared.messaging.message import Message, Partition
from shared.messaging.pages import FeedHead

_INSERT: Final = """
INSERT INTO work.checkpoint (consumer, source, topic, partition)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::int[]) ON CONFLICT DO NOTHING
"""
_FIELDS: Final = "c.source, c.topic, c.partition, c.incarnation, c.position, c.hash"
_LOCK: Final = f"""
SELECT {_FIELDS} FROM work.checkpoint c
JOIN unnest($2::text[], $3::text[], $4::int[]) AS w (source, topic, partition)
    USING (source, topic, partition)
WHERE c.consumer = $1 ORDER BY c.source, c.topic, c.partition FOR UPDATE OF c
"""
_SAVE: Final = """
WITH saved AS (
    UPDATE work.checkpoint c
    SET incarnation = n.incarnation, position = n.position, hash = n.hash, heard_at = clock_timestamp()
    FROM unnest($2::text[], $3::text[], $4::int[], $5::uuid[], $6::bigint[], $7::bytea[])
        AS n (source, topic, partition, incarnation, position, hash)
    WHERE c.consumer = $1 AND (c.source, c.topic, c.partition) = (n.source, n.topic, n.partition)
)
SELECT topic, key FROM work.parked_key WHERE consumer = $1 AND source = ANY($2::text[])
"""
_OF_SOURCE: Final = f"SELECT {_FIELDS} FROM work.checkpoint c WHERE c.consumer = $1 AND c.source = $2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The last position heard of a partition; position 0 without an incarnation: nothing yet."""

    incarnation: UUID | None = None
    position: int = 0
    hash: bytes = b""


@dataclass(slots=True)
class Sorted:
    """The messages of one partition against its checkpoint.

    `fresh` continue the chain; `held` begin with one whose predecessor is missing; `dropped` belong to a
    former life of the source's log, beyond the point where it was restored.
    """

    checkpoint: Checkpoint
    fresh: list[Message] = field(default_factory=list)
    held: list[Message] = field(default_factory=list)
    duplicates: int = 0
    dropped: int = 0


class LineageUnknown(Exception):
    """A message of another incarnation came and the source cannot be asked yet what became of it."""


def sort_out(checkpoint: Checkpoint, messages: Sequence[Message], head: FeedHead | None) -> Sorted:
    """Compare messages of one partition, in the order they came, with its checkpoint.

    `head` is the source's last known one, for its incarnations. Raises `StoreFork` when the source tells
    another story than the one heard so far, `LineageUnknown` when only the source could tell.
    """
    found = Sorted(checkpoint)
    present = head.incarnations[-1].id if head is not None and head.incarnations else None
    now: Checkpoint | Message = checkpoint
    for number, message in enumerate(messages):
        goes_on = message.incarnation == now.incarnation and (head is None or message.incarnation == present)
        if not goes_on and _is_lost(message, _checkpoint(now), head):
            found.dropped += 1
        elif message.prev == now.position:
            found.fresh.append(message)
            now = message
        elif message.position < now.position:
            found.duplicates += 1
        elif message.position == now.position:
            if message.hash != now.hash:
                raise StoreFork(f"{message.partition}: position {now.position} has another hash")
            found.duplicates += 1
        else:
            found.held = list(messages[number:])
            break
    found.checkpoint = _checkpoint(now)
    return found


def _checkpoint(heard: Checkpoint | Message) -> Checkpoint:
    return Checkpoint(incarnation=heard.incarnation, position=heard.position, hash=heard.hash)


def _is_lost(message: Message, checkpoint: Checkpoint, head: FeedHead | None) -> bool:
    """Tell whether a restore undid the message; refuse it when a restore undid what was heard before it."""
    if head is None or message.incarnation not in {each.id for each in head.incarnations}:
        if message.incarnation == checkpoint.incarnation:
            return False
        if head is None:
            raise LineageUnknown(f"{message.partition}: incarnation {message.incarnation}")
    limit = head.limit(message.incarnation)
    if limit is not None and message.position > limit:
        return True
    if checkpoint.incarnation not in (None, message.incarnation):
        refuse_fork(message.partition, checkpoint, head)
    return False


def refuse_fork(partition: Partition, checkpoint: Checkpoint, head: FeedHead) -> None:
    """Raise `StoreFork` when the checkpoint lies in a part of the source's log that a restore undid."""
    if checkpoint.incarnation is None:
        return
    limit = head.limit(checkpoint.incarnation)
    if limit is not None and checkpoint.position > limit:
        raise StoreFork(
            f"{partition}: heard up to {checkpoint.position}, the source was restored to {limit}: reconcile"
        )


def refuse_shortened(known: Mapping[Partition, Checkpoint], head: FeedHead) -> None:
    """Raise `StoreFork` when a source lacks what was heard of its present life before it told `head`.

    Its backup was put back and nobody has begun a new life of it yet.
    """
    for partition, checkpoint in known.items():
        end = head.ends.get((partition.topic, partition.number), 0)
        if checkpoint.position > end and checkpoint.incarnation == head.incarnations[-1].id:
            raise StoreFork(
                f"{partition}: heard up to {checkpoint.position}, it ends at {end} now: reconcile"
            )


async def lock(
    conn: Any, consumer: str, partitions: Iterable[Partition], *, made: Collection[Partition] = ()
) -> dict[Partition, Checkpoint]:
    """Lock the checkpoints of these partitions, in one order everywhere, creating those that are missing.

    `made` are those that the caller has seen before, which spares looking for missing ones.
    """
    wanted = sorted(partitions)
    places = _columns(wanted)
    if not all(partition in made for partition in wanted):
        await conn.execute(_INSERT, consumer, *places)
    found = await conn.fetch(_LOCK, consumer, *places)
    if len(found) < len(wanted):  # seen before, and gone since: this database was restored
        await conn.execute(_INSERT, consumer, *places)
        found = await conn.fetch(_LOCK, consumer, *places)
    return _checkpoints(found)


async def save(
    conn: Any, consumer: str, checkpoints: Mapping[Partition, Checkpoint]
) -> set[tuple[str, bytes]]:
    """Store new checkpoints of rows that this transaction has locked.

    Returns, to spare a round trip, the (topic, key) pairs of their sources that are parked: no other
    transaction can add one to a partition that is locked.
    """
    marks = list(checkpoints.values())
    rows = await conn.fetch(
        _SAVE,
        consumer,
        *_columns(checkpoints),
        [mark.incarnation for mark in marks],
        [mark.position for mark in marks],
        [mark.hash for mark in marks],
    )
    return {(row["topic"], row["key"]) for row in rows}


async def of_source(conn: Any, consumer: str, source: str) -> dict[Partition, Checkpoint]:
    """Return the checkpoints of every partition of a source that was ever heard."""
    return _checkpoints(await conn.fetch(_OF_SOURCE, consumer, source))


def _checkpoints(rows: Iterable[Any]) -> dict[Partition, Checkpoint]:
    return {
        Partition(row["source"], row["topic"], row["partition"]): Checkpoint(
            incarnation=row["incarnation"], position=row["position"], hash=row["hash"]
        )
        for row in rows
    }


def _columns(partitions: Iterable[Partition]) -> tuple[list[str], list[str], list[int]]:
    places = list(partitions)
    return [p.source for p in places], [p.topic for p in places], [p.number for p in places]
