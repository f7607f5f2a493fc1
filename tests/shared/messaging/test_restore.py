"""A source restored from a backup: what goes on by itself, what an operator reconciles."""

from __future__ import annotations

from uuid import uuid4

import asyncpg
import pytest

from shared.eventsourcing.log import StoreFork
from shared.messaging.brokers import KafkaAccess
from shared.messaging.kafka_listener import KafkaListener
from shared.messaging.message import demultiplex
from shared.messaging.progress import Progress
from shared.messaging.reconcile import Reconciled, reconcile
from shared.messaging.topics import declare
from shared.runtime.settings import KafkaSettings
from tests.shared.messaging.depot import World, rewound, running, until
from tests.shared.messaging.test_kafka_transport import relay_of
from tests.support.kafka import Broker


async def restore(world: World, after: int, *, told: bool = True) -> None:
    """Throw away what came after a position, as a backup lacks it; `told`: begin a new incarnation."""
    conn = await asyncpg.connect(world.source_databases.owner_url)
    async with conn.transaction():
        await conn.execute("DELETE FROM log.outbox WHERE position > $1", after)
        await conn.execute("DELETE FROM log.event WHERE position > $1", after)
        await conn.execute("UPDATE log.topic SET applied = $1", after)
        await conn.execute("UPDATE read.read_model SET applied = $1", after)
        await conn.execute("DELETE FROM work.relay_checkpoint WHERE position > $1", after)
        if told:
            await conn.execute(
                "INSERT INTO log.incarnation (ordinal, id, after) VALUES (2, $1, $2)", uuid4(), after
            )
    await conn.close()


async def reconciled(world: World) -> Reconciled:
    depot = world.depot
    return await reconcile(depot.database, depot.store, depot.feed, "parcels", lambda r: rewound(r.kept))


async def heard_again(world: World) -> None:
    for partition in demultiplex(await world.messages()):
        await world.depot.consumer.repair(partition)


async def test_who_had_heard_less_than_was_kept_goes_on(world: World):
    await world.send(10)
    early = [message for message in await world.messages() if message.position <= 10]
    await world.depot.consumer.take("parcels", early)
    await restore(world, 15)
    await world.send(10)
    await heard_again(world)
    assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()
    assert await reconciled(world) == Reconciled(rewound=(), orphans=())


async def test_who_had_heard_what_was_lost_stops_until_it_is_reconciled(world: World):
    await world.send(10)
    old = await world.messages()
    await world.depot.consumer.take("parcels", old)
    progress = Progress(world.depot.consumer)
    await restore(world, 15)
    await world.send(10)
    with pytest.raises(StoreFork, match="reconcile"):
        await world.depot.consumer.take("parcels", await world.messages())
    with pytest.raises(StoreFork, match="reconcile"):
        await progress.poll_once("parcels")
    assert await progress.complete(["parcels"]) is None
    lost = {message.position for message in old if message.position > 15}
    assert len(await world.depot.effects()) == 20

    outcome = await reconciled(world)
    assert {each.heard for each in outcome.rewound} <= lost
    assert all(each.kept <= 15 for each in outcome.rewound)
    assert len(outcome.orphans) == len(lost)
    assert {orphan.type for orphan in outcome.orphans} == {"ArrivalNoted"}
    noted = await world.depot.scalar("SELECT count(*) FROM log.event WHERE type = 'SourceRewound'")
    assert noted == len(outcome.rewound)

    assert await world.depot.consumer.take("parcels", old) is not None  # the old life's are dropped
    await heard_again(world)
    assert await world.heard()
    effects = await world.depot.effects()
    orphans = {orphan.position for orphan in outcome.orphans}
    kept = [effect for position, effect in enumerate(effects, start=1) if position not in orphans]
    assert sorted(kept, key=lambda effect: effect[1]) == await world.facts()
    assert await reconciled(world) == Reconciled(rewound=(), orphans=())


async def test_a_source_that_lacks_what_was_heard_is_not_complete_until_that_is_set_right(world: World):
    await world.send(10)
    await world.depot.consumer.take("parcels", await world.messages())
    progress = Progress(world.depot.consumer)
    await progress.poll_once("parcels")
    assert await progress.complete(["parcels"]) is not None
    await restore(world, 15, told=False)
    with pytest.raises(StoreFork, match="reconcile"):
        await progress.poll_once("parcels")
    assert await progress.complete(["parcels"]) is None
    assert world.depot.counted("consumer_stopped", source="parcels", reason="fork") == 1

    await restore(world, 15)
    await reconciled(world)
    await heard_again(world)
    await progress.poll_once("parcels")
    assert await progress.complete(["parcels"]) is not None
    assert world.depot.counted("consumer_stopped", source="parcels", reason="fork") == 0


@pytest.mark.kafka
async def test_over_kafka_the_relay_resumes_where_the_backup_ends_and_old_records_are_dropped(
    world: World, kafka: Broker
):
    access = KafkaAccess(
        bootstrap_servers=kafka.bootstrap_servers, settings=KafkaSettings(replication_factor=1)
    )
    await declare(access, world.source.store.partitions)
    await world.send(10)

    async def relayed() -> bool:
        async with world.source.database.connection() as conn:
            done = await conn.fetchval("SELECT max(position) FROM work.relay_checkpoint")
        return bool(done == await world.head())

    async with running(relay_of(world, access).run):
        await until(relayed, "the relay does not run")
    await restore(world, 15)
    await world.send(10)
    listener = KafkaListener(world.depot.consumer, access, group=world.topic)
    async with running(relay_of(world, access).run, listener.run):
        await until(world.heard, "the depot does not follow the restored log")
    assert sorted(await world.depot.effects(), key=lambda effect: effect[1]) == await world.facts()
    assert world.depot.counted("consumer_messages_total", source="parcels", outcome="dropped") > 0
