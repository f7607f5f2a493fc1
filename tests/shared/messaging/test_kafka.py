"""The typed wrapper on a real broker: topics, order, tails, groups, a broker that dies."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared.contracts.envelope import Envelope, to_headers
from shared.messaging.brokers import KafkaAccess
from shared.messaging.kafka import GroupReader, KafkaSender, Record, tails
from shared.messaging.message import Message
from shared.messaging.topics import PartitionsDiffer, compare, declare
from shared.runtime.settings import KafkaSettings
from tests.support.kafka import Broker

pytestmark = pytest.mark.kafka
LIFE = UUID(int=7)


def access_to(broker: Broker) -> KafkaAccess:
    return KafkaAccess(
        bootstrap_servers=broker.bootstrap_servers, settings=KafkaSettings(replication_factor=1)
    )


@pytest.fixture
def access(kafka: Broker) -> KafkaAccess:
    return access_to(kafka)


@pytest.fixture
def topic() -> str:
    return f"plumbline.parcels.t{uuid4().hex}s.v1"


def a_message(topic: str, partition: int, position: int, prev: int) -> Message:
    now = datetime.now(UTC)
    envelope = Envelope(
        id=uuid4(), source="/parcels", type="plumbline.parcel.sent.v1", subject="p-1", time=now,
        recorded_at=now, topic=topic, partition=partition, position=position, prev=prev, incarnation=LIFE,
        hash=f"{position:064x}", sequence=1, correlationid="c", actor="tests",
    )  # fmt: skip
    return Message.read(envelope.topic, partition, envelope.key, to_headers(envelope), b'{"a":1}')


def a_chain(topic: str, partition: int, count: int) -> list[Message]:
    return [a_message(topic, partition, n, n - 1) for n in range(1, count + 1)]


async def polled(reader: GroupReader, count: int, paused: tuple[tuple[str, int], ...] = ()) -> list[Record]:
    found: list[Record] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found += await reader.poll(seconds=0.2, paused=paused)
    return found


async def test_a_dry_run_says_what_would_be_created_and_creates_nothing(access: KafkaAccess, topic: str):
    [planned] = await declare(access, {topic: 3}, dry_run=True)
    assert (planned.found, planned.differs) == (0, False)
    with pytest.raises(PartitionsDiffer, match="0 partitions, not 3"):
        await compare(access, {topic: 3})


async def test_a_topic_is_declared_once_and_keeps_its_partition_count(access: KafkaAccess, topic: str):
    await declare(access, {topic: 3})
    [again] = await declare(access, {topic: 3})
    assert again.found == 3
    await compare(access, {topic: 3})
    [other] = await declare(access, {topic: 6})
    assert other.differs
    with pytest.raises(PartitionsDiffer, match="has 3 partitions, not 6"):
        await compare(access, {topic: 6})


async def test_a_group_reads_what_was_sent_in_order_and_with_its_headers(access: KafkaAccess, topic: str):
    await declare(access, {topic: 2})
    sent = a_chain(topic, 0, 400) + a_chain(topic, 1, 300)
    sender = KafkaSender(access)
    await sender.send(sent)
    await sender.close()
    reader = GroupReader(access, topic, [topic])
    await reader.start()
    records = await polled(reader, 700)
    assert reader.assigned() == 2
    await reader.commit({(topic, 0): 400, (topic, 1): 300})
    await reader.close()
    read = [Message.read(r.topic, r.partition, r.key, r.headers, r.value or b"") for r in records]
    for partition in (0, 1):
        chain = [message for message in read if message.envelope.partition == partition]
        assert chain == [message for message in sent if message.envelope.partition == partition]


async def test_a_paused_partition_is_left_alone_until_it_is_resumed(access: KafkaAccess, topic: str):
    await declare(access, {topic: 2})
    sender = KafkaSender(access)
    reader = GroupReader(access, topic, [topic])
    await reader.start()
    async with asyncio.timeout(30):
        while reader.assigned() < 2:
            await reader.poll(seconds=0.1, paused=())
    await reader.poll(seconds=0, paused=[(topic, 0)])
    await sender.send(a_chain(topic, 0, 5) + a_chain(topic, 1, 5))
    await sender.close()
    assert {record.partition for record in await polled(reader, 5, paused=((topic, 0),))} == {1}
    assert {record.partition for record in await polled(reader, 5)} == {0}
    await reader.close()


async def test_the_tail_of_every_partition_is_read_whatever_its_length(access: KafkaAccess, topic: str):
    await declare(access, {topic: 3})
    sender = KafkaSender(access)
    await sender.send(a_chain(topic, 0, 120) + a_chain(topic, 1, 1))
    await sender.close()
    found = await tails(access, [(topic, 0), (topic, 1), (topic, 2)])
    assert [record.offset for record in found[topic, 0]] == list(range(70, 120))
    assert [record.offset for record in found[topic, 1]] == [0]
    assert found[topic, 2] == []


class SlowToAnswer:
    """Stands before a broker; hands its answer to a client's second request on only when told to."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker.bootstrap_servers.split(":")
        self.asked, self.answer, self.hung_up = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        answers, broker = await asyncio.open_connection(*self._broker)
        with suppress(asyncio.IncompleteReadError):
            for number in itertools.count(1):
                await _hand_on(client, broker)
                if number == 2:
                    self.asked.set()
                    await self.answer.wait()
                await _hand_on(answers, back)
        broker.close()
        back.close()
        self.hung_up.set()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    size = await reader.readexactly(4)
    writer.write(size + await reader.readexactly(int.from_bytes(size)))


async def test_a_start_that_is_broken_off_leaves_no_connection_behind(kafka: Broker, topic: str):
    await declare(access_to(kafka), {topic: 1})
    slow = SlowToAnswer(kafka)
    server = await asyncio.start_server(slow, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    reader = GroupReader(KafkaAccess(bootstrap_servers=f"127.0.0.1:{port}"), topic, [topic])
    starting = asyncio.ensure_future(reader.start())
    await asyncio.wait_for(slow.asked.wait(), 10)
    starting.cancel()
    asyncio.get_running_loop().call_later(0.05, slow.answer.set)
    with pytest.raises(asyncio.CancelledError):
        await starting
    await reader.close()
    await asyncio.wait_for(slow.hung_up.wait(), 10)
    server.close()
    await server.wait_closed()


@pytest.fixture
def own_broker(kafka_libraries: Path) -> Iterator[Broker]:
    broker = Broker.of_jars(kafka_libraries).start()
    yield broker
    broker.discard()


@pytest.mark.fault
async def test_a_sender_that_failed_works_again_once_the_broker_is_back(own_broker: Broker, topic: str):
    access = access_to(own_broker)
    await declare(access, {topic: 1})
    sender = KafkaSender(access)
    first, second, third = a_chain(topic, 0, 3)
    await sender.send([first])
    own_broker.kill()
    with pytest.raises(Exception):  # noqa: B017, PT011  whatever it is, it must come and not hang
        await asyncio.wait_for(sender.send([second]), 8)
    own_broker.start()
    async with asyncio.timeout(60):
        while True:
            with suppress(Exception):
                await sender.send([second, third])
                break
            await asyncio.sleep(0.1)
    await sender.close()
    found = await tails(access, [(topic, 0)])
    positions = [
        Message.read(r.topic, r.partition, r.key, r.headers, r.value or b"").position for r in found[topic, 0]
    ]
    assert sorted(set(positions)) == [1, 2, 3]
    assert positions[-2:] == [2, 3]
