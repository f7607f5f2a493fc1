"""Messages set aside with their key: parking, listing, replay in order, discarding."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.messaging.message import Message, Partition

_PARK: Final = """
INSERT INTO work.parked_message
    (consumer, source, topic, partition, foreign_born, position, key, headers, value, error)
SELECT $1, $2, $3, $4, $5, * FROM unnest($6::bigint[], $7::bytea[], $8::jsonb[], $9::bytea[], $10::text[])
ON CONFLICT DO NOTHING
"""
_PARK_KEY: Final = """
INSERT INTO work.parked_key (consumer, source, topic, partition, key, error) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT DO NOTHING
"""
_KEYS: Final = "SELECT topic, key FROM work.parked_key WHERE consumer = $1 AND source = $2"
_RECENT: Final = """
SELECT count(*) FROM work.parked_key WHERE consumer = $1 AND source = $2 AND topic = $3 AND partition = $4
AND parked_at > clock_timestamp() - make_interval(secs => $5)
"""
_OF_KEY: Final = """
SELECT partition, key, headers, value FROM work.parked_message
WHERE consumer = $1 AND source = $2 AND topic = $3 AND key = $4 AND NOT foreign_born ORDER BY position
"""
_REMOVE: Final = """
DELETE FROM work.parked_message
WHERE consumer = $1 AND source = $2 AND topic = $3 AND key = $4 AND NOT foreign_born
"""
_REMOVE_KEY: Final = """
DELETE FROM work.parked_key WHERE consumer = $1 AND source = $2 AND topic = $3 AND key = $4
"""
_REMOVE_FOREIGN: Final = """
DELETE FROM work.parked_message
WHERE consumer = $1 AND source = $2 AND topic = $3 AND partition = $4 AND foreign_born AND position = $5
"""
_LIST: Final = """
SELECT source, topic, partition, foreign_born, position, key, error, parked_at FROM work.parked_message
WHERE consumer = $1 ORDER BY parked_at, position LIMIT $2
"""

MAX_ERROR_CHARACTERS: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Something on a partition of ours that no service of ours wrote, known by its offset only."""

    partition: Partition
    offset: int
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """One line of the list that an operator sees; `position` of a foreign message is its offset."""

    partition: Partition
    foreign: bool
    position: int
    key: bytes | None
    error: str
    parked_at: datetime


async def park(conn: Any, consumer: str, messages: Iterable[Message], error: str) -> None:
    """Set messages of one partition aside; the caller has locked its checkpoint."""
    held = list(messages)
    if held:
        await conn.execute(
            _PARK,
            consumer,
            *held[0].partition,
            False,
            [message.position for message in held],
            [message.key for message in held],
            [_packed(message.headers) for message in held],
            [message.value for message in held],
            [error[:MAX_ERROR_CHARACTERS]] * len(held),
        )


async def park_key(conn: Any, consumer: str, message: Message, error: str) -> None:
    """Remember that everything later of the message's key has to wait behind it."""
    await conn.execute(_PARK_KEY, consumer, *message.partition, message.key, error[:MAX_ERROR_CHARACTERS])


async def park_foreign(conn: Any, consumer: str, found: Foreign) -> None:
    """Keep a foreign message for whoever has to find out where it came from."""
    key, headers, value = found.key, _packed(found.headers), found.value
    await conn.execute(
        _PARK, consumer, *found.partition, True, [found.offset], [key], [headers], [value],
        [found.error[:MAX_ERROR_CHARACTERS]],
    )  # fmt: skip


async def keys(conn: Any, consumer: str, source: str) -> set[tuple[str, bytes]]:
    """Return the (topic, key) pairs of a source that are parked."""
    return {(row["topic"], row["key"]) for row in await conn.fetch(_KEYS, consumer, source)}


async def recent_keys(conn: Any, consumer: str, partition: Partition, seconds: float) -> int:
    """Count the keys of a partition parked within the last `seconds`."""
    count: int = await conn.fetchval(_RECENT, consumer, *partition, seconds)
    return count


async def of_key(conn: Any, consumer: str, source: str, topic: str, key: bytes) -> list[Message]:
    """Return the parked messages of a key in position order."""
    rows = await conn.fetch(_OF_KEY, consumer, source, topic, key)
    return [Message.read(topic, r["partition"], r["key"], _unpacked(r["headers"]), r["value"]) for r in rows]


async def remove(conn: Any, consumer: str, source: str, topic: str, key: bytes) -> None:
    """Forget a key and its messages: they were replayed, or an operator gave them up."""
    await conn.execute(_REMOVE, consumer, source, topic, key)
    await conn.execute(_REMOVE_KEY, consumer, source, topic, key)


async def remove_foreign(conn: Any, consumer: str, partition: Partition, offset: int) -> bool:
    """Forget a foreign message; return whether it was there."""
    done: str = await conn.execute(_REMOVE_FOREIGN, consumer, *partition, offset)
    return done == "DELETE 1"


async def listed(conn: Any, consumer: str, limit: int = 1000) -> list[Parked]:
    """Return what is parked, oldest first."""
    return [
        Parked(
            partition=Partition(row["source"], row["topic"], row["partition"]),
            foreign=row["foreign_born"],
            position=row["position"],
            key=row["key"],
            error=row["error"],
            parked_at=row["parked_at"],
        )
        for row in await conn.fetch(_LIST, consumer, limit)
    ]


def _packed(headers: Sequence[tuple[str, bytes]]) -> str:
    return json.dumps([[name, b64encode(value or b"").decode()] for name, value in headers])


def _unpacked(text: str) -> list[tuple[str, bytes]]:
    return [(name, b64decode(value)) for name, value in json.loads(text)]
