"""The public part of the own log as messages: outbox rows mapped by the publisher."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from shared.contracts.envelope import headers_of
from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import NewerData, Recorded
from shared.eventsourcing.reading import COLUMNS, garbage_collection_paused
from shared.messaging.message import Message, partition_of
from shared.messaging.pages import Incarnation

_FIELDS: Final = f"""
{COLUMNS}, o.topic, o.partition, o.prev,
(SELECT i.id FROM log.incarnation i WHERE i.after < e.position ORDER BY i.ordinal DESC LIMIT 1) AS incarnation
"""
_AT_ONCE: Final = 100  # rows mapped before others have their turn, a millisecond or two
_PLACE: Final = slice(11, 15)  # of these: topic, partition, prev, incarnation
_IN_ORDER: Final = f"""
SELECT {_FIELDS} FROM log.outbox o JOIN log.event e USING (position)
WHERE o.position > $1 AND o.position <= $2 ORDER BY o.position, o.topic LIMIT $3
"""
# Of no message one row remains, for the head: both in one look and of one moment.
_OF_PARTITIONS: Final = f"""
SELECT {_FIELDS}, h.position AS head, h.hash AS head_hash
FROM (SELECT position, hash FROM log.event ORDER BY position DESC LIMIT 1) AS h
LEFT JOIN (
  (
    SELECT n.*
    FROM unnest($1::text[], $2::int[], $3::bigint[]) AS c (topic, partition, after)
    CROSS JOIN LATERAL (
        SELECT x.* FROM log.outbox x
        WHERE x.topic = c.topic AND x.partition = c.partition AND x.position > c.after
        ORDER BY x.position LIMIT $4
    ) AS n
    ORDER BY n.position, n.topic LIMIT $4
  ) AS o
  JOIN log.event e ON e.position = o.position
) ON true
ORDER BY o.position, o.topic
"""

Place = tuple[str, int]  # topic and partition of the own log


class Outbox:
    """Reads what the appends made public. It maps rows and never decides what is public or in which chain.

    A row that this release cannot map raises `NewerData`: skipping it would close the chain over it.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._publisher = store.definition.publisher

    async def in_order(self, conn: Any, after: int, up_to: int, limit: int) -> list[Message]:
        """Return messages with `after < position <= up_to`, of all topics, in position order."""
        return await self.messages(await conn.fetch(_IN_ORDER, after, up_to, limit))

    async def of_partitions(self, conn: Any, cursors: Mapping[Place, int], limit: int) -> list[Message]:
        """Return the next messages behind a cursor per partition, in position order.

        Unlike one position for all, cursors miss nothing that an append fills in later, behind the head.
        """
        rows, _, _ = await self.rows(conn, cursors, limit)
        return await self.messages(rows)

    async def rows(
        self, conn: Any, cursors: Mapping[Place, int], limit: int
    ) -> tuple[Sequence[Any], int, bytes]:
        """Return these messages' rows, for `messages`, and the head of the log with its hash.

        The rows hold topic, partition, position and hash, besides what `messages` needs.
        """
        topics, numbers = [place[0] for place in cursors], [place[1] for place in cursors]
        rows = await conn.fetch(_OF_PARTITIONS, topics, numbers, list(cursors.values()), limit)
        if not rows:
            return (), 0, b""
        head, digest = rows[0]["head"], rows[0]["head_hash"]
        return rows if rows[0]["position"] is not None else (), head, digest

    async def messages(self, rows: Sequence[Any]) -> list[Message]:
        """Map rows to messages, a few at a time: what else this process does has its turn in between."""
        messages: list[Message] = []
        for begin in range(0, len(rows), _AT_ONCE):
            await asyncio.sleep(0)
            at_once = rows[begin : begin + _AT_ONCE]
            # Sealed: contracts carry no personal data, so none is opened on the way out.
            recorded = await self._store.recorded(at_once, sealed=True)
            with garbage_collection_paused():
                messages += [self._message(row, event) for row, event in zip(at_once, recorded, strict=True)]
        return messages

    def _message(self, row: Any, recorded: Recorded) -> Message:
        topic, number, prev, incarnation = row[_PLACE]
        position, _, stream_id, version, event_id, event, _, recorded_at, digest = recorded
        if self._publisher.topics.get(type(event)) != topic:
            raise NewerData(f"{row['type']} is public on {topic}, which this release does not know")
        told, meta = self._publisher.publish(recorded), recorded.meta
        source, subject = self._publisher.source, str(stream_id)
        return Message(
            partition=partition_of(source, topic, number),
            position=position,
            prev=prev,
            incarnation=incarnation,
            hash=digest,
            key=subject.encode(),
            headers=headers_of(
                id=event_id,
                source=source,
                type=told.TYPE,
                subject=subject,
                time=event.occurred_at,
                recorded_at=recorded_at,
                position=position,
                prev=prev,
                incarnation=incarnation,
                hash=digest.hex(),
                sequence=version,
                correlationid=meta.correlation_id,
                causationid=meta.causation_id,
                actor=meta.actor,
                traceparent=meta.traceparent,
            ),
            value=told.to_body(),
        )


async def hash_at(conn: Any, position: int) -> bytes | None:
    """Return the own log's hash at a position, None beyond its head."""
    found: bytes | None = await conn.fetchval("SELECT hash FROM log.event WHERE position = $1", position)
    return found


async def incarnations(conn: Any) -> tuple[Incarnation, ...]:
    """Return the lives of the own log, oldest first."""
    rows = await conn.fetch("SELECT id, after FROM log.incarnation ORDER BY ordinal")
    return tuple(Incarnation(id=row["id"], after=row["after"]) for row in rows)
