"""The one place that speaks to Kafka: sender, group reader and tails over aiokafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError, ProducerClosed

from shared.messaging.brokers import START_SECONDS, KafkaAccess
from shared.messaging.message import Message, Partition
from shared.messaging.outbox import Place

SEND_SECONDS: Final = 60.0
STOP_SECONDS: Final = 5.0
COMMIT_SECONDS: Final = 2.0
TAIL_RECORDS: Final = 50

_LOG = structlog.get_logger(__name__)


class Record(Protocol):
    """A record as the broker holds it; whether it is a message of ours is yet to be seen.

    A header may hold None, whatever its type says.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None


class KafkaSender:
    """Sends messages in the order given, all acknowledged by every in-sync replica, or raises.

    After any failure the producer is thrown away: an idempotent one whose batch expired has used up a
    sequence number and would be refused for ever, and one whose node went away stays closed.
    """

    def __init__(self, access: KafkaAccess) -> None:
        self._access = access
        self._producer: Any = None

    async def send(self, messages: Sequence[Message]) -> None:
        """Return once all are acknowledged. On an error or a timeout any part of them may have arrived."""
        try:
            if self._producer is None:
                self._producer = AIOKafkaProducer(
                    **self._access.options(),
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=0,
                    max_batch_size=262_144,
                    max_request_size=1_048_576,
                    request_timeout_ms=30_000,
                    retry_backoff_ms=200,
                )
                await self._access.start(self._producer)
            await asyncio.wait_for(self._send(messages), SEND_SECONDS)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Let the producer go; the next `send` makes a new one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # Batches that never got through would keep `stop` waiting; another producer sends them anew.
            producer._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001
            await _close(producer, producer.client)

    async def _send(self, messages: Sequence[Message]) -> None:
        # Whole batches: `send` would cost ten times as much per message, for a future and a size of each.
        sent = []
        for place, batch in self._batches(messages):
            acknowledged = await self._producer.send_batch(batch, place.topic, partition=place.number)
            acknowledged.add_done_callback(_seen)
            sent.append(acknowledged)
        await asyncio.gather(*sent)

    def _batches(self, messages: Sequence[Message]) -> list[tuple[Partition, Any]]:
        """Pack the messages of each partition, in the order given, into as few batches as they fit in."""
        full: list[tuple[Partition, Any]] = []
        filling: dict[Partition, Any] = {}
        for message in messages:
            place = message.partition
            batch = filling.get(place)
            while batch is None or not _appended(batch, message):
                if batch is not None:
                    full.append((place, batch))
                batch = filling[place] = self._producer.create_batch()
        return [*full, *filling.items()]


class GroupReader:
    """A member of a consumer group. Group offsets are a hint for where to begin; the database decides.

    `poll` is never cancelled (aiokafka's poll guard would not recover): it returns by itself. After any
    exception make a new reader.
    """

    def __init__(self, access: KafkaAccess, group: str, topics: Collection[str]) -> None:
        self._access = access
        self._consumer = AIOKafkaConsumer(
            *topics,
            **access.options(),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_uncommitted",
            max_poll_interval_ms=300_000,
            session_timeout_ms=30_000,
            heartbeat_interval_ms=5_000,
            rebalance_timeout_ms=60_000,
            # Exactly one, and not the sticky one, whose state all consumers of a process share.
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            max_partition_fetch_bytes=1_048_576,
            fetch_max_bytes=8_388_608,
            check_crcs=True,
        )

    async def start(self) -> None:
        """Join the group."""
        await self._access.start(self._consumer)

    async def poll(self, *, seconds: float, paused: Collection[Place]) -> list[Record]:
        """Return what has arrived, waiting up to `seconds`; nothing of the `paused` partitions is fetched."""
        assigned = self._consumer.assignment()
        wanted = {TopicPartition(*place) for place in paused} & assigned
        # Anew before each poll, because a rebalance forgets what was paused.
        self._consumer.pause(*(wanted - self._consumer.paused()))
        self._consumer.resume(*(self._consumer.paused() - wanted))
        found = await self._consumer.getmany(timeout_ms=int(seconds * 1000), max_records=500)
        return [record for records in found.values() for record in records]

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """Leave a hint of the next offsets to read; that it fails is no loss."""
        wanted = {TopicPartition(*place): offset for place, offset in offsets.items()}
        wanted = {place: offset for place, offset in wanted.items() if place in self._consumer.assignment()}
        if wanted:
            try:
                await asyncio.wait_for(self._consumer.commit(wanted), COMMIT_SECONDS)
            except (KafkaError, TimeoutError) as error:
                _LOG.info("group offsets not committed", error=repr(error))

    async def positions(self) -> dict[Place, tuple[int, int]]:
        """Return next offset and known end of every assigned partition that is not paused."""
        found: dict[Place, tuple[int, int]] = {}
        for place in self._consumer.assignment() - self._consumer.paused():
            end = self._consumer.highwater(place)
            if end is not None:
                found[place.topic, place.partition] = (await self._consumer.position(place), end)
        return found

    def assigned(self) -> int:
        """Return how many partitions this member has."""
        return len(self._consumer.assignment())

    async def close(self) -> None:
        """Leave the group, within a bounded time."""
        await _close(self._consumer, self._consumer._client)  # noqa: SLF001  the only way to let go by force


async def tails(access: KafkaAccess, places: Collection[Place]) -> dict[Place, list[Record]]:
    """Return the last records of partitions in order, at most 50 each; none for an empty partition."""
    consumer = AIOKafkaConsumer(**access.options(), enable_auto_commit=False, auto_offset_reset="earliest")
    found: dict[Place, list[Record]] = {place: [] for place in places}
    try:
        await access.start(consumer)
        async with asyncio.timeout(START_SECONDS):
            partitions = [TopicPartition(*place) for place in places]
            consumer.assign(partitions)
            begins = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
        unread = {place for place in partitions if begins[place] < ends[place]}
        for place in partitions:
            consumer.seek(place, max(begins[place], ends[place] - TAIL_RECORDS))
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while unread and asyncio.get_running_loop().time() < deadline:
            for place, records in (await consumer.getmany(*unread, timeout_ms=500)).items():
                found[place.topic, place.partition] += records
            unread = {place for place in unread if await consumer.position(place) < ends[place]}
    finally:
        await _close(consumer, consumer._client)  # noqa: SLF001
    if unread:
        raise TimeoutError(f"the last records of {len(unread)} partitions could not be read")
    return found


def _appended(batch: Any, message: Message) -> bool:
    """Put a message into the batch; tell whether there was room. An empty batch takes one of any size."""
    added = batch.append(timestamp=None, key=message.key, value=message.value, headers=message.headers)
    return added is not None


def _seen(acknowledged: asyncio.Future[Any]) -> None:
    """Keep asyncio from reporting the failures behind the first, which is the one that is raised."""
    if not acknowledged.cancelled():
        acknowledged.exception()


async def _close(client: Any, connections: Any) -> None:
    """Stop a client of aiokafka. It can hang for ever while the brokers are away; then only cut the lines.

    It runs in a task of its own, because it lets the cancellation of its inner tasks out as if it were ours.
    """
    steps: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (client.stop, connections.close)
    for step in steps:
        stopping = asyncio.ensure_future(step())
        await asyncio.wait({stopping}, timeout=STOP_SECONDS)
        stopping.cancel()
        [outcome] = await asyncio.gather(stopping, return_exceptions=True)
        if outcome is None:
            return
        _LOG.info("a Kafka client did not stop in good order", error=repr(outcome))
