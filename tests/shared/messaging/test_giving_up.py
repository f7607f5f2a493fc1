"""Messages that are given up: gone for good, noted, and nothing else is held up by them."""

from __future__ import annotations

import pytest

from services.command_line.giving_up import GivenUp, give_up_foreign, give_up_key
from shared.eventsourcing.log import Unit
from shared.messaging import parked
from shared.messaging.message import Partition
from shared.messaging.parked import Foreign
from shared.messaging.progress import Progress
from tests.shared.messaging import depot
from tests.shared.messaging.depot import World


def noting(given_up: GivenUp) -> Unit:
    return depot.rewound(given_up.positions[0])


def failing(_given_up: GivenUp) -> Unit:
    raise RuntimeError("the power is cut")


async def test_a_key_that_is_given_up_goes_on_with_its_next_message(world: World):
    sent = await world.send(30)
    poisoned, key = sent[7], str(sent[7]).encode()
    world.depot.poison.add(poisoned)
    messages = [message for message in await world.messages() if message.key == key]
    neighbours = [message for message in await world.messages() if message.key != key]
    first, last = messages
    until_first = [m for m in neighbours if m.partition != first.partition or m.position < last.position]
    await world.depot.consumer.take("parcels", sorted([first, *until_first], key=lambda m: m.position))
    world.depot.poison.clear()

    given_up = await give_up_key(world.depot.database, world.depot.store, "parcels", world.topic, key, noting)
    assert given_up == GivenUp(partition=first.partition, key=str(poisoned), positions=(first.position,))
    assert await Progress(world.depot.consumer).parked_keys("parcels") == set()
    noted = "SELECT (payload->>'kept')::bigint FROM log.event WHERE type = 'SourceRewound'"
    assert await world.depot.scalar(noted) == first.position

    rest = [m for m in await world.messages() if m.partition == first.partition]
    assert await world.depot.consumer.take("parcels", rest) == {}
    assert await world.heard()
    causes = [cause for parcel, cause in await world.depot.effects() if parcel == poisoned]
    assert len(causes) == 1
    again = await give_up_key(world.depot.database, world.depot.store, "parcels", world.topic, key, noting)
    assert again is None


async def test_nothing_is_given_up_when_it_cannot_be_noted(world: World):
    [poisoned] = (await world.send(1))[:1]
    world.depot.poison.add(poisoned)
    await world.depot.consumer.take("parcels", await world.messages())
    key = str(poisoned).encode()
    with pytest.raises(RuntimeError, match="power"):
        await give_up_key(world.depot.database, world.depot.store, "parcels", world.topic, key, failing)
    assert await Progress(world.depot.consumer).parked_keys("parcels") == {key}


async def test_a_foreign_message_is_given_up_by_its_place(world: World):
    place = Partition("parcels", world.topic, 0)
    foreign = Foreign(partition=place, offset=17, key=None, headers=(), value=b"who am I", error="no headers")
    async with world.depot.database.transaction() as conn:
        await parked.park_foreign(conn, "depot", foreign)
    assert await give_up_foreign(world.depot.database, world.depot.store, place, 16, noting) is None
    given_up = await give_up_foreign(world.depot.database, world.depot.store, place, 17, noting)
    assert given_up == GivenUp(partition=place, key="", positions=(17,))
    async with world.depot.database.connection() as conn:
        assert await parked.listed(conn, "depot") == []
