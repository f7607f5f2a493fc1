"""Follows other services' topics on Kafka, repairing gaps from their feeds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from shared.contracts.envelope import ForeignMessage
from shared.eventsourcing.log import StoreFork
from shared.messaging import parked
from shared.messaging.brokers import KafkaAccess
from shared.messaging.consumer import Ahead, Consumer
from shared.messaging.failures import Backoff, unless
from shared.messaging.hearing import AT_ONCE, Language
from shared.messaging.kafka import GroupReader, Record
from shared.messaging.message import Message, Partition, demultiplex
from shared.messaging.outbox import Place
from shared.messaging.parked import Foreign
from shared.messaging.watchdog import LOOK_SECONDS, Watchdog
from shared.runtime.failpoints import failpoint

POLL_SECONDS: Final = 0.5
COMMIT_SECONDS: Final = 1.0  # between group offsets, for they are a hint only
MEND_SECONDS: Final = 2.0  # between attempts, so that a feed that is away does not hold up the rest
EXIT_CODE: Final = 70  # EX_SOFTWARE: a supervisor starts the process anew

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one poll brought: the records, and the messages among them by source, being prepared."""

    records: Sequence[Record]
    messages: Mapping[str, list[Message]]
    foreign: Sequence[Foreign]
    ready: Mapping[str, Ahead]


class KafkaListener:
    """Carries the topics of all subscriptions to the consumer, as one member of the service's group.

    A partition that lacks a message, or whose source forked, is paused with what came after; the others go
    on. Group offsets are committed after the database, as a hint.
    """

    def __init__(
        self,
        consumer: Consumer,
        access: KafkaAccess,
        *,
        group: str = "",
        give_up: Callable[[], None] = lambda: os._exit(EXIT_CODE),
    ) -> None:
        self._consumer = consumer
        self._access = access
        self._group = group or f"plumbline-{consumer.name}"
        self._give_up = give_up
        self._sources = {
            topic: subscription.source
            for subscription in consumer.subscriptions.values()
            for topic in subscription.topics
        }
        self._held: dict[Partition, list[Message]] = {}
        self._taken: dict[Place, int] = {}  # next offsets, not committed yet
        self._commit_at = 0.0
        self._watchdog = Watchdog(_now())
        self._look_at = 0.0
        self._mend_at = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until `stopping` is set; the batch in hand is finished and committed."""
        backoff = Backoff()
        while not stopping.is_set():
            self._held.clear()
            self._taken.clear()
            reason = "failure"
            try:
                reader = GroupReader(self._access, self._group, self._sources)
                try:
                    await unless(stopping, reader.start())
                    reason = await self._follow(reader, stopping, backoff)
                finally:
                    await reader.close()
            except Exception as error:  # noqa: BLE001  a reader that raised is not to be trusted any more
                _LOG.warning("kafka: new consumer", error=repr(error))
            if not stopping.is_set():
                self._consumer.measures.rebuilt(reason).inc()
                if reason != "failure" and self._watchdog.rebuilt(_now(), reason):
                    _LOG.error("kafka: giving up this process", reason=reason)
                    self._give_up()
                await backoff.pause(stopping)

    async def _follow(self, reader: GroupReader, stopping: asyncio.Event, backoff: Backoff) -> str:
        """Poll and take, until told to stop or until the watchdog gives a reason for a new reader.

        The next batch is polled and prepared while the one before is taken.
        """
        taking: asyncio.Task[bool] | None = None
        try:
            while not stopping.is_set():
                batch = await self._poll(reader)
                backoff.reset()
                if taking is not None and not await taking:
                    return ""
                await self._commit_now_and_then(reader)
                taking = asyncio.ensure_future(self._take_and_mend(batch, stopping))
                if _now() >= self._look_at:
                    self._look_at = _now() + LOOK_SECONDS
                    reason = self._watchdog.verdict(_now(), reader.assigned(), await reader.positions())
                    if reason:
                        return reason
            return ""
        finally:
            if taking is not None:
                await taking
                await self._commit(reader)

    async def _poll(self, reader: GroupReader) -> Batch:
        paused = self._held.keys() | self._consumer.stopped
        records = await reader.poll(
            seconds=POLL_SECONDS, paused=[(place.topic, place.number) for place in paused]
        )
        messages: dict[str, list[Message]] = {}
        foreign: list[Foreign] = []
        for number, record in enumerate(records, start=1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)  # the batch before goes on meanwhile
            source = self._sources[record.topic]
            try:
                message = _read(record, source, self._consumer.language)
            except ForeignMessage as error:
                foreign.append(_foreign(record, source, error))
            else:
                messages.setdefault(source, []).append(message)
        prepare = self._consumer.prepare
        ready = {source: asyncio.ensure_future(prepare(source, found)) for source, found in messages.items()}
        return Batch(records=records, messages=messages, foreign=foreign, ready=ready)

    async def _take_and_mend(self, batch: Batch, stopping: asyncio.Event) -> bool:
        """Take a batch, then see to what is held; tell whether it came to that."""
        if batch.records and not await self._take_until_done(batch, stopping):
            return False
        await self._mend()
        failpoint("consumer.after_commit_before_offset")
        self._taken |= self._offsets(batch.records)
        return True

    async def _commit_now_and_then(self, reader: GroupReader) -> None:
        if _now() >= self._commit_at:
            self._commit_at = _now() + COMMIT_SECONDS
            await self._commit(reader)

    async def _commit(self, reader: GroupReader) -> None:
        taken, self._taken = self._taken, {}
        if taken:
            await reader.commit(taken)

    async def _take_until_done(self, batch: Batch, stopping: asyncio.Event) -> bool:
        """Take what was polled, through any outage of the database; tell whether it came to that."""
        backoff = Backoff()
        while not stopping.is_set():
            try:
                await self._take(batch)
            except Exception as error:  # noqa: BLE001  nothing of the batch is lost: it is still in hand
                for source in set(self._sources.values()):
                    self._consumer.measures.failures(source).inc()
                _LOG.warning("kafka: taking a batch again", error=repr(error))
                await backoff.pause(stopping)
            else:
                return True
        return False

    async def _take(self, batch: Batch) -> None:
        for foreign in batch.foreign:
            await self._park_foreign(foreign)
        for source, found in batch.messages.items():
            # Polled before their partition was paused: they wait behind what it is paused for.
            held = demultiplex(message for message in found if message.partition in self._held)
            others = [message for message in found if message.partition not in held] if held else found
            try:
                held |= await self._consumer.take(source, others, batch.ready[source])
            except StoreFork as fork:
                held = demultiplex(found)
                self._forked(source, fork)
            for partition, rest in held.items():
                known = self._held.setdefault(partition, [])
                known += [message for message in rest if message not in known]

    async def _mend(self) -> None:
        """Try to close the gaps of the paused partitions; what cannot be closed now stays paused."""
        if _now() < self._mend_at:
            return
        for partition in list(self._held):
            self._mend_at = _now() + MEND_SECONDS
            try:
                await self._consumer.repair(partition)
                rest = await self._consumer.take(partition.source, self._held[partition])
            except StoreFork as fork:
                self._forked(partition.source, fork)
            except Exception as error:  # noqa: BLE001  the feed may be away: the other partitions go on
                _LOG.info("kafka: a gap stays open for now", partition=partition, error=repr(error))
            else:
                self._mend_at = 0.0
                if not rest:
                    del self._held[partition]
                    self._consumer.measures.stopped(partition.source, "fork").set(0)

    def _forked(self, source: str, fork: StoreFork) -> None:
        self._consumer.measures.stopped(source, "fork").set(1)
        _LOG.error("a source tells another story: reconcile", source=source, fork=str(fork))

    async def _park_foreign(self, found: Foreign) -> None:
        async with self._consumer.database.transaction() as conn:
            await parked.park_foreign(conn, self._consumer.name, found)
        self._consumer.measures.messages(found.partition.source, "foreign").inc()
        _LOG.error(
            "foreign message parked", partition=found.partition, offset=found.offset, error=found.error
        )

    def _offsets(self, records: Sequence[Record]) -> dict[Place, int]:
        held = {(place.topic, place.number) for place in self._held}
        seen = {(record.topic, record.partition): record.offset + 1 for record in records}
        return {place: offset for place, offset in seen.items() if place not in held}


def _read(record: Record, source: str, language: Language) -> Message:
    """Return the message of a record; raise `ForeignMessage` unless the topic's owner wrote it there."""
    message = Message.read(record.topic, record.partition, record.key, record.headers, record.value or b"")
    if message.partition.source != source:
        raise ForeignMessage("ce_source", f"is wrong: {record.topic} belongs to /{source}")
    language.check_origin(message.envelope)
    return message


def _foreign(record: Record, source: str, error: ForeignMessage) -> Foreign:
    return Foreign(
        partition=Partition(source, record.topic, record.partition),
        offset=record.offset,
        key=record.key,
        headers=tuple(record.headers),
        value=record.value,
        error=str(error),
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
