"""An erased person is gone from log and read models, and stays gone after a restore."""

from __future__ import annotations

import pytest

from shared.eventsourcing.catch_up import CatchUp
from shared.eventsourcing.codec import ERASED
from shared.eventsourcing.erasure import ErasureRules, erase, erased_everywhere, erased_in_log, unfinished
from shared.eventsourcing.incarnation import current, restore
from shared.eventsourcing.log import Appended, Unit
from shared.eventsourcing.rebuild import rebuild, table_hash
from shared.runtime.database import Database
from shared.runtime.ids import derived, uuid7
from tests.support.parcel_office import (
    LABELS,
    LIST,
    LOG,
    MODELS,
    SubjectErased,
    open_office,
    said,
    sent,
    weighed,
)
from tests.support.parcels import ANNA, Parcels, opened

BEN = derived(ANNA, "ben")
RULES = ErasureRules(
    event=SubjectErased,
    subject_of=lambda event: event.subject_id,
    unit_for=lambda subject: said(SubjectErased(subject_id=subject), about=derived(subject, "erasure")),
)


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


async def append(office: Parcels, *units: Unit) -> None:
    async with office.database.transaction() as conn:
        outcomes = await office.store.append(conn, units)
    assert all(isinstance(outcome, Appended) for outcome in outcomes), outcomes


async def labels(office: Parcels, table: str) -> set[str | None]:
    return {row["label"] for row in await office.database.pool.fetch(f"SELECT label FROM read.{table}")}


async def in_the_log(office: Parcels) -> set[str]:
    async with office.database.connection() as conn:
        events = await office.store.read(conn, 0, 1000)
    return {recorded.event.label for recorded in events if hasattr(recorded.event, "label")}


async def catch_up(office: Parcels) -> None:
    task = CatchUp(office.database, office.store)
    while await task.round():
        pass


async def test_an_erased_person_leaves_the_log_and_the_read_models_and_others_stay(office):
    await append(office, said(sent("a ring", ANNA)), said(sent("tea", BEN)))
    await catch_up(office)
    position = await erase(office.database, office.store, RULES, [ANNA], settle_seconds=0)
    assert await labels(office, "office_list_v1") == {None, "tea"}
    assert await in_the_log(office) == {ERASED, "tea"}
    assert not await erased_everywhere(office.database, office.store, position)
    await catch_up(office)
    assert await erased_everywhere(office.database, office.store, position)
    assert await labels(office, "labels_v1") == {None, "tea"}


async def test_a_table_rebuilt_after_an_erasure_equals_the_live_one(office, owner):
    await append(office, said(sent("a ring", ANNA), weighed(3)), said(sent("tea", BEN)))
    await erase(office.database, office.store, RULES, [ANNA], settle_seconds=0)
    await catch_up(office)
    async with owner.connection() as conn:
        before = [await table_hash(conn, model.table) for model in (LIST, LABELS)]
    for model in (LIST, LABELS):
        await rebuild(owner, office.store, model)
    async with owner.connection() as conn:
        assert [await table_hash(conn, model.table) for model in (LIST, LABELS)] == before


async def test_an_erasure_cut_short_after_the_key_is_found_and_finished(office):
    await append(office, said(sent("a ring", ANNA)))
    await office.keys.erase(ANNA)
    assert await unfinished(office.database, office.store, RULES) == {ANNA}
    await erase(office.database, office.store, RULES, {ANNA}, settle_seconds=0)
    assert await unfinished(office.database, office.store, RULES) == set()
    assert await labels(office, "office_list_v1") == {None}


async def test_a_person_never_heard_of_can_be_erased_before_they_come(office):
    await erase(office.database, office.store, RULES, [ANNA], settle_seconds=0)
    await append(office, said(sent("a ring", ANNA)))
    assert await in_the_log(office) == {ERASED}


async def test_a_restore_begins_a_new_life_and_erases_again_what_the_backup_still_knew(office, owner):
    await append(office, said(sent("a ring", ANNA)), said(sent("tea", BEN)), said(sent("salt", uuid7())))
    await catch_up(office)
    async with office.database.connection() as conn:
        first = await current(conn)
    assert (first.ordinal, first.after) == (1, 0)
    await office.keys.erase(ANNA)  # after the backup was taken: the restored log does not tell of it
    second = await restore(owner, office.store, RULES, erased_elsewhere=[BEN])
    assert (second.ordinal, second.after) == (2, 3)
    assert second.id != first.id
    async with office.database.connection() as conn:
        assert await current(conn) == second
    assert await erased_in_log(office.database, office.store, RULES) == {ANNA, BEN}
    assert await in_the_log(office) == {ERASED, "salt"}
    task = CatchUp(office.database, office.store)
    assert not await task.caught_up_to(5)
    while await task.round():
        pass
    assert await task.caught_up_to(5)
    assert {state.state for state in (await task.states()).values()} == {"live"}
    assert await labels(office, "office_list_v1") == await labels(office, "labels_v1") == {None, "salt"}


async def test_a_restored_keys_database_does_not_bring_an_erased_person_back(databases, office, owner):
    await append(office, said(sent("a ring", ANNA)))
    key = await office.keys.load([ANNA])
    await erase(office.database, office.store, RULES, [ANNA], settle_seconds=0)
    restored = await Database.open(databases.keys_url, application_name="restore of the keys")
    await restored.pool.execute("UPDATE subject_key SET key = $1, erased_at = NULL", key[ANNA])
    await restored.close()
    async with opened(databases, log=LOG) as started_again:
        assert await in_the_log(started_again) == {"a ring"}
        await restore(owner, started_again.store, RULES)
        assert await in_the_log(started_again) == {ERASED}
        await catch_up(started_again)
        assert await labels(started_again, "office_list_v1") == {None}
        assert {model.name for model in MODELS} >= {"office_list", "labels"}


async def test_a_restore_marks_models_whose_rows_the_backup_left_out(office, owner):
    await append(office, said(sent("tea", BEN)))
    await owner.pool.execute("TRUNCATE read.read_model, read.office_list_v1")
    await restore(owner, office.store, RULES)
    await catch_up(office)
    assert await labels(office, "office_list_v1") == {"tea"}
