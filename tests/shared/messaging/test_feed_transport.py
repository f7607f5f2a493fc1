"""The feed as a transport."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from shared.eventsourcing.log import StoreFork
from shared.messaging.feed_listener import FeedListener
from shared.messaging.message import Message
from shared.messaging.pages import FeedHead, FeedPage
from tests.shared.messaging.depot import World, running, until
from tests.shared.messaging.transport_contract import TransportContract


class TestFeedTransport(TransportContract):
    @asynccontextmanager
    async def transport(self, world: World) -> AsyncIterator[None]:
        async with running(FeedListener(world.depot.consumer, "parcels", wait=0.5).run):
            yield

    async def repeat(self, world: World, messages: Sequence[Message]) -> None:
        async with world.depot.database.connection() as conn:
            await conn.execute("UPDATE work.source_head SET position = 0")

    async def lose(self, world: World, message: Message) -> None:
        async with world.depot.database.connection() as conn:
            await conn.execute(
                "INSERT INTO work.source_head (consumer, source, position, hash) "
                "VALUES ('depot', 'parcels', $1, $2)",
                message.position,
                message.hash,
            )


async def test_only_one_process_asks_at_a_time_and_the_next_takes_over(world: World):
    first = FeedListener(world.depot.consumer, "parcels", wait=0.2, ttl=0.5)
    second = FeedListener(world.depot.another_consumer(), "parcels", wait=0.2, ttl=0.5)
    async with running(second.run):
        async with running(first.run):
            await world.send(5)
            await until(world.heard, "nobody listens")
        await world.send(5)
        await until(world.heard, "nobody took over")
    assert await world.depot.scalar("SELECT count(*) FROM work.lease") == 1
    assert len(await world.depot.effects()) == 20


async def test_a_page_is_the_same_after_its_journey_as_json(world: World):
    await world.send(10)
    page = await world.pages.page(0, limit=15)
    assert len(page.messages) == 15
    assert FeedPage.from_json(page.to_json()) == page
    head = await world.pages.head()
    assert FeedHead.from_json(head.to_json()) == head
    assert head.position == 30
    assert max(head.ends.values()) == page_end(await world.pages.page(page.position))


def page_end(page: FeedPage) -> int:
    return page.messages[-1].position


async def test_a_reader_without_news_is_answered_as_soon_as_there_is_some(world: World):
    waiting = asyncio.ensure_future(world.pages.page(0, wait=15))
    await asyncio.sleep(0)
    await world.send(1)
    page = await asyncio.wait_for(waiting, 5)
    assert page.messages
    empty = await world.pages.page(await world.head(), wait=0.05)
    assert (empty.messages, empty.position) == ((), await world.head())


async def test_one_partition_can_be_asked_for_alone(world: World):
    await world.send(30)
    message = (await world.messages())[-1]
    place = (message.topic, message.partition.number)
    page = await world.pages.page(0, place=place)
    assert page.messages == tuple(m for m in await world.messages() if m.partition == message.partition)


async def test_a_reader_of_another_log_is_told_so(world: World):
    await world.send(3)
    with pytest.raises(StoreFork, match="another hash"):
        await world.pages.page(2, digest=b"\x00" * 32)
    with pytest.raises(StoreFork, match="beyond the head"):
        await world.pages.page(1000)
