"""Processes that die at the worst moments: nothing is lost and nothing happens twice."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from shared.messaging.brokers import KafkaAccess
from shared.messaging.feed_listener import FeedListener
from shared.messaging.kafka_listener import KafkaListener
from shared.messaging.topics import declare
from shared.runtime.failpoints import EXIT_CODE, VARIABLE
from shared.runtime.settings import KafkaSettings
from tests.shared.messaging.depot import World, running, until
from tests.shared.messaging.test_kafka_transport import on_the_topic, relay_of
from tests.support.kafka import Broker

pytestmark = pytest.mark.fault
ROOT = Path(__file__).parents[3]


async def dies(world: World, failpoint: str, role: str, **order: Any) -> None:
    """Run a worker in a process of its own that dies at a failpoint."""
    order = {"role": role, "topic": world.topic, "poison": [], "kafka": "", **order}
    order |= {name: asdict(getattr(world, f"{name}_databases")) for name in ("source", "depot")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.shared.messaging.depot_process", json.dumps(order),
        cwd=ROOT, env={**os.environ, VARIABLE: failpoint},
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == EXIT_CODE, said.decode()[-2000:]


async def assert_all_was_noted_once(world: World) -> None:
    await until(world.heard, "the depot has not heard everything")
    assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()


async def feed_on(world: World) -> None:
    async with running(FeedListener(world.depot.consumer, "parcels", wait=0.2).run):
        await until(world.heard, "the depot has not heard everything")


@pytest.fixture
async def access(kafka: Broker, world: World) -> KafkaAccess:
    access = KafkaAccess(
        bootstrap_servers=kafka.bootstrap_servers, settings=KafkaSettings(replication_factor=1)
    )
    await declare(access, world.source.store.partitions)
    return access


@pytest.mark.kafka
@pytest.mark.parametrize("hit", [1, 2])
@pytest.mark.parametrize("failpoint", ["relay.mid_round", "relay.after_produce_before_checkpoint"])
async def test_a_relay_that_dies_repeats_a_round_at_most(
    world: World, access: KafkaAccess, failpoint: str, hit: int
):
    await world.send(15)
    await dies(world, f"{failpoint}:{hit}", "relay", kafka=access.bootstrap_servers)
    before = await on_the_topic(world, access)
    assert before
    listener = KafkaListener(world.depot.consumer, access, group=world.topic)
    async with running(relay_of(world, access).run, listener.run):
        await assert_all_was_noted_once(world)

        async def complete() -> bool:
            return set(await on_the_topic(world, access)) == {position for _, position in await world.facts()}

        await until(complete, "the topic lacks messages")
    assert len(await on_the_topic(world, access)) - len(await world.facts()) <= 14


@pytest.mark.parametrize("hit", [1, 2])
@pytest.mark.parametrize(
    "failpoint", ["consumer.after_apply_before_commit", "consumer.after_commit_before_offset"]
)
async def test_a_feed_listener_that_dies_notes_nothing_twice(world: World, failpoint: str, hit: int):
    await world.send(600, batch=300)
    await dies(world, f"{failpoint}:{hit}", "feed")
    await feed_on(world)
    await assert_all_was_noted_once(world)


@pytest.mark.kafka
@pytest.mark.parametrize(
    "failpoint", ["consumer.after_apply_before_commit", "consumer.after_commit_before_offset"]
)
async def test_a_group_member_that_dies_notes_nothing_twice(
    world: World, access: KafkaAccess, failpoint: str
):
    await world.send(50)
    listener = KafkaListener(world.depot.consumer, access, group=f"{world.topic}-next")
    async with running(relay_of(world, access).run):
        await dies(world, failpoint, "kafka", kafka=access.bootstrap_servers)
        async with running(listener.run):
            await assert_all_was_noted_once(world)


async def test_parking_is_all_or_nothing(world: World):
    sent = await world.send(5)
    world.depot.poison.add(sent[1])
    await dies(world, "park.mid", "feed", poison=[str(sent[1])])
    assert await world.depot.scalar("SELECT count(*) FROM work.parked_message") == 0
    await feed_on(world)
    assert await world.depot.scalar("SELECT count(*) FROM work.parked_message") == 2


async def test_unparking_is_all_or_nothing(world: World):
    sent = await world.send(5)
    world.depot.poison.add(sent[1])
    await feed_on(world)
    await dies(world, "unpark.mid", "unpark", key=str(sent[1]))
    assert await world.depot.scalar("SELECT count(*) FROM work.parked_message") == 2
    world.depot.poison.clear()
    assert await world.depot.consumer.unpark("parcels", world.topic, str(sent[1]).encode()) == 2
    await assert_all_was_noted_once(world)
