"""Rebuilding a read model: the same rows beside the live ones, switched in a moment."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shared.eventsourcing.catch_up import CatchUp
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import Appended, NewerData, Unit
from shared.eventsourcing.rebuild import Progress, RebuildOvertaken, _Building, rebuild, table_hash
from shared.runtime.database import Database
from shared.runtime.ids import uuid7
from tests.support.parcel_office import (
    LABELS,
    LIST,
    LOG,
    MODELS,
    OLDER_CODEC,
    WEIGHTS,
    SubjectErased,
    delivered,
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


@pytest.fixture
async def owner(databases):
    database = await Database.open(databases.owner_url, application_name="owner")
    yield database
    await database.close()


async def append(office: Parcels, *units: Unit) -> int:
    async with office.database.transaction() as conn:
        outcomes = await office.store.append(conn, units)
    assert all(isinstance(outcome, Appended) for outcome in outcomes), outcomes
    return outcomes[-1].position


async def a_past(office: Parcels, parcels: int = 60) -> int:
    """Give the office a log in which parcels come, are weighed again and again, and go."""
    units = []
    for n in range(parcels):
        events = [sent(f"parcel {n}", ANNA if n % 2 else uuid7()), weighed(n), weighed(n + 1)]
        units.append(said(*events, *([delivered()] if n % 3 == 0 else [])))
    await append(office, *units)
    position = await append(office, said(SubjectErased(subject_id=ANNA)), said(sent("after", uuid7())))
    catch_up = CatchUp(office.database, office.store)
    while await catch_up.round():
        pass
    return position


async def hashes(office: Parcels) -> dict[str, str]:
    async with office.database.connection() as conn:
        return {model.name: await table_hash(conn, model.table) for model in MODELS}


async def indexes(office: Parcels, table: str) -> list[tuple]:
    rows = await office.database.pool.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'read' AND tablename = $1 ORDER BY 1",
        table,
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("chunk", [7, 5000])
async def test_a_rebuilt_table_hashes_like_the_live_one(office, owner, chunk):
    position = await a_past(office)
    before = await hashes(office)
    assert len(set(before.values())) == len(MODELS)
    for model in MODELS:
        assert await rebuild(owner, office.store, model, chunk=chunk) == position
    assert await hashes(office) == before


ODD_TEXTS = [
    "",
    "null",
    "NULL",
    "a,b",
    'a "b"',
    "\\",
    "\\n",
    "\n",
    "\\\n",
    '\\"\n',
    "]\n[",
    "\n\\.\n",
    "\r\n",
    "\t\x01\x7f",
    "€ 😀",
]


async def test_a_rebuild_copies_any_text_as_it_is(office, owner):
    await append(office, *(said(sent(text, uuid7())) for text in ODD_TEXTS))
    before = await hashes(office)
    for model in (LIST, LABELS):
        await rebuild(owner, office.store, model)
    assert (await hashes(office))[LIST.name] == before[LIST.name]
    for model in (LIST, LABELS):
        rows = await office.database.pool.fetch(f"SELECT label FROM {model.table.fullname}")
        assert sorted(row["label"] for row in rows) == sorted(ODD_TEXTS)


async def test_a_rebuild_repairs_what_was_damaged_and_revives_a_stalled_model(office, owner):
    await a_past(office)
    before = await hashes(office)
    await office.database.pool.execute("DELETE FROM read.office_list_v1 WHERE grams > 20")
    await office.database.pool.execute("UPDATE read.read_model SET state = 'stalled', detail = 'damaged'")
    assert await hashes(office) != before
    await rebuild(owner, office.store, LIST)
    assert await hashes(office) == before
    row = await office.database.pool.fetchrow(
        "SELECT state, detail FROM read.read_model WHERE name = 'office_list'"
    )
    assert tuple(row) == ("live", None)


async def test_the_new_table_has_the_old_ones_indexes_rights_and_options(office, owner):
    await a_past(office)
    async with owner.connection() as conn:
        await conn.execute("ALTER TABLE read.office_list_v1 SET (fillfactor = 70)")
        await conn.execute("GRANT TRUNCATE ON read.office_list_v1 TO parcels_app")
    facts = "SELECT relacl::text, reloptions FROM pg_class WHERE oid = 'read.office_list_v1'::regclass"
    before = (await indexes(office, "office_list_v1"), tuple(await office.database.pool.fetchrow(facts)))
    await rebuild(owner, office.store, LIST)
    await rebuild(owner, office.store, LIST)
    after = (await indexes(office, "office_list_v1"), tuple(await office.database.pool.fetchrow(facts)))
    assert len(before[0]) == 2
    assert before[0] == after[0]
    assert before[1][1] == after[1][1]
    assert "parcels_app=arwdD/" in before[1][0]
    assert before[1][0] == after[1][0]


async def test_a_rebuild_tells_how_far_it_is(office, owner):
    position = await a_past(office)
    told: list[Progress] = []
    await rebuild(owner, office.store, WEIGHTS, chunk=50, progress=told.append)
    assert [step.done for step in told] == [*range(50, position, 50), position]
    assert {step.total for step in told} == {position}
    assert all(step.rate > 0 for step in told)


async def test_readers_and_writers_go_on_while_a_table_is_rebuilt_under_them(office, owner):
    await a_past(office)
    parcel = uuid7()
    await append(office, said(sent("busy", uuid7()), about=parcel))
    done = asyncio.Event()

    async def keep_writing() -> int:
        count = 0
        while not done.is_set():
            await append(office, said(weighed(count), about=parcel))
            count += 1
        return count

    async def keep_reading() -> int:
        count = 0
        while not done.is_set():
            seen = await office.database.pool.fetchval("SELECT count(*) FROM read.office_list_v1")
            assert seen == 42  # never empty, never half filled
            count += 1
        return count

    writing, reading = asyncio.create_task(keep_writing()), asyncio.create_task(keep_reading())
    for _ in range(3):
        await rebuild(owner, office.store, WEIGHTS, chunk=20)
        await rebuild(owner, office.store, LIST, chunk=20)
    done.set()
    written, reads = await asyncio.gather(writing, reading)
    catch_up = CatchUp(office.database, office.store)
    while await catch_up.round():
        pass
    weighings = await office.database.pool.fetchval(
        "SELECT weighings FROM read.weights_v1 WHERE parcel_id = $1", parcel
    )
    assert weighings == written > 0
    assert reads > 0


async def test_the_switch_lets_a_long_reader_finish(office, owner):
    await a_past(office)
    before = await hashes(office)
    async with office.database.transaction() as conn:
        await conn.fetch("SELECT * FROM read.office_list_v1 LIMIT 1")
        rebuilding = asyncio.create_task(rebuild(owner, office.store, LIST))
        for _ in range(5):  # others read on, though the switch is knocking
            await asyncio.wait([rebuilding], timeout=0.1)
            assert await office.database.pool.fetchval("SELECT count(*) FROM read.office_list_v1") == 41
        assert not rebuilding.done()
    await asyncio.wait_for(rebuilding, 10)
    assert await hashes(office) == before


async def test_a_crash_before_the_switch_leaves_the_live_table_and_the_next_rebuild_works(
    databases, office, owner
):
    await a_past(office)
    before = await hashes(office)
    crashed = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        databases.owner_url,
        databases.keys_url,
        env={
            **os.environ,
            "PLUMBLINE_TEST_FAILPOINT": "rebuild.before_switch",
            "PYTHONPATH": str(Path.cwd()),
        },
    )
    assert await crashed.wait() == 137
    assert await hashes(office) == before
    await append(office, said(sent("life goes on", uuid7())))
    after = await hashes(office)
    await rebuild(owner, office.store, LIST)
    assert await hashes(office) == after


async def test_an_older_release_refuses_to_rebuild_what_it_cannot_read(databases, office, owner):
    await a_past(office)
    before = await hashes(office)
    async with opened(databases, log=replace(LOG, codec=OLDER_CODEC)) as older:
        with pytest.raises(NewerData):
            await rebuild(owner, older.store, LABELS)
    assert await hashes(office) == before


async def test_of_two_rebuilds_of_one_model_the_first_gives_way(office, owner):
    await a_past(office)
    before = await hashes(office)
    first = _Building(owner, office.store, WEIGHTS)
    await first.begin()
    filling = first.fill(0, 100, 20)
    await anext(filling)
    await rebuild(owner, office.store, WEIGHTS)
    with pytest.raises(RebuildOvertaken):  # one chunk is on its way while the next is folded
        async for _ in filling:
            pass
    with pytest.raises(RebuildOvertaken):
        await first.switch(100)
    assert await hashes(office) == before


async def test_equal_rows_hash_alike_whatever_their_order_and_the_session(office, owner):
    await a_past(office)
    async with owner.connection() as conn:
        before = await table_hash(conn, LIST.table)
        await conn.execute("CREATE TABLE kept AS SELECT * FROM read.office_list_v1")
        await conn.execute("TRUNCATE read.office_list_v1")
        await conn.execute("INSERT INTO read.office_list_v1 SELECT * FROM kept ORDER BY label DESC")
        await conn.execute("SET timezone = 'Asia/Tokyo'")
        assert await table_hash(conn, LIST.table) == before
        await conn.execute("UPDATE read.office_list_v1 SET grams = 1 WHERE label = 'after'")
        assert await table_hash(conn, LIST.table) != before


async def _die_rebuilding(owner_url: str, keys_url: str) -> None:
    owner = await Database.open(owner_url, application_name="rebuild")
    keys = await Database.open(keys_url, application_name="rebuild keys")
    await rebuild(owner, EventStore(LOG, SubjectKeys(keys)), LIST)


if __name__ == "__main__":
    asyncio.run(_die_rebuilding(*sys.argv[1:]))
