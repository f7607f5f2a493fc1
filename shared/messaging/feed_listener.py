"""Follows another service's feed: one request at a time, by one process at a time."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from shared.eventsourcing.log import StoreFork
from shared.messaging.consumer import Consumer
from shared.messaging.failures import Backoff, unless, wait_for_event
from shared.messaging.lease import TTL_SECONDS, Lease
from shared.messaging.pages import FeedPage
from shared.runtime.failpoints import failpoint

WAIT_SECONDS: Final = 5.0  # less than the two thirds of a lease that are left after a renewal

_READ: Final = "SELECT position, hash FROM work.source_head WHERE consumer = $1 AND source = $2"
_SAVE: Final = """
INSERT INTO work.source_head (consumer, source, position, hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (consumer, source) DO UPDATE
SET position = excluded.position, hash = excluded.hash, heard_at = clock_timestamp()
"""

_LOG = structlog.get_logger(__name__)


class FeedListener:
    """Carries one source's feed to the consumer, from the position up to which all partitions were said.

    That position is only where to ask on: what a partition has heard stands in its own checkpoint, so being
    behind costs duplicates and being ahead a repair.
    """

    def __init__(
        self, consumer: Consumer, source: str, *, wait: float = WAIT_SECONDS, ttl: float = TTL_SECONDS
    ) -> None:
        self._consumer = consumer
        self._source = source
        self._wait = wait
        self._ttl = ttl
        self._lease = Lease(consumer.database, f"{consumer.name} hears {source}", ttl=ttl)

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until `stopping` is set."""
        backoff = Backoff()
        measures = self._consumer.measures
        try:
            while not stopping.is_set():
                try:
                    if await self._lease.hold():
                        await self._listen(stopping)
                        backoff.reset()
                        measures.stopped(self._source, "fork").set(0)
                    else:
                        await wait_for_event(stopping, self._ttl / 5)
                except StoreFork as fork:
                    measures.stopped(self._source, "fork").set(1)
                    _LOG.error("a source tells another story: reconcile", source=self._source, fork=str(fork))
                    await backoff.pause(stopping)
                except Exception as error:  # noqa: BLE001  the database decides where the next attempt begins
                    measures.failures(self._source).inc()
                    say = _LOG.warning if backoff.stubborn else _LOG.info
                    say("feed: trying again", source=self._source, error=repr(error))
                    await backoff.pause(stopping)
        finally:
            await self._lease.release()

    async def _listen(self, stopping: asyncio.Event) -> None:
        """Ask for one page and take it."""
        consumer, source = self._consumer, self._source
        async with consumer.database.connection() as conn:
            row = await conn.fetchrow(_READ, consumer.name, source)
        after, digest = (row["position"], row["hash"]) if row else (0, b"")
        asked = consumer.feeds[source].page(after, digest, wait=self._wait)
        page: FeedPage | None = await unless(stopping, asked)
        if page is None or page.position == after:
            return
        held = await consumer.take(source, page.messages)
        for partition, messages in held.items():
            await consumer.repair(partition)
            await consumer.take(source, messages)
        failpoint("consumer.after_commit_before_offset")
        async with consumer.database.connection() as conn:
            await conn.execute(_SAVE, consumer.name, source, page.position, page.hash)
