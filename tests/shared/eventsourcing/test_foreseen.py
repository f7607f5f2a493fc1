"""Appending in one statement: what was foreseen comes true, or nothing of it does."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from shared.eventsourcing.chain import verify
from shared.eventsourcing.foreseen import NotForeseen
from shared.eventsourcing.group_commit import GroupCommit
from shared.eventsourcing.log import OutcomeUnknown
from shared.eventsourcing.preparing import Prepared
from shared.eventsourcing.projection import ReadModel
from shared.messaging.feed import FeedPages
from tests.support.parcels import PARCEL_LIST, ParcelSent, a_parcel, opened
from tests.support.unreliable import LosesStatement


async def the_long_way(parcels, *units):
    async with parcels.database.transaction() as conn:
        return await parcels.store.append(conn, units)


async def foreseen(parcels, *units):
    """What this process foresees of units, having appended a first one the long way."""
    if (await parcels.store.head(parcels.database.pool)).position == 0:
        await the_long_way(parcels, a_parcel("first"))
    prepared = await parcels.store.prepare(None, units)
    assert all(isinstance(unit, Prepared) for unit in prepared)
    return parcels.store.foresee(prepared)


async def make_true(parcels, batch):
    async with parcels.database.connection() as conn:
        await parcels.store.append_foreseen(conn, batch)


async def labels(parcels):
    rows = await parcels.database.pool.fetch("SELECT label FROM read.parcel_list_v1 ORDER BY label")
    return [row["label"] for row in rows]


async def head(parcels):
    return (await parcels.store.head(parcels.database.pool)).position


async def test_a_process_that_never_appended_foresees_nothing(parcels):
    assert parcels.store.foresee(await parcels.store.prepare(None, [a_parcel()])) is None


async def test_what_was_foreseen_stands_in_the_log_the_outbox_the_read_model_and_the_chain(parcels):
    batch = await foreseen(parcels, a_parcel("books", key="k"), a_parcel("tea"))
    await make_true(parcels, batch)
    assert await labels(parcels) == ["books", "first", "tea"]
    async with parcels.database.connection() as conn:
        stored = await parcels.store.read(conn, 1, 10)
        assert [(r.position, r.event_id, r.recorded_at) for r in stored] == [
            (o.events[0].position, o.events[0].event_id, o.recorded_at) for o in batch.outcomes
        ]
        assert await conn.fetchval("SELECT array_agg(position ORDER BY position) FROM log.outbox") == [
            1,
            2,
            3,
        ]
        assert await conn.fetchval("SELECT position FROM log.idempotency") == 2
        assert await conn.fetchval("SELECT min(applied) FROM read.read_model") == 3
        await verify(conn)


async def test_recorded_time_never_falls_from_one_append_to_the_next(parcels):
    for n in range(5):
        await make_true(parcels, await foreseen(parcels, a_parcel(str(n))))
        await the_long_way(parcels, a_parcel(f"long {n}"))
    moments = await parcels.database.pool.fetchval(
        "SELECT array_agg(recorded_at ORDER BY position) FROM log.event"
    )
    assert moments == sorted(moments)
    assert len(moments) == 11


async def test_nothing_is_stored_when_another_process_has_appended(databases, parcels):
    batch = await foreseen(parcels, a_parcel("books"))
    async with opened(databases) as other:
        await the_long_way(other, a_parcel("theirs"))
    with pytest.raises(NotForeseen):
        await make_true(parcels, batch)
    assert await labels(parcels) == ["first", "theirs"]
    assert await head(parcels) == 2


async def test_nothing_is_recorded_at_a_moment_that_was_told_to_be_complete(parcels):
    batch = await foreseen(parcels, a_parcel("books"))
    told = await FeedPages(parcels.database, parcels.store).head()
    assert told.as_of > batch.outcomes[0].recorded_at
    with pytest.raises(NotForeseen):
        await make_true(parcels, batch)
    [appended] = await the_long_way(parcels, a_parcel("tea"))
    assert appended.recorded_at > told.as_of


async def test_a_unit_that_was_answered_before_undoes_its_neighbours_as_well(parcels):
    await the_long_way(parcels, a_parcel("first", key="k"))
    batch = await foreseen(parcels, a_parcel("books"), a_parcel("again", key="k"))
    with pytest.raises(NotForeseen):
        await make_true(parcels, batch)
    assert await labels(parcels) == ["first"]


async def test_a_stream_that_somebody_else_began_undoes_the_batch(databases, parcels):
    ours = a_parcel("ours")
    batch = await foreseen(parcels, ours)
    async with opened(databases) as other:
        await the_long_way(other, a_parcel("theirs", to=ours.steps[0].stream_id))
    with pytest.raises(NotForeseen):
        await make_true(parcels, batch)


async def test_a_read_model_that_is_being_caught_up_is_not_foreseen(parcels):
    batch = await foreseen(parcels, a_parcel("books"))
    async with parcels.database.transaction() as conn:
        await conn.execute("SELECT applied FROM read.read_model FOR UPDATE")
        with pytest.raises(NotForeseen):
            await make_true(parcels, batch)
    assert await head(parcels) == 1


async def test_a_fold_that_does_more_than_put_rows_goes_the_long_way(databases):
    def fold(events, changes):
        PARCEL_LIST.fold(events, changes)
        changes.set_every({"label": "tea"}, grams=0)

    model = ReadModel(
        name="parcel_list", version=1, table=PARCEL_LIST.table, follows=(ParcelSent,), fold=fold
    )
    async with opened(databases, model) as parcels:
        assert await foreseen(parcels, a_parcel("tea")) is None


async def test_foreseeing_pauses_longer_each_time_it_fails_and_begins_again(databases, parcels):
    paused = []
    async with opened(databases) as other:
        for _ in range(3):
            batch = await foreseen(parcels, a_parcel("books"))
            await the_long_way(other, a_parcel("theirs"))
            with pytest.raises(NotForeseen):
                await make_true(parcels, batch)
            paused.append(0)
            await the_long_way(parcels, a_parcel("ours"))
            while await foreseen(parcels, a_parcel("books")) is None:
                paused[-1] += 1
    assert paused == [1, 2, 4]
    await make_true(parcels, await foreseen(parcels, a_parcel("books")))


async def test_two_processes_at_once_lose_nothing_and_keep_the_chain(databases, parcels):
    async with opened(databases) as other:
        commits = [GroupCommit(each.database, each.store) for each in (parcels, other)]
        for commit in commits:
            commit.start()
        for _ in range(5):
            await asyncio.gather(*(commit.submit(a_parcel(f"{n}")) for n in range(20) for commit in commits))
        for commit in commits:
            await commit.stop()
    assert await head(parcels) == 200
    assert len(await labels(parcels)) == 200
    async with parcels.database.connection() as conn:
        await verify(conn)


async def warm(commit):
    commit.start()
    await commit.submit(a_parcel("first"))


async def test_a_statement_whose_answer_was_lost_is_found_in_the_log(parcels):
    commit = GroupCommit(LosesStatement(parcels.database, "WITH appended", after=True), parcels.store)
    await warm(commit)
    outcome = await commit.submit(a_parcel("books"))
    await commit.stop()
    assert outcome.position == 2
    assert await labels(parcels) == ["books", "first"]


async def test_a_statement_that_never_reached_the_server_stores_nothing(parcels):
    commit = GroupCommit(LosesStatement(parcels.database, "WITH appended", after=False), parcels.store)
    await warm(commit)
    with pytest.raises(asyncpg.PostgresConnectionError):
        await commit.submit(a_parcel("books"))
    await commit.stop()
    assert await labels(parcels) == ["first"]


async def test_a_lost_statement_that_was_not_found_cannot_be_stored_any_more(parcels):
    batch = await foreseen(parcels, a_parcel("books"))  # sent, lost, and still waiting for the append lock
    commit = GroupCommit(parcels.database, parcels.store)
    assert not await commit._committed(batch.outcomes)
    with pytest.raises(NotForeseen):
        await make_true(parcels, batch)
    assert await labels(parcels) == ["first"]


async def test_a_lost_statement_that_nobody_can_tell_of_is_called_unknown(parcels):
    holder = await parcels.database.pool.acquire()
    losing = LosesStatement(parcels.database, "WITH appended", after=True, then=holder)
    commit = GroupCommit(losing, parcels.store)
    await warm(commit)
    with pytest.raises(OutcomeUnknown):
        await commit.submit(a_parcel("books"))
    await commit.stop()
    await holder.execute("ROLLBACK")
    await parcels.database.pool.release(holder)
