"""Takes messages into the own log, exactly once in effect, whichever road brought them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import structlog

from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import Appended, StoreFork
from shared.messaging import checkpoints, parked
from shared.messaging.breaker import WINDOW_SECONDS, Breaker
from shared.messaging.checkpoints import Checkpoint, Sorted, sort_out
from shared.messaging.failures import deterministic
from shared.messaging.hearing import Hearing, Language, Ready, by_position
from shared.messaging.measures import Measures
from shared.messaging.message import Message, Partition, Subscription, demultiplex
from shared.messaging.pages import FeedHead
from shared.messaging.source_feed import SourceFeed
from shared.runtime.database import Database
from shared.runtime.failpoints import failpoint

OURS: Final = Language()
TRIES: Final = 3  # of one message alone, before it is parked

_LOG = structlog.get_logger(__name__)
_Places = dict[Partition, Sorted]
Ahead = asyncio.Future[Ready | None]  # `Consumer.prepare`, under way or done


class Consumer:
    """What one service has heard of the others. `name` is the service's own; it keys the checkpoints.

    A batch is one transaction: lock the checkpoints, leave out what is known, append what follows from the
    rest, move the checkpoints. If that fails for a reason that lies in a message, the batch is taken message
    by message, and only there a message is parked, with everything later of its key behind it.
    """

    def __init__(
        self,
        database: Database,
        store: EventStore,
        subscriptions: Iterable[Subscription],
        feeds: Mapping[str, SourceFeed],
        measures: Measures,
        *,
        language: Language = OURS,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.name = store.definition.service
        self.database = database
        self.subscriptions = {subscription.source: subscription for subscription in subscriptions}
        self.feeds = feeds
        self.measures = measures
        self.language = language
        self._now = now or _now
        self._made: set[Partition] = set()
        self._store = store
        self._hearing = Hearing(store, self.subscriptions, language)
        self._heads: dict[str, FeedHead] = {}
        self._breakers: dict[Partition, Breaker] = {}

    @property
    def stopped(self) -> set[Partition]:
        """The partitions that the circuit breaker leaves alone now."""
        now = self._now()
        return {partition for partition, breaker in self._breakers.items() if breaker.stops(now)}

    async def prepare(self, source: str, messages: Sequence[Message]) -> Ready | None:
        """Do for `take` what needs no lock, such as while the batch before commits; None: not possible.

        It is a guess that all the messages are next in their chains. `take` finds out, and does anew what
        was guessed wrongly.
        """
        wanted = sorted(self._hearing.wanted(messages, self.stopped), key=by_position)
        try:
            async with self.database.connection() as conn:
                return await self._hearing.ready(conn, source, wanted)
        except Exception:  # noqa: BLE001  `take` meets the same fault where it can be judged
            return None

    async def take(
        self, source: str, messages: Sequence[Message], ready: Ahead | None = None
    ) -> dict[Partition, list[Message]]:
        """Take messages of one source, of any of its partitions, each in its order.

        `ready` is `prepare` of the same messages. Returns what could not be taken because a
        predecessor is missing: see `repair`. Raises `StoreFork`, and whatever made the database or the
        append fail without a message being to blame.
        """
        wanted = self._hearing.wanted(messages, self.stopped)
        if not wanted:
            return {}
        await self._learn_lineage(source, wanted)
        try:
            return await self._take_batch(source, demultiplex(wanted), ready)
        except Exception as error:
            if not deterministic(error):
                raise
            _LOG.info("a batch failed, taking it message by message", source=source, error=repr(error))
        return await self._take_singly(source, wanted)

    async def repair(self, partition: Partition) -> None:
        """Take what a partition lacks from the feed; raises `StoreFork` when that has the gap too."""
        feed = self.feeds[partition.source]
        before: Checkpoint | None = None
        while partition not in self.stopped:
            async with self.database.connection() as conn:
                known = await checkpoints.of_source(conn, self.name, partition.source)
            mark = known.get(partition, Checkpoint())
            page = await feed.page(mark.position, mark.hash, chain=partition)
            if not page.messages:
                return
            if mark == before or await self.take(partition.source, page.messages):
                raise StoreFork(f"{partition}: the feed itself does not follow position {mark.position}")
            before = mark
            self.measures.gaps(partition.source).inc()
            _LOG.info("repaired a gap", partition=partition, after=mark.position, messages=len(page.messages))

    def learn(self, source: str, head: FeedHead) -> None:
        """Remember a source's head, for the incarnations it names."""
        self._heads[source] = head

    async def unpark(self, source: str, topic: str, key: bytes) -> int:
        """Replay a parked key's messages in order, all in one transaction; return how many there were.

        If one of them still fails nothing is changed and its error is raised.
        """
        async with self.database.transaction() as conn:
            messages = await parked.of_key(conn, self.name, source, topic, key)
            if not messages:
                return 0
            # The checkpoint first, as everywhere: from here on no further message can be parked behind these.
            await checkpoints.lock(conn, self.name, [messages[0].partition])
            messages = await parked.of_key(conn, self.name, source, topic, key)
            await parked.remove(conn, self.name, source, topic, key)
            failpoint("unpark.mid")
            head = await self._append(conn, await self._hearing.ready(conn, source, messages))
        self._announce(head)
        return len(messages)

    async def _learn_lineage(self, source: str, messages: Sequence[Message]) -> None:
        """Ask the source about incarnations not met before; one that is away may be known enough."""
        head = self._heads.get(source)
        known = {each.id for each in head.incarnations} if head else set()
        if any(message.incarnation not in known for message in messages):
            try:
                self._heads[source] = await self.feeds[source].head()
            except Exception as error:
                if deterministic(error):
                    raise
                _LOG.info("a source does not tell its lineage now", source=source, error=repr(error))

    async def _take_batch(
        self, source: str, chains: Mapping[Partition, Sequence[Message]], ahead: Ahead | None = None
    ) -> dict[Partition, list[Message]]:
        async with self.database.transaction() as conn:
            places = await self._sorted(conn, source, chains)
            fresh = sorted((m for place in places.values() for m in place.fresh), key=by_position)
            head = 0
            if fresh:
                head = await self._take_fresh(conn, source, fresh, places, ahead)
            failpoint("consumer.after_apply_before_commit")
        self._made.update(places)
        self._announce(head)
        self._count(source, places)
        return {partition: place.held for partition, place in places.items() if place.held}

    async def _take_fresh(
        self, conn: Any, source: str, fresh: Sequence[Message], places: _Places, ahead: Ahead | None
    ) -> int:
        waiting = await self._move(conn, places)
        behind = [m for m in fresh if (m.topic, m.key) in waiting] if waiting else []
        for chain in demultiplex(behind).values():
            await parked.park(conn, self.name, chain, "waits behind an earlier message of its key")
        self.measures.messages(source, "parked_behind").inc(len(behind))
        now = [m for m in fresh if (m.topic, m.key) not in waiting] if behind else fresh
        ready = await ahead if ahead is not None else None
        if ready is None or not ready.of(now):
            ready = await self._hearing.ready(conn, source, now)
        # A newer publisher's: this release could do nothing with it even when it comes again.
        self.measures.messages(source, "unknown_type").inc(ready.unknown)
        return await self._append(conn, ready)

    async def _take_singly(self, source: str, messages: Sequence[Message]) -> dict[Partition, list[Message]]:
        held: dict[Partition, list[Message]] = {}
        for message in messages:
            partition = message.partition
            if partition in held:
                held[partition].append(message)
            elif partition not in self.stopped and await self._take_one(source, message):
                held[partition] = [message]
        return held

    async def _take_one(self, source: str, message: Message) -> bool:
        """Take one message or park it; tell whether a predecessor is missing instead."""
        failure: Exception | None = None
        for _ in range(TRIES):
            try:
                return bool(await self._take_batch(source, {message.partition: [message]}))
            except Exception as error:
                if not deterministic(error):
                    raise
                failure = error
        await self._park(source, message, f"{type(failure).__name__}: {failure}")
        return False

    async def _park(self, source: str, message: Message, error: str) -> None:
        partition = message.partition
        breaker = self._breakers.setdefault(partition, Breaker())
        async with self.database.transaction() as conn:
            places = await self._sorted(conn, source, {partition: [message]})
            if not places[partition].fresh:
                return  # another process was faster
            recent = await parked.recent_keys(conn, self.name, partition, WINDOW_SECONDS)
            if breaker.trips(self._now(), recent):
                self._tell_stops(source)
                _LOG.error(
                    "partition stopped: too many messages fail",
                    partition=partition,
                    tried_again_after_seconds=breaker.pause,
                    error=error,
                )
                return
            await parked.park(conn, self.name, [message], error)
            failpoint("park.mid")
            await parked.park_key(conn, self.name, message, error)
            await self._move(conn, places)
        breaker.failed(self._now())
        self.measures.messages(source, "parked").inc()
        _LOG.error("message parked", partition=partition, position=message.position, error=error)

    async def _sorted(self, conn: Any, source: str, chains: Mapping[Partition, Sequence[Message]]) -> _Places:
        marks = await checkpoints.lock(conn, self.name, chains, made=self._made)
        head = self._heads.get(source)
        return {partition: sort_out(marks[partition], chain, head) for partition, chain in chains.items()}

    async def _move(self, conn: Any, places: _Places) -> set[tuple[str, bytes]]:
        moved = {partition: place.checkpoint for partition, place in places.items() if place.fresh}
        return await checkpoints.save(conn, self.name, moved)

    async def _append(self, conn: Any, ready: Ready) -> int:
        """Append as the transaction's last statement; return the new head, 0 without units."""
        head = 0
        if ready.units:
            for outcome in await self._store.append_prepared(conn, ready.units):
                if not isinstance(outcome, Appended):
                    raise outcome
                head = max(head, outcome.position)
        return head

    def _announce(self, head: int) -> None:
        if head:
            self._store.announce(head)

    def _count(self, source: str, places: _Places) -> None:
        for partition, place in places.items():
            breaker = self._breakers.setdefault(partition, Breaker())
            paused = breaker.pause
            breaker.took(len(place.fresh))
            if paused and not breaker.pause:
                self._tell_stops(source)
                _LOG.info("partition goes on", partition=partition)
            for outcome, number in (
                ("taken", len(place.fresh)),
                ("duplicate", place.duplicates),
                ("dropped", place.dropped),
            ):
                self.measures.messages(source, outcome).inc(number)

    def _tell_stops(self, source: str) -> None:
        """Show 1 until every partition has taken messages again, through all tries between."""
        stopped = any(breaker.pause for place, breaker in self._breakers.items() if place.source == source)
        self.measures.stopped(source, "breaker").set(int(stopped))


def _now() -> float:
    return asyncio.get_running_loop().time()
