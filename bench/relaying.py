"""Messages per second through the relay and into a consumer's log, over real Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.figures import Figure, middle
from bench.load import WrongAnswer
from bench.pgbench import ROWS_200, Pgbench
from bench.servers import Bench
from bench.stored import Stored, opened, submit
from services.intake.app import LOG as INTAKE
from services.sla.app import LOG as SLA
from services.sla.subscribes import SUBSCRIPTIONS
from shared.http.serve import run_loop, set_aside
from shared.messaging.brokers import KafkaAccess
from shared.messaging.consumer import Consumer
from shared.messaging.feed import FeedPages
from shared.messaging.kafka_listener import KafkaListener
from shared.messaging.measures import Measures
from shared.messaging.message import Message
from shared.messaging.outbox import Outbox
from shared.messaging.relay import Relay
from shared.messaging.topics import declare
from shared.runtime.metrics import Metrics
from shared.runtime.settings import KafkaSettings
from tests.support.kafka import Broker
from tests.support.kafka_rungs import found

MESSAGES = 5_000
_BARE = "bench.bare"
_POLL_SECONDS = 0.01
_PATIENCE_SECONDS = 60.0


def relaying(bench: Bench, *, rounds: int, seconds: float) -> list[Figure]:
    """Measure the relay against a bare producer with the same bytes, the consumer against bulk inserts."""
    intake, sla = bench.databases("intake"), bench.databases("sla")
    limits = Pgbench(bench)
    relayed: list[float] = []
    bare: list[float] = []
    consumed: list[float] = []
    inserted: list[float] = []

    async def measure(access: KafkaAccess) -> None:
        set_aside()  # garbage is collected as in a service's process
        async with opened(INTAKE, intake) as ours, opened(SLA, sla) as theirs:
            await declare(access, ours.store.partitions)
            await _declare_bare(access)
            for number in range(rounds):
                await submit(ours, MESSAGES)
                relayed.append(1 / await _relay(ours, access))
                bare.append(1 / await _bare(access, await _messages(ours, number * MESSAGES)))
                consumed.append(1 / await _consume(theirs, ours, access, number * MESSAGES))
                tps = await asyncio.to_thread(limits.run, ROWS_200, clients=1, seconds=seconds)
                inserted.append(200 * tps.rate)

    with broker() as servers:
        access = KafkaAccess(bootstrap_servers=servers, settings=KafkaSettings(replication_factor=1))
        run_loop(lambda: measure(access))
    return [
        Figure(what="relayed to Kafka", unit="messages/s", figure=middle(relayed),
               limit_name="messages/s bare aiokafka send and gather, same bytes", limit=middle(bare),
               bar=0.5, goal=0.8),
        Figure(what="consumed into sla's log and read models", unit="messages/s", figure=middle(consumed),
               limit_name="rows/s pgbench, 200 event rows per transaction, 1 client", limit=middle(inserted),
               bar=0.35, goal=0.7),
    ]  # fmt: skip


@contextmanager
def broker() -> Iterator[str]:
    """Start a broker of one's own, or use the one that the environment names; yield its servers."""
    how = found()
    if how.given:
        yield how.given
        return
    if how.libraries is None:
        raise SystemExit("this benchmark needs Kafka: Java >= 17 with Maven or KAFKA_HOME")
    own = Broker.of_jars(how.libraries)
    try:
        yield own.start().bootstrap_servers
    finally:
        own.discard()


async def _relay(stored: Stored, access: KafkaAccess) -> float:
    """Relay what is new; return the seconds from taking the lead to the last acknowledgement."""
    metrics = Metrics("bench")
    measures = Measures(metrics)

    async def count() -> float:
        return _value(metrics, "plumbline_relay_messages_total")

    return await _until(Relay(stored.database, stored.store, access, measures).run, count)


async def _consume(stored: Stored, source: Stored, access: KafkaAccess, known: int) -> float:
    """Consume what is new; return the seconds from the first batch polled to the last fact committed."""
    feeds: dict[str, Any] = {"intake": FeedPages(source.database, source.store)}
    metrics = Metrics("bench")
    consumer = Consumer(stored.database, stored.store, SUBSCRIPTIONS, feeds, Measures(metrics))

    async def count() -> float:
        async with stored.database.connection() as conn:
            return (await stored.store.head(conn)).position - known

    return await _until(KafkaListener(consumer, access).run, count)


def _value(metrics: Metrics, name: str) -> float:
    families = metrics.registry.restricted_registry([name]).collect()
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


async def _until(
    run: Callable[[asyncio.Event], Awaitable[None]], count: Callable[[], Awaitable[float]]
) -> float:
    """Run until all messages are counted; return seconds per message, measured behind the first few.

    What comes before them, joining a group and reading the broker's tails, is start and not throughput.
    """
    stopping = asyncio.Event()
    task = asyncio.ensure_future(run(stopping))
    deadline = time.perf_counter() + _PATIENCE_SECONDS
    first, began = 0.0, 0.0
    while (done := await count()) < MESSAGES:
        if done and not began:
            first, began = done, time.perf_counter()
        if time.perf_counter() > deadline or task.done():
            raise WrongAnswer(f"{done:g} of {MESSAGES} messages arrived")
        await asyncio.sleep(_POLL_SECONDS)
    took = time.perf_counter() - began
    stopping.set()
    await task
    return took / (MESSAGES - first)


async def _bare(access: KafkaAccess, messages: Sequence[Message]) -> float:
    """Send the same bytes with a producer set like the relay's; return seconds per message."""
    producer = AIOKafkaProducer(
        **access.options(), acks="all", enable_idempotence=True, linger_ms=0, max_batch_size=262_144
    )
    await producer.start()
    try:
        sent = []
        began = time.perf_counter()
        for message in messages:
            headers = list(message.headers)
            sent.append(
                await producer.send(
                    _BARE, message.value, message.key, partition=message.partition.number, headers=headers
                )
            )
        await asyncio.gather(*sent)
        return (time.perf_counter() - began) / len(messages)
    finally:
        await producer.stop()


async def _messages(stored: Stored, after: int) -> list[Message]:
    async with stored.database.connection() as conn:
        return await Outbox(stored.store).in_order(conn, after, after + MESSAGES, MESSAGES)


async def _declare_bare(access: KafkaAccess) -> None:
    admin = AIOKafkaAdminClient(**access.options())
    await admin.start()
    await admin.create_topics([NewTopic(_BARE, INTAKE.partitions, 1)])
    await admin.close()
