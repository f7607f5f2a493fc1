"""Three brokers, of which one dies: nothing is lost, nothing overtakes, all goes on."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.contracts.registry import TOPICS
from shared.messaging.brokers import KafkaAccess
from shared.messaging.kafka import GroupReader
from shared.messaging.kafka_listener import KafkaListener
from shared.messaging.message import Message, Partition
from shared.messaging.topics import declare
from tests.shared.messaging.depot import World, running
from tests.shared.messaging.test_kafka_transport import relay_of
from tests.support.kafka import Broker
from tests.support.processes import clean_environment, finished, until

pytestmark = [pytest.mark.fault, pytest.mark.kafka]
PROMISED = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "max.message.bytes": "1048576",
}


@pytest.fixture(scope="module")
def cluster(kafka_libraries: Path) -> Iterator[list[Broker]]:
    brokers = Broker.three_of_jars(kafka_libraries)
    try:
        with ThreadPoolExecutor() as all_at_once:
            list(all_at_once.map(Broker.start, brokers))
        yield brokers
    finally:
        for broker in brokers:
            broker.discard()


@pytest.fixture(scope="module")
def access(cluster: list[Broker]) -> KafkaAccess:
    return KafkaAccess(bootstrap_servers=",".join(broker.bootstrap_servers for broker in cluster))


async def test_topics_are_declared_as_safe_as_is_promised(access: KafkaAccess):
    told = {**clean_environment(), "KAFKA_BOOTSTRAP_SERVERS": access.bootstrap_servers}
    await finished("-m", "services", "topics", "--apply", environment=told)
    admin = AIOKafkaAdminClient(**access.options())
    await admin.start()
    try:
        [answer] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, n) for n in TOPICS])
        described = await admin.describe_topics(list(TOPICS))
    finally:
        await admin.close()
    for _, _, _, name, entries in answer.resources:
        assert PROMISED.items() <= {entry[0]: entry[1] for entry in entries}.items(), name
    for topic in described:
        assert len(topic["partitions"]) == TOPICS[topic["topic"]].partitions
        assert {len(partition["replicas"]) for partition in topic["partitions"]} == {3}


async def coordinator(access: KafkaAccess, group: str) -> int:
    """Return the number of the broker that looks after the group."""
    admin = AIOKafkaAdminClient(**access.options())
    await admin.start()
    try:
        return await admin.find_coordinator(group)
    finally:
        await admin.close()


@asynccontextmanager
async def sending(world: World) -> AsyncIterator[None]:
    """Parcels go out all the time."""
    stopping = asyncio.Event()

    async def send() -> None:
        while not stopping.is_set():
            await world.send(5)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(send())
    try:
        yield
    finally:
        stopping.set()
        await task


async def test_a_broker_of_three_dies_and_comes_back_and_all_arrives_in_order(
    world: World, cluster: list[Broker], access: KafkaAccess
):
    await declare(access, world.source.store.partitions)
    listener = KafkaListener(world.depot.consumer, access, group=world.topic)

    async def goes_on(then: int) -> None:
        async def more() -> bool:
            return len(await world.depot.effects()) > then

        await until(more, "nothing arrives any more")

    async with running(relay_of(world, access).run, listener.run):
        async with sending(world):
            await goes_on(0)
            world.feed_is_away = True  # from here on nothing but the brokers can bring it
            dying = cluster[await coordinator(access, world.topic) - 1]
            dying.kill()
            await goes_on(len(await world.facts()))
            await asyncio.to_thread(dying.start)
            await goes_on(len(await world.facts()))
        await until(world.heard, "not everything arrives")
    assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()
    assert_unbroken(await on_the_brokers(world, access))


async def on_the_brokers(world: World, access: KafkaAccess) -> list[Message]:
    """Return what the topic holds, read as anybody reads it, once every fact is among it."""
    reader = GroupReader(access, f"{world.topic}-stranger", [world.topic])
    await reader.start()
    facts = {position for _, position in await world.facts()}
    found: list[Message] = []

    async def whole() -> bool:
        polled = await reader.poll(seconds=0.2, paused=())
        found.extend(Message.read(r.topic, r.partition, r.key, r.headers, r.value or b"") for r in polled)
        return facts <= {message.position for message in found}

    await until(whole, "a record is lost")
    await reader.close()
    return found


def assert_unbroken(messages: Sequence[Message]) -> None:
    """On every partition each message follows its predecessor, but for those that were sent again."""
    reached: dict[Partition, int] = defaultdict(int)
    for message in messages:
        last = reached[message.partition]
        assert message.prev == last or message.position <= last, f"{message} stands behind {last}"
        reached[message.partition] = max(last, message.position)
