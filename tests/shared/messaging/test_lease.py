"""One process at a time, by the database's clock."""

from __future__ import annotations

import pytest

from shared.messaging.lease import Lease, LeaseLost
from tests.shared.messaging.depot import World, until


async def test_one_of_two_holds_it_and_the_other_follows_a_release(world: World):
    first, second = (Lease(world.depot.database, "relay") for _ in range(2))
    assert await first.hold()
    assert not await second.hold()
    assert await first.hold()
    await first.release()
    assert not first.held
    assert await second.hold()
    assert (first.epoch, second.epoch) == (1, 2)


async def test_a_holder_that_slept_too_long_can_no_longer_write(world: World):
    sleeper, successor = (Lease(world.depot.database, "relay", ttl=0.2) for _ in range(2))
    assert await sleeper.hold()
    async with world.depot.database.transaction() as conn:
        await sleeper.fence(conn)
    await until(successor.hold, "the lease does not run out")
    assert not sleeper.held
    async with world.depot.database.transaction() as conn:
        with pytest.raises(LeaseLost):
            await sleeper.fence(conn)
