"""A broker that is killed, frozen or emptied: commands go on, and everything arrives once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from shared.messaging.brokers import KafkaAccess
from shared.messaging.kafka_listener import KafkaListener
from shared.messaging.progress import Progress
from shared.messaging.topics import declare
from shared.runtime.settings import KafkaSettings
from tests.shared.messaging.depot import World, running, until
from tests.shared.messaging.test_kafka_transport import on_the_topic, relay_of, relayed
from tests.support.kafka import Broker

pytestmark = [pytest.mark.fault, pytest.mark.kafka]


@pytest.fixture
def broker(kafka_libraries: Path) -> Iterator[Broker]:
    broker = Broker.of_jars(kafka_libraries).start()
    yield broker
    broker.discard()


@pytest.fixture
def access(broker: Broker) -> KafkaAccess:
    settings = KafkaSettings(replication_factor=1)
    return KafkaAccess(bootstrap_servers=broker.bootstrap_servers, settings=settings)


async def assert_topic_is_whole(world: World, access: KafkaAccess) -> None:
    """Every position stands on the topic, its last sending behind that of its predecessor."""
    await until(lambda: relayed(world), "the relay does not catch up")
    assert set(await on_the_topic(world, access)) == {position for _, position in await world.facts()}


@pytest.mark.parametrize(("away", "back"), [(Broker.kill, Broker.start), (Broker.freeze, Broker.thaw)])
async def test_an_outage_of_the_broker_delays_and_loses_nothing(
    world: World,
    broker: Broker,
    access: KafkaAccess,
    away: Callable[[Broker], None],
    back: Callable[[Broker], None],
):
    await declare(access, world.source.store.partitions)
    listener = KafkaListener(world.depot.consumer, access, group=world.topic)
    async with running(relay_of(world, access).run, listener.run):
        await world.send(20)
        await until(world.heard, "nothing arrives")
        away(broker)
        await world.send(20)
        await asyncio.sleep(3)
        await world.send(10)
        back(broker)
        await until(world.heard, "nothing arrives after the outage")
        await world.send(10)
        await until(world.heard, "nothing arrives later")
        await assert_topic_is_whole(world, access)
    assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()


async def test_during_an_outage_of_the_broker_the_feed_stands_in(
    world: World, broker: Broker, access: KafkaAccess
):
    await declare(access, world.source.store.partitions)
    listener = KafkaListener(world.depot.consumer, access, group=world.topic)
    progress = Progress(world.depot.consumer, poll=0.1, patience=0.5)
    async with running(relay_of(world, access).run, listener.run, progress.run):
        await world.send(10)
        await until(world.heard, "nothing arrives")
        broker.kill()
        await world.send(10)
        await until(world.heard, "a dead broker holds up the depot")
    assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()


async def test_a_broker_that_lost_its_records_is_filled_up_behind_the_checkpoint(
    world: World, broker: Broker, access: KafkaAccess, kafka_libraries: Path
):
    await declare(access, world.source.store.partitions)
    await world.send(10)
    async with running(relay_of(world, access).run):
        await until(lambda: relayed(world), "the relay does not run")
    broker.discard()
    empty = Broker.of_jars(kafka_libraries).start()
    try:
        fresh = KafkaAccess(
            bootstrap_servers=empty.bootstrap_servers, settings=KafkaSettings(replication_factor=1)
        )
        await declare(fresh, world.source.store.partitions)
        listener = KafkaListener(world.depot.consumer, fresh, group=uuid4().hex)
        async with running(relay_of(world, fresh).run, listener.run):
            await world.send(30)
            progress = Progress(world.depot.consumer, poll=0.1, patience=0.5)
            async with running(progress.run):
                await until(world.heard, "the lost records are not repaired")
        assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()
    finally:
        empty.discard()
