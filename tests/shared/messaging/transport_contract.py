"""What every transport between two logs has to keep: the same messages, the same effects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from shared.messaging.message import Message, demultiplex
from shared.messaging.progress import Progress
from tests.shared.messaging.depot import World, running, until


class TransportContract:
    """Inherit it and say how the transport runs, repeats a message and loses one."""

    @asynccontextmanager
    async def transport(self, world: World) -> AsyncIterator[None]:
        """Run the transport from the parcels' log to the depot's."""
        raise NotImplementedError
        yield

    async def repeat(self, world: World, messages: Sequence[Message]) -> None:
        """Bring messages once more, before the transport runs again."""
        raise NotImplementedError

    async def lose(self, world: World, message: Message) -> None:
        """Bring all messages but this one, before the transport runs."""
        raise NotImplementedError

    async def assert_all_was_noted_once(self, world: World) -> None:
        await until(world.heard, "the depot has not heard everything")
        effects = await world.depot.effects()
        assert sorted(effects, key=lambda effect: effect[1]) == await world.facts()
        for parcel in {parcel for parcel, _ in effects}:
            causes = [cause for noted, cause in effects if noted == parcel]
            assert causes == sorted(causes)

    async def test_everything_public_is_noted_once_and_in_the_order_of_its_key(self, world: World):
        await world.send(100)
        async with self.transport(world):
            await world.send(50)
            await until(world.heard, "the depot has not heard everything")
            await world.send(1)
            await self.assert_all_was_noted_once(world)

    async def test_messages_that_come_again_change_nothing(self, world: World):
        await world.send(20)
        async with self.transport(world):
            await until(world.heard, "the depot has not heard everything")
        await self.repeat(world, await world.messages())
        async with self.transport(world):
            await world.send(3)
            await self.assert_all_was_noted_once(world)
        assert world.depot.counted("consumer_messages_total", source="parcels", outcome="duplicate") >= 40

    async def test_a_message_lost_on_the_way_is_fetched_from_the_feed(self, world: World):
        await world.send(30)
        lost = max(demultiplex(await world.messages()).values(), key=len)[2]
        await self.lose(world, lost)
        async with self.transport(world):
            await self.assert_all_was_noted_once(world)
        assert world.depot.counted("consumer_gaps_repaired_total", source="parcels") >= 1

    async def test_a_poisoned_key_waits_whole_and_the_rest_goes_on(self, world: World):
        sent = await world.send(10)
        world.depot.poison.add(sent[3])
        async with self.transport(world):
            await until(world.heard, "a poisoned key holds up the others")
            assert sent[3] not in {parcel for parcel, _ in await world.depot.effects()}
            world.depot.poison.clear()
            assert await world.depot.consumer.unpark("parcels", world.topic, str(sent[3]).encode()) == 2
            await world.send(2)
            await self.assert_all_was_noted_once(world)

    async def test_another_log_under_the_same_name_is_refused(self, world: World):
        await world.send(60)  # so many that no partition is empty: an empty one has nothing to refuse by
        async with self.transport(world):
            await until(world.heard, "the depot has not heard everything")
        before = await world.depot.effects()
        async with world.depot.database.connection() as conn:
            await conn.execute("UPDATE work.checkpoint SET hash = '\\x01' WHERE position > 0")
            await conn.execute("UPDATE work.source_head SET hash = '\\x01'")
        await self.repeat(world, await world.messages())

        async def refused() -> bool:
            return world.depot.counted("consumer_stopped", source="parcels", reason="fork") == 1

        async with self.transport(world):
            await world.send(10)
            await until(refused, "the fork was not noticed")
        assert await world.depot.effects() == before

    async def test_the_depot_knows_up_to_when_it_has_heard_everything(self, world: World):
        progress = Progress(world.depot.consumer, poll=0.05)
        assert await progress.complete(["parcels"]) is None
        await world.send(20)
        sent_at = (await world.pages.head()).as_of
        async with self.transport(world), running(progress.run):

            async def complete() -> bool:
                found = await progress.complete(["parcels"])
                return found is not None and found >= sent_at

            await until(complete, "the depot does not know that it is complete")
            assert len(await world.depot.effects()) == 40
            assert await progress.reached(await world.ends())
            assert not await progress.reached({(world.topic, 0): 1 << 40})

    async def test_a_source_is_asked_at_once_when_something_waits_for_it(self, world: World):
        progress = Progress(world.depot.consumer, poll=3600)

        async def complete() -> bool:
            found = await progress.complete(["parcels"])
            return found is not None and found >= sent_at

        async with self.transport(world), running(progress.run):
            for count in (1, 2):
                await world.send(count)
                sent_at = (await world.pages.head()).as_of
                await until(complete, "the head of an hour ago still counts")

    @pytest.mark.parametrize("rounds", [3])
    async def test_the_transport_may_be_stopped_and_started_at_any_time(self, world: World, rounds: int):
        for _ in range(rounds):
            async with self.transport(world):
                await world.send(15)
        async with self.transport(world):
            await self.assert_all_was_noted_once(world)
