"""Reading the log back: recorded events in order, one stream's history, the head."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from shared.eventsourcing.codec import Codec
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.unsealing import Ciphers, UnknownSubject, subject_id

# What `Reading.recorded` takes, of an event called `e`; its time in microseconds since 1970, because asyncpg
# takes long to make a datetime.
COLUMNS = (
    "e.position, e.stream, e.stream_id, e.version, e.event_id, e.type, e.schema_version, e.payload, e.meta, "
    "(extract(epoch FROM e.recorded_at) * 1000000)::bigint, e.hash"
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY_SECONDS = 10.0  # how long a replay may remember keys on its own
AT_ONCE = 500  # events decoded before others have their turn, some 6 ms; as many fit a processor's cache


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
        return await self.recorded(await _rows(conn, after, after + limit, types), sealed=sealed)

    async def replay(
        self, conn: Any, after: int, until: int, types: Collection[type] | None = None, *, page: int = AT_ONCE
    ) -> AsyncGenerator[tuple[int, list[Recorded]], None]:
        """Yield the events at `after` < p <= `until` page by page, each with the position that it ends at.

        While the caller works on a page the server reads the next one; `conn` is the generator's until it is
        closed. No garbage is collected meanwhile.
        """
        if after >= until:
            return
        ciphers, renewed = Ciphers(), time.monotonic()
        with garbage_collection_paused():
            reading = asyncio.create_task(_rows(conn, after, min(after + page, until), types))
            try:
                while after < until:
                    rows, after = await reading, min(after + page, until)
                    if after < until:
                        reading = asyncio.create_task(_rows(conn, after, min(after + page, until), types))
                        await asyncio.sleep(0)  # the question is on its way before this page is decoded
                    if time.monotonic() - renewed > _KEY_SECONDS:
                        ciphers, renewed = Ciphers(), time.monotonic()
                    yield after, await self.recorded(rows, ciphers=ciphers)
            finally:
                reading.cancel()
                await asyncio.wait([reading])

    async def history(self, conn: Any, stream_id: UUID, *, sealed: bool = False) -> list[Recorded]:
        """Return one stream's events from its first version on."""
        rows = await conn.fetch(
            f"SELECT {COLUMNS} FROM log.event e WHERE stream_id = $1 ORDER BY version", stream_id
        )
        return await self.recorded(rows, sealed=sealed)

    async def recorded(
        self, rows: Sequence[Any], *, sealed: bool = False, ciphers: Ciphers | None = None
    ) -> list[Recorded]:
        """Decode rows that begin with `COLUMNS`, with one look-up for all keys that `ciphers` lacks."""
        opening = Ciphers() if ciphers is None else ciphers
        events: list[Recorded] = []
        for begin in range(0, len(rows), AT_ONCE):
            if begin:
                await asyncio.sleep(0)  # what else this process does has its turn
            at_once = rows[begin : begin + AT_ONCE]
            try:
                events += self._decoded(at_once, None if sealed else opening)
            except UnknownSubject:
                await self._learn(rows[begin:], opening)
                events += self._decoded(at_once, opening)
        return events

    async def _learn(self, rows: Sequence[Any], ciphers: Ciphers) -> None:
        """Look up all the keys for these rows that `ciphers` lacks."""
        boxed = self._codec.boxed
        missing = {subject for row in rows for subject in boxed(row["type"], row["payload"])} - ciphers.keys()
        ciphers.add(await self._keys.load([*map(subject_id, missing)]), missing)

    def _decoded(self, rows: Sequence[Any], ciphers: Ciphers | None) -> list[Recorded]:
        event, new = self._codec.opened, tuple.__new__  # sparing the call of a NamedTuple's own
        with garbage_collection_paused():
            return [
                new(Recorded, (at, stream, of, version, id_,
                               event(type_, schema, payload, id_, ciphers), told, _moment(when), end))
                for at, stream, of, version, id_, type_, schema, payload, told, when, end, *_ in rows
            ]  # fmt: skip


@lru_cache(maxsize=256)  # the events of one append share it
def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


async def _rows(conn: Any, after: int, until: int, types: Collection[type] | None) -> list[Any]:
    only, names = "", []
    if types is not None:
        only, names = " AND type = ANY($3::text[])", [[kind.__name__ for kind in types]]
    rows: list[Any] = await conn.fetch(
        f"SELECT {COLUMNS} FROM log.event e WHERE position > $1 AND position <= $2{only} ORDER BY position",
        after,
        until,
        *names,
    )
    return rows


@contextmanager
def garbage_collection_paused() -> Iterator[None]:
    """Spare the collector the many small objects, none of them in a cycle, that a page of events is.

    It would look at them, and at all else that the process holds, again and again as they grow in number.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


async def head(conn: Any) -> Head:
    """Return the log's end as this statement sees it."""
    row = await conn.fetchrow(
        "SELECT position, hash, recorded_at FROM log.event ORDER BY position DESC LIMIT 1"
    )
    if row is None:
        return Head(position=0, hash=b"", recorded_at=None)
    return Head(position=row["position"], hash=row["hash"], recorded_at=row["recorded_at"])
