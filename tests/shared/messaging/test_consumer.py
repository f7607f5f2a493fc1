"""What a consumer does with messages, whoever brought them."""

from __future__ import annotations

import asyncio
import random

import pytest

from shared.eventsourcing.log import StoreFork
from shared.messaging import parked
from shared.messaging.message import Message, demultiplex
from shared.messaging.progress import Progress
from tests.shared.messaging.depot import World


def shuffled(messages: list[Message], seed: int) -> list[Message]:
    """Mix partitions as a broker may, each partition in its own order, with some messages twice."""
    chance = random.Random(seed)  # noqa: S311
    chains = [list(chain) for chain in demultiplex(messages).values()]
    mixed: list[Message] = []
    while any(chains):
        chain = chance.choice([chain for chain in chains if chain])
        mixed += chain[: chance.randint(1, 5)]
        del chain[: chance.randint(0, min(len(chain), 5))]
    return mixed


@pytest.mark.parametrize("seed", range(5))
async def test_any_mix_of_partitions_and_repetitions_has_the_same_effects(world: World, seed: int):
    await world.send(40)
    chance = random.Random(seed)  # noqa: S311
    mixed = shuffled(await world.messages(), seed)
    while mixed:
        size = chance.randint(1, 30)
        for partition, rest in (await world.depot.consumer.take("parcels", mixed[:size])).items():
            await world.depot.consumer.repair(partition)
            assert await world.depot.consumer.take("parcels", rest) == {}
        mixed = mixed[size:]
    effects = await world.depot.effects()
    assert sorted(effects, key=lambda effect: effect[1]) == await world.facts()
    assert await world.heard()


async def test_a_gap_holds_its_partition_only_and_closes_from_the_feed(world: World):
    await world.send(40)
    chains = list(demultiplex(await world.messages()).values())
    missing = chains[0].pop(1)
    held = await world.depot.consumer.take("parcels", [m for chain in chains for m in chain])
    assert held == {missing.partition: chains[0][1:]}
    await world.depot.consumer.repair(missing.partition)
    assert await world.depot.consumer.take("parcels", held[missing.partition]) == {}
    assert await world.heard()
    assert len(await world.depot.effects()) == 80


async def test_a_poisoned_key_waits_in_order_while_others_go_on_and_is_replayed_whole(world: World):
    sent = await world.send(30)
    poisoned = sent[7]
    world.depot.poison.add(poisoned)
    await world.depot.consumer.take("parcels", await world.messages())
    assert await world.heard()
    assert len(await world.depot.effects()) == 58
    async with world.depot.database.connection() as conn:
        listed = await parked.listed(conn, "depot")
    assert [each.key for each in listed] == [str(poisoned).encode()] * 2
    assert "cannot take" in listed[0].error
    assert await Progress(world.depot.consumer).parked_keys("parcels") == {str(poisoned).encode()}
    with pytest.raises(ValueError, match="cannot take"):
        await world.depot.consumer.unpark("parcels", world.topic, str(poisoned).encode())
    world.depot.poison.clear()
    assert await world.depot.consumer.unpark("parcels", world.topic, str(poisoned).encode()) == 2
    assert await world.depot.consumer.unpark("parcels", world.topic, str(poisoned).encode()) == 0
    effects = await world.depot.effects()
    assert sorted(effects, key=lambda effect: effect[1]) == await world.facts()
    assert [cause for parcel, cause in effects if parcel == poisoned] == [
        cause for parcel, cause in await world.facts() if parcel == poisoned
    ]


async def test_a_partition_where_everything_fails_is_stopped_instead_of_parked(world: World):
    sent = await world.send(120, batch=200)
    world.depot.poison.update(sent)
    await world.depot.consumer.take("parcels", await world.messages())
    stopped = world.depot.consumer.stopped
    assert stopped
    for partition in stopped:
        keys = await world.depot.scalar(
            "SELECT count(*) FROM work.parked_key WHERE partition = $1", partition.number
        )
        assert keys == 10  # one more and it would be over 1 % of a thousand
    assert world.depot.counted("consumer_stopped", source="parcels", reason="breaker") == 1


async def test_a_stopped_partition_is_tried_again_by_itself_and_goes_on_once_the_cause_is_mended(
    world: World,
):
    sent = await world.send(120, batch=200)
    world.depot.poison.update(sent)
    now = 1000.0
    consumer = world.depot.another_consumer(now=lambda: now)
    messages = await world.messages()
    await consumer.take("parcels", messages)
    stopped = consumer.stopped
    world.depot.poison.clear()
    before = len(await world.depot.effects())
    now += 29
    await consumer.take("parcels", messages)
    assert len(await world.depot.effects()) == before
    now += 1
    assert not consumer.stopped
    assert world.depot.counted("consumer_stopped", source="parcels", reason="breaker") == 1
    for partition in stopped:
        await consumer.repair(partition)
    assert world.depot.counted("consumer_stopped", source="parcels", reason="breaker") == 0
    assert await world.heard()


async def test_a_database_that_refuses_for_a_while_parks_nothing(world: World):
    await world.send(5)
    messages = await world.messages()
    async with world.depot.database.transaction() as other:
        await other.execute("SELECT pg_advisory_xact_lock(20817, 1)")
        with pytest.raises(Exception, match=r"lock timeout|canceling"):
            await world.depot.consumer.take("parcels", messages)
    assert await world.depot.scalar("SELECT count(*) FROM work.parked_message") == 0
    await world.depot.consumer.take("parcels", messages)
    assert len(await world.depot.effects()) == 10


async def test_another_log_under_the_same_name_is_a_fork(world: World):
    await world.send(5)
    messages = await world.messages()
    await world.depot.consumer.take("parcels", messages)
    async with world.depot.database.connection() as conn:
        await conn.execute("UPDATE work.checkpoint SET hash = '\\x00'")
    with pytest.raises(StoreFork, match="another hash"):
        await world.depot.consumer.take("parcels", messages)
    await world.send(20)
    [first, *_] = demultiplex(messages)
    with pytest.raises(StoreFork):
        await world.depot.consumer.repair(first)


async def test_two_consumers_at_once_note_everything_once(world: World):
    await world.send(60)
    messages = await world.messages()
    consumers = [world.depot.consumer, world.depot.another_consumer()]
    for begin in range(0, len(messages), 10):
        await asyncio.gather(*(each.take("parcels", messages[begin : begin + 10]) for each in consumers))
    assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()
