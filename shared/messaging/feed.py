"""The serving side of the feed: pages of the own public events, and the head of the log."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from shared.eventsourcing.event_store import APPEND_LOCK, TELL_UNTIL, EventStore
from shared.eventsourcing.log import StoreFork
from shared.messaging.outbox import Outbox, hash_at, incarnations
from shared.messaging.pages import FeedHead, FeedPage
from shared.runtime.database import Database

MAX_PAGE: Final = 1000
MAX_WAIT_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.25

_ENDS: Final = """
SELECT t.name AS topic, p.number AS partition, o.position
FROM log.topic t CROSS JOIN LATERAL generate_series(0, t.partitions - 1) AS p (number)
CROSS JOIN LATERAL (
    SELECT n.position FROM log.outbox n WHERE n.topic = t.name AND n.partition = p.number
    ORDER BY n.position DESC LIMIT 1
) AS o
ORDER BY 1, 2
"""


class FeedPages:
    """Answers `GET /v1/feed` and `GET /v1/feed/head`."""

    def __init__(self, database: Database, store: EventStore) -> None:
        self._database = database
        self._store = store
        self._outbox = Outbox(store)
        self._news = asyncio.Event()
        store.on_append(self._wake)

    def _wake(self, _position: int) -> None:
        """Let waiting requests look at once instead of at their next poll."""
        self._news.set()
        self._news = asyncio.Event()

    async def page(
        self, after: int, *, limit: int = 500, wait: float = 0, digest: bytes = b"", place: Any = None
    ) -> FeedPage:
        """Return up to `limit` messages behind position `after`, waiting up to `wait` seconds for the first.

        `digest` is the hash that the caller saw at `after`; `place` narrows to one (topic, partition). Raises
        `StoreFork` when this log holds something else there, `NewerData` when a row cannot be mapped.
        """
        deadline = _now() + min(wait, MAX_WAIT_SECONDS)
        limit = max(1, min(limit, MAX_PAGE))
        page = await self._read(after, limit, digest, place)
        while not page.messages and (left := deadline - _now()) > 0:
            await self._wait_beyond(page.position, left)
            if _now() < deadline:
                page = await self._read(page.position, limit, page.hash, place)
        return page

    async def head(self) -> FeedHead:
        """Return where the log ends. Read under the shared append lock: nothing older can still appear."""
        async with self._database.transaction() as conn:
            await conn.execute("SELECT pg_advisory_xact_lock_shared($1, $2)", *APPEND_LOCK)
            last = await self._store.head(conn)
            ends = await conn.fetch(_ENDS)
            lives = await incarnations(conn)
            as_of = await conn.fetchval(TELL_UNTIL)
        return FeedHead(
            incarnations=lives,
            position=last.position,
            hash=last.hash,
            as_of=as_of,
            ends={(row["topic"], row["partition"]): row["position"] for row in ends},
        )

    async def _read(self, after: int, limit: int, digest: bytes, place: tuple[str, int] | None) -> FeedPage:
        async with self._database.connection() as conn:
            # The head first: positions are gapless in commit order, so what follows sees all up to it.
            head = await self._store.head(conn)
            if after > head.position:
                raise StoreFork(f"position {after} lies beyond the head {head.position}")
            if after and digest and await hash_at(conn, after) != digest:
                raise StoreFork(f"position {after} has another hash")
            if place is None:
                messages = await self._outbox.in_order(conn, after, head.position, limit)
            else:
                found = await self._outbox.of_partitions(conn, {place: after}, limit)
                messages = [message for message in found if message.position <= head.position]
        last = messages[-1] if len(messages) == limit else head
        return FeedPage(messages=tuple(messages), position=last.position, hash=last.hash)

    async def _wait_beyond(self, position: int, seconds: float) -> None:
        news, deadline = self._news, _now() + seconds
        while (left := deadline - _now()) > 0:
            try:
                await asyncio.wait_for(news.wait(), min(_POLL_SECONDS, left))
            except TimeoutError:
                async with self._database.connection() as conn:
                    head = await self._store.head(conn)
                if head.position > position:
                    return
            else:
                return


def _now() -> float:
    return asyncio.get_running_loop().time()
