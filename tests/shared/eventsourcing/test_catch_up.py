"""The catch-up task: models behind the log come up to it, and one that cannot stops alone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from shared.eventsourcing.catch_up import CatchUp
from shared.eventsourcing.log import Appended, Unit
from shared.runtime.ids import uuid7
from tests.support.parcel_office import (
    LABELS,
    LIST,
    LOG,
    MODELS,
    OLDER_CODEC,
    WEIGHTS,
    open_office,
    said,
    sent,
    weighed,
)
from tests.support.parcels import ANNA, Parcels, opened


@pytest.fixture
async def databases(fresh_databases):
    return await fresh_databases("parcels", open_office)


@pytest.fixture
async def office(databases):
    async with opened(databases, log=LOG) as office:
        yield office


async def append(office: Parcels, *units: Unit) -> int:
    async with office.database.transaction() as conn:
        outcomes = await office.store.append(conn, units)
    assert all(isinstance(outcome, Appended) for outcome in outcomes), outcomes
    office.store.announce(outcomes[-1].position)
    return outcomes[-1].position


async def set_back(office: Parcels, *models) -> None:
    """Make models look like new tables: empty, nothing applied."""
    for model in models:
        await office.database.pool.execute(f"DELETE FROM {model.table.fullname}")
        await office.database.pool.execute(
            "UPDATE read.read_model SET applied = 0 WHERE name = $1", model.name
        )


async def labels(office: Parcels, table: str = "labels_v1") -> list[str]:
    rows = await office.database.pool.fetch(f"SELECT label FROM read.{table} ORDER BY label")
    return [row["label"] for row in rows]


async def state(office: Parcels, name: str) -> tuple[int, str, str | None]:
    row = await office.database.pool.fetchrow(
        "SELECT applied, state, detail FROM read.read_model WHERE name = $1", name
    )
    return tuple(row)


@asynccontextmanager
async def running(catch_up: CatchUp):
    catch_up.start()
    try:
        yield catch_up
    finally:
        await catch_up.stop()


async def test_an_asynchronous_model_is_filled_behind_the_append(office):
    async with running(CatchUp(office.database, office.store)) as catch_up:
        first = await append(office, said(sent("tea", ANNA)), said(sent("salt", ANNA)))
        assert await catch_up.wait_for(LABELS, first, 5)
        assert await labels(office) == ["salt", "tea"]
        assert await catch_up.caught_up_to(first)


async def test_a_token_from_the_future_is_waited_for_no_longer_than_asked(office):
    async with running(CatchUp(office.database, office.store)) as catch_up:
        assert not await catch_up.wait_for(LABELS, 99, 0.1)
        assert not await catch_up.caught_up_to(99)


async def test_models_far_behind_come_up_in_chunks_and_then_follow_the_append_again(office):
    position = await append(office, *(said(sent(f"{n:03}", ANNA), weighed(n)) for n in range(100)))
    await set_back(office, *MODELS)
    catch_up = CatchUp(office.database, office.store, chunk=7)
    assert not await catch_up.caught_up_to(position)
    while await catch_up.round():
        pass
    assert await catch_up.caught_up_to(position)
    assert await labels(office) == await labels(office, "office_list_v1") == [f"{n:03}" for n in range(100)]
    total = await office.database.pool.fetchval("SELECT sum(weighings) FROM read.weights_v1")
    assert total == 100
    position = await append(office, said(sent("last", ANNA)))
    assert (await state(office, LIST.name))[0] == position


async def test_two_processes_and_the_append_never_apply_an_event_twice(databases, office):
    parcel = uuid7()
    await append(office, said(sent("tea", ANNA), about=parcel))
    async with opened(databases, log=LOG) as other:
        one = CatchUp(office.database, office.store, chunk=3)
        two = CatchUp(other.database, other.store, chunk=3)
        async with running(one), running(two):
            for n in range(40):
                if n % 10 == 5:
                    await office.database.pool.execute(
                        "UPDATE read.read_model SET state = 'building' WHERE name = 'weights'"
                    )
                writer = office if n % 2 else other
                position = await append(writer, said(weighed(1), about=parcel))
            assert await one.wait_for(WEIGHTS, position, 5)
    row = await office.database.pool.fetchrow("SELECT weighings, kilograms FROM read.weights_v1")
    assert (row["weighings"], str(row["kilograms"])) == (40, "0.040")


async def test_an_event_unknown_to_this_code_stops_the_model_and_is_never_skipped(databases, office):
    position = await append(office, said(sent("tea", ANNA), weighed(5)), said(sent("salt", ANNA)))
    await set_back(office, LABELS)
    async with opened(databases, log=replace(LOG, codec=OLDER_CODEC, read_models=(LABELS,))) as older:
        catch_up = CatchUp(older.database, older.store)
        await catch_up.round()
        await catch_up.round()
    assert await labels(office) == ["tea"]
    applied, stopped, detail = await state(office, LABELS.name)
    assert (applied, stopped) == (1, "stalled")
    assert "position 2" in detail
    newer = CatchUp(office.database, office.store)
    assert not await newer.round()
    assert await state(office, LABELS.name) == (position, "live", None)
    assert await labels(office) == ["salt", "tea"]


async def test_a_model_whose_fold_fails_stops_before_the_event_while_the_others_go_on(office):
    await append(office, *(said(sent(f"{n:02}", ANNA)) for n in range(20)))
    await set_back(office, LABELS, LIST)

    def fold(events, changes):
        if any(event.event.label == "13" for event in events):
            raise ArithmeticError("unlucky")
        LABELS.fold(events, changes)

    broken = replace(LABELS, fold=fold)
    catch_up = CatchUp(office.database, office.store, (broken, LIST))
    while await catch_up.round():
        pass
    assert await state(office, LABELS.name) == (
        13,
        "stalled",
        "ArithmeticError at the position after applied",
    )
    assert (await state(office, LIST.name))[:2] == (20, "live")
    assert await labels(office) == [f"{n:02}" for n in range(13)]


async def test_the_task_outlives_a_database_that_cuts_its_connections(office):
    async with running(CatchUp(office.database, office.store)) as catch_up:
        await append(office, said(sent("tea", ANNA)))
        async with office.database.connection() as conn:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            )
        position = await append(office, said(sent("salt", ANNA)))
        assert await catch_up.wait_for(LABELS, position, 10)


async def test_a_chunk_never_waits_for_the_append_lock(office):
    await append(office, said(sent("tea", ANNA)))
    await set_back(office, LABELS)
    catch_up = CatchUp(office.database, office.store)
    async with office.database.transaction() as conn:
        await conn.execute("SELECT pg_advisory_xact_lock(20817, 1)")
        await asyncio.wait_for(catch_up.round(), 2)
        assert await labels(office) == ["tea"]


async def test_a_stop_does_not_wait_for_the_next_look(office):
    catch_up = CatchUp(office.database, office.store)
    catch_up._breath = 3600
    catch_up.start()
    while not catch_up._applied:  # noqa: ASYNC110  polling for a condition
        await asyncio.sleep(0.01)
    office.store.announce(0)
    await asyncio.sleep(0.05)
    async with asyncio.timeout(20):
        await catch_up.stop()
