"""How completely this service has heard the others, and the repair of what stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import structlog

from shared.eventsourcing.log import StoreFork
from shared.messaging import checkpoints, parked
from shared.messaging.checkpoints import Checkpoint
from shared.messaging.consumer import Consumer
from shared.messaging.failures import unless, wait_for_event
from shared.messaging.message import Partition
from shared.messaging.outbox import Place
from shared.messaging.pages import FeedHead

POLL_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 5.0
_FRESH_SECONDS: Final = 0.05
_LOOK_SECONDS: Final = 0.1

_LOG = structlog.get_logger(__name__)
_Marks = Mapping[Partition, Checkpoint]


class Progress:
    """Asks each source for its head every second and compares it with the checkpoints.

    A partition that stands still behind its end for 5 s is repaired from the feed, so a dead broker or a
    lost record delays nothing for long.
    """

    def __init__(
        self, consumer: Consumer, *, poll: float = POLL_SECONDS, patience: float = PATIENCE_SECONDS
    ) -> None:
        self._consumer = consumer
        self._poll = poll
        self._patience = patience
        self._heads: dict[str, FeedHead] = {}
        self._complete: dict[str, datetime] = {}
        self._complete_at: dict[str, float] = {}
        self._waiting: dict[Partition, tuple[int, float]] = {}
        self._forked: set[str] = set()
        self._looked_at: dict[str, float] = {}  # of sources that are watched and answer
        self._wanted = {source: asyncio.Event() for source in consumer.subscriptions}
        self._looked = {source: asyncio.Event() for source in consumer.subscriptions}

    async def run(self, stopping: asyncio.Event) -> None:
        """Watch every source until `stopping` is set."""
        sources = self._consumer.subscriptions
        async with asyncio.TaskGroup() as watchers:
            for source in sources:
                watchers.create_task(self._watch(source, stopping), name=f"head of {source}")
            await stopping.wait()
            for wanted in self._wanted.values():
                wanted.set()

    async def complete(self, sources: Collection[str]) -> datetime | None:
        """Return up to when, in recorded time, all these sources have been heard completely.

        None while one of them was not yet. A source that does not answer keeps the moment it last had. What
        is parked counts as heard: see `parked_keys`. Whoever asks has something due, so the sources are
        asked for newer heads meanwhile.
        """
        try:
            for source in sources:
                await self._settle(source)
            for source in sources:
                await self._freshen(source)
        except StoreFork:
            return None  # what was heard is no longer what the source says: nothing is complete
        if not sources or self._forked.intersection(sources) or not set(sources) <= self._complete.keys():
            return None
        return min(self._complete[source] for source in sources)

    async def parked_keys(self, source: str) -> frozenset[bytes]:
        """Return the keys (aggregate ids as text) of which something waits parked: they are incomplete."""
        async with self._consumer.database.connection() as conn:
            return frozenset(key for _, key in await parked.keys(conn, self._consumer.name, source))

    async def reached(self, places: Mapping[Place, int]) -> bool:
        """Tell whether the positions of a consistency token, per (topic, partition), have been heard."""
        wanted = {place: position for place, position in places.items() if self._source_of(place[0])}
        for source in {self._source_of(topic) for topic, _ in wanted}:
            for partition, mark in (await self._marks(source)).items():
                place = (partition.topic, partition.number)
                if mark.position >= wanted.get(place, mark.position + 1):
                    del wanted[place]
        return not wanted

    async def poll_once(self, source: str) -> None:
        """Learn a source's head, and repair what has stood still behind it for too long.

        Raises `StoreFork` when the source was restored and is not what was heard of it any more.
        """
        stopped = self._consumer.measures.stopped(source, "fork")
        try:
            await self._look(source)
        except StoreFork:
            self._forked.add(source)
            stopped.set(1)
            raise
        if source in self._forked:
            self._forked.discard(source)
            stopped.set(0)

    async def _look(self, source: str) -> None:
        heard = await self._marks(source)  # before the head, beyond which then none of them can lie
        head = await self._consumer.feeds[source].head()
        checkpoints.refuse_shortened(heard, head)
        self._heads[source] = head
        self._consumer.learn(source, head)
        for partition in self._standing(await self._settle(source)):
            _LOG.info("standing still behind the source, repairing", partition=partition)
            await self._consumer.repair(partition)
            self._waiting.pop(partition, None)

    async def _watch(self, source: str, stopping: asyncio.Event) -> None:
        wanted = self._wanted[source]
        while not stopping.is_set():
            wanted.clear()
            try:
                await unless(stopping, self.poll_once(source), grace=1)
                self._looked_at[source] = _now()
            except StoreFork as fork:
                self._looked_at.pop(source, None)
                _LOG.error("a source tells another story: reconcile", source=source, fork=str(fork))
            except Exception as error:  # noqa: BLE001  a source that is away is asked again in a second
                self._looked_at.pop(source, None)
                _LOG.info("no head", source=source, error=repr(error))
            looked, self._looked[source] = self._looked[source], asyncio.Event()
            looked.set()
            await wait_for_event(wanted, self._poll)

    async def _freshen(self, source: str) -> None:
        """Let the watcher look at once, and wait a moment for what it learns."""
        if _now() - self._looked_at.get(source, _now()) >= _FRESH_SECONDS:
            self._wanted[source].set()
            await wait_for_event(self._looked[source], _LOOK_SECONDS)

    async def _settle(self, source: str) -> dict[Partition, int]:
        """Compare checkpoints with the last head; return what is behind, with its checkpoint's position."""
        head = self._heads.get(source)
        if head is None:
            return {}
        marks = await self._marks(source)
        behind: dict[Partition, int] = {}
        lag = 0
        for (topic, number), end in head.ends.items():
            partition = Partition(source, topic, number)
            if self._source_of(topic) == source:
                mark = marks.get(partition, Checkpoint())
                checkpoints.refuse_fork(partition, mark, head)
                if mark.position < end:
                    behind[partition] = mark.position
                    lag = max(lag, end - mark.position)
        now = _now()
        if not behind:
            self._complete[source] = max(head.as_of, self._complete.get(source, head.as_of))
            self._complete_at[source] = now
        self._consumer.measures.lag_events(source).set(lag)
        self._consumer.measures.lag_seconds(source).set(now - self._complete_at.setdefault(source, now))
        return behind

    def _standing(self, behind: Mapping[Partition, int]) -> list[Partition]:
        """Return the partitions that have been behind at the same position for too long."""
        now = _now()
        for partition, position in behind.items():
            if self._waiting.get(partition, (-1, 0.0))[0] != position:
                self._waiting[partition] = (position, now)
        return [
            partition
            for partition in behind
            if now - self._waiting[partition][1] >= self._patience and partition not in self._consumer.stopped
        ]

    async def _marks(self, source: str) -> _Marks:
        async with self._consumer.database.connection() as conn:
            keys = await parked.keys(conn, self._consumer.name, source)
            self._consumer.measures.parked_keys(source).set(len(keys))
            return await checkpoints.of_source(conn, self._consumer.name, source)

    def _source_of(self, topic: str) -> str:
        for subscription in self._consumer.subscriptions.values():
            if topic in subscription.topics:
                return subscription.source
        return ""


def _now() -> float:
    return asyncio.get_running_loop().time()
