"""Kafka as a transport: relay, broker, group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from shared.contracts.envelope import Envelope, to_headers
from shared.eventsourcing.log import StoreFork
from shared.messaging import parked
from shared.messaging.brokers import KafkaAccess
from shared.messaging.kafka import KafkaSender, tails
from shared.messaging.kafka_listener import KafkaListener
from shared.messaging.lease import Lease
from shared.messaging.measures import Measures
from shared.messaging.message import Message
from shared.messaging.progress import Progress
from shared.messaging.relay import Relay
from shared.messaging.topics import declare
from shared.runtime.metrics import Metrics
from shared.runtime.settings import KafkaSettings
from tests.shared.messaging.depot import World, running, until
from tests.shared.messaging.transport_contract import TransportContract
from tests.support import parcels
from tests.support.kafka import Broker

pytestmark = pytest.mark.kafka


@pytest.fixture
async def access(kafka: Broker, world: World) -> KafkaAccess:
    access = KafkaAccess(
        bootstrap_servers=kafka.bootstrap_servers, settings=KafkaSettings(replication_factor=1)
    )
    await declare(access, world.source.store.partitions)
    return access


def relay_of(world: World, access: KafkaAccess, lease: str = "relay") -> Relay:
    source = world.source
    return Relay(
        source.database,
        source.store,
        access,
        Measures(Metrics("parcels")),
        lease=Lease(source.database, lease, ttl=2),
        send_at_once=25,
    )


async def sent(access: KafkaAccess, messages: Sequence[Message]) -> None:
    sender = KafkaSender(access)
    await sender.send(messages)
    await sender.close()


async def on_the_topic(world: World, access: KafkaAccess) -> list[int]:
    """The positions that the last records of all partitions hold, sorted, repetitions included."""
    places = [(world.topic, n) for n in range(6)]
    found = await tails(access, places)
    return sorted(
        Message.read(r.topic, r.partition, r.key, r.headers, r.value or b"").position
        for records in found.values()
        for r in records
    )


class TestKafkaTransport(TransportContract):
    @pytest.fixture(autouse=True)
    def _reach(self, access: KafkaAccess) -> None:
        self.access = access

    @asynccontextmanager
    async def transport(self, world: World) -> AsyncIterator[None]:
        listener = KafkaListener(world.depot.consumer, self.access, group=f"depot-{world.topic}")
        async with running(relay_of(world, self.access).run, listener.run):
            yield

    async def repeat(self, world: World, messages: Sequence[Message]) -> None:
        await sent(self.access, messages)

    async def lose(self, world: World, message: Message) -> None:
        await sent(self.access, [each for each in await world.messages() if each != message])


async def test_two_relays_at_once_repeat_messages_and_break_no_chain(world: World, access: KafkaAccess):
    listener = KafkaListener(world.depot.consumer, access, group=world.topic)
    relays = [relay_of(world, access, lease=name) for name in ("relay", "zombie")]
    async with running(listener.run, *(relay.run for relay in relays)):
        await world.send(100)
        await until(world.heard, "the depot has not heard everything")
    assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()


async def test_a_relay_goes_on_behind_what_the_broker_holds(world: World, access: KafkaAccess):
    await world.send(10)
    await sent(access, (await world.messages())[:8])
    async with running(relay_of(world, access).run):
        await until(lambda: relayed(world), "the relay does not go on")
    assert await on_the_topic(world, access) == [message.position for message in await world.messages()]


async def test_a_relay_notes_that_it_has_seen_what_is_not_public(world: World, access: KafkaAccess):
    async with running(relay_of(world, access).run):
        parcel = uuid4()
        await world.append(parcels.a_parcel(to=parcel))
        await until(lambda: relayed(world), "the relay does not note what it has sent")
        await world.append(parcels.unit(parcels.WeighParcel(grams=3), to=parcel))
        await until(lambda: relayed(world), "the relay does not note what there was nothing to send of")


async def relayed(world: World) -> bool:
    async with world.source.database.connection() as conn:
        return await conn.fetchval("SELECT max(position) FROM work.relay_checkpoint") == await world.head()


async def test_a_relay_refuses_a_topic_with_records_of_another_log(world: World, access: KafkaAccess):
    await world.send(3)
    [first, *_] = await world.messages()
    stranger = Message.read(
        first.topic,
        first.partition.number,
        first.key,
        [(n, b"f" * 64 if n == "ce_hash" else v) for n, v in first.headers],
        first.value,
    )
    await sent(access, [stranger])
    relay = relay_of(world, access)

    async def refused() -> bool:
        return StoreFork.__name__ in relay.refused

    async with running(relay.run):
        await until(refused, "the relay does not notice the fork")
    assert await on_the_topic(world, access) == [first.position]


async def test_a_relay_refuses_a_broker_with_other_partitions(world: World, kafka: Broker):
    access = KafkaAccess(
        bootstrap_servers=kafka.bootstrap_servers, settings=KafkaSettings(replication_factor=1)
    )
    await declare(access, {world.topic: 2})
    relay = relay_of(world, access)

    async def refused() -> bool:
        return "has 2 partitions, not 6" in relay.refused

    async with running(relay.run):
        await until(refused, "the relay does not notice the partitions")


async def test_foreign_records_are_kept_apart_and_block_nothing(world: World, access: KafkaAccess):
    producer = AIOKafkaProducer(**access.options())
    await producer.start()
    await producer.send_and_wait(world.topic, value=b"who am I", key=b"nobody", partition=0)
    await producer.stop()
    listener = KafkaListener(world.depot.consumer, access, group=uuid4().hex)
    async with running(relay_of(world, access).run, listener.run):
        await world.send(10)
        await until(world.heard, "a foreign record holds up ours")

        async def kept() -> bool:
            async with world.depot.database.connection() as conn:
                return len(await parked.listed(conn, "depot")) == 1

        await until(kept, "the foreign record was dropped")
    async with world.depot.database.connection() as conn:
        [foreign] = await parked.listed(conn, "depot")
    assert (foreign.foreign, foreign.position, foreign.key) == (True, 0, b"nobody")


async def test_a_message_of_ours_on_a_topic_that_is_not_its_own_is_foreign(world: World, access: KafkaAccess):
    now = datetime.now(UTC)
    strayed = Envelope(
        id=uuid4(), source="/parcels", type="plumbline.request.accepted.v1", subject="p-1", time=now,
        recorded_at=now, topic=world.topic, partition=2, position=1, prev=0, incarnation=uuid4(),
        hash=f"{1:064x}", sequence=1, correlationid="c", actor="tests",
    )  # fmt: skip
    body = f'{{"request_id": "{uuid4()}", "occurred_at": "2026-03-02T00:00:00Z"}}'.encode()
    await sent(access, [Message.read(world.topic, 2, strayed.key, to_headers(strayed), body)])

    async def kept() -> bool:
        error = await world.depot.scalar("SELECT error FROM work.parked_message WHERE foreign_born")
        return error == "ce_type is wrong: plumbline.request.accepted.v1 belongs elsewhere"

    async with running(KafkaListener(world.depot.consumer, access, group=world.topic).run):
        await until(kept, "what strayed is not kept apart")
    assert await world.depot.positions() == {}


async def test_a_dead_relay_delays_nothing_for_long(world: World, access: KafkaAccess):
    listener = KafkaListener(world.depot.consumer, access, group=world.topic)
    progress = Progress(world.depot.consumer, poll=0.05, patience=0.3)
    async with running(listener.run, progress.run):
        await world.send(10)
        await until(world.heard, "the feed does not stand in for the broker")
    assert len(await world.depot.effects()) == 20


async def test_a_gap_stays_open_while_the_feed_is_away_and_the_others_go_on(
    world: World, access: KafkaAccess
):
    await world.send(30)
    messages = await world.messages()
    lost = next(m for m in messages if m.prev)
    await sent(access, [m for m in messages if m != lost])
    listener = KafkaListener(world.depot.consumer, access, group=world.topic)
    await world.depot.consumer.take("parcels", messages[:1])  # its lineage is known
    world.feed_is_away = True

    async def others_are_heard() -> bool:
        ends, heard = await world.ends(), await world.depot.positions()
        place = (lost.topic, lost.partition.number)
        return {**heard, place: 0} == {**ends, place: 0} and heard[place] == lost.prev

    async with running(listener.run):
        await until(others_are_heard, "one gap holds up the other partitions")
        world.feed_is_away = False
        await until(world.heard, "the gap stays open")
    assert len(await world.depot.effects()) == 60
