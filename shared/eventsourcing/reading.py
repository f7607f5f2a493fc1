"""Reading the log back: recorded events in order, one stream's history, the head."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import from_json

from shared.eventsourcing.codec import Codec
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.log import Meta, Recorded

COLUMNS = (
    "position, stream, stream_id, version, event_id, type, schema_version, payload, meta, recorded_at, hash"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the log; position 0 and an empty hash before the first event."""

    position: int
    hash: bytes
    recorded_at: datetime | None


class Reading:
    """Decodes rows of the log. With `sealed`, personal fields stay sealed and no key is looked up."""

    def __init__(self, codec: Codec, keys: SubjectKeys) -> None:
        self._codec = codec
        self._keys = keys

    async def read(
        self,
        conn: Any,
        after: int,
        limit: int,
        types: Collection[type] | None = None,
        *,
        sealed: bool = False,
    ) -> list[Recorded]:
        """Return the events at positions `after` < p <= `after + limit`, of these classes where given.

        `limit` bounds positions, not rows, so that a reader of few types still knows how far it has looked.
        Raises `NewerData` for a type that this release cannot read.
        """
        if types is None:
            rows = await conn.fetch(
                f"SELECT {COLUMNS} FROM log.event WHERE position > $1 AND position <= $2 ORDER BY position",
                after,
                after + limit,
            )
        else:
            rows = await conn.fetch(
                f"SELECT {COLUMNS} FROM log.event WHERE position > $1 AND position <= $2 "
                "AND type = ANY($3::text[]) ORDER BY position",
                after,
                after + limit,
                [kind.__name__ for kind in types],
            )
        return await self.recorded(rows, sealed=sealed)

    async def history(self, conn: Any, stream_id: UUID, *, sealed: bool = False) -> list[Recorded]:
        """Return one stream's events from its first version on."""
        rows = await conn.fetch(
            f"SELECT {COLUMNS} FROM log.event WHERE stream_id = $1 ORDER BY version", stream_id
        )
        return await self.recorded(rows, sealed=sealed)

    async def recorded(self, rows: Sequence[Any], *, sealed: bool = False) -> list[Recorded]:
        """Decode rows that carry `COLUMNS`, with one look-up for all their subjects' keys."""
        keys = None
        if not sealed:
            subjects = self._codec.boxed_subjects((row["type"], row["payload"]) for row in rows)
            keys = await self._keys.load(subjects) if subjects else {}
        decode = self._codec.decode
        return [
            Recorded(
                position=row["position"],
                stream=row["stream"],
                stream_id=row["stream_id"],
                version=row["version"],
                event_id=row["event_id"],
                event=decode(row["type"], row["schema_version"], row["payload"], row["event_id"], keys),
                meta=meta_of(row["meta"]),
                recorded_at=row["recorded_at"],
                hash=row["hash"],
            )
            for row in rows
        ]


def meta_of(stored: str) -> Meta:
    """Decode the stored meta of an event."""
    fields = from_json(stored)
    return Meta(
        actor=fields["actor"],
        correlation_id=fields["correlation"],
        causation_id=fields["causation"],
        traceparent=fields["traceparent"],
    )


async def head(conn: Any) -> Head:
    """Return the log's end as this statement sees it."""
    row = await conn.fetchrow(
        "SELECT position, hash, recorded_at FROM log.event ORDER BY position DESC LIMIT 1"
    )
    if row is None:
        return Head(position=0, hash=b"", recorded_at=None)
    return Head(position=row["position"], hash=row["hash"], recorded_at=row["recorded_at"])
