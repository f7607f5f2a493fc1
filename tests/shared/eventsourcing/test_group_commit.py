"""Group commit: many callers, one appender, nobody's fault is another's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import asyncpg
import pytest

from shared.eventsourcing.group_commit import GroupCommit
from shared.eventsourcing.log import OutcomeUnknown
from shared.eventsourcing.projection import ReadModel
from shared.eventsourcing.unstorable import ProjectionFailed, Unstorable
from shared.runtime.database import unavailable
from shared.runtime.ids import uuid7
from tests.support.parcels import (
    PARCEL_LIST,
    AlreadyDelivered,
    DeliverParcel,
    ParcelSent,
    WeighParcel,
    a_parcel,
    opened,
    unit,
)
from tests.support.unreliable import LosesStatement

REFUSE_AT_COMMIT = """
CREATE FUNCTION read.refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.label LIKE 'refused%' THEN RAISE EXCEPTION 'not this one'; END IF; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON read.parcel_list_v1 DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION read.refuse();
"""


@pytest.fixture
async def commit(parcels):
    commit = GroupCommit(parcels.database, parcels.store)
    commit.start()
    yield commit
    await commit.stop()


async def test_units_that_arrive_together_share_a_commit(parcels, commit):
    await asyncio.gather(*(commit.submit(a_parcel(str(n))) for n in range(60)))
    commits = await parcels.database.pool.fetchval("SELECT count(DISTINCT recorded_at) FROM log.event")
    assert await parcels.database.pool.fetchval("SELECT count(*) FROM read.parcel_list_v1") == 60
    assert commits < 10


async def one_each_turn(commit, number):
    """Submit one unit in every turn of the loop, as requests on many connections arrive."""
    answers = []
    for n in range(number):
        answers.append(commit.submit(a_parcel(str(n))))
        await asyncio.sleep(0)
    return await asyncio.gather(*answers)


async def test_units_that_arrive_one_turn_after_the_other_share_a_commit(commit):
    await commit.submit(a_parcel())
    assert len({outcome.recorded_at for outcome in await one_each_turn(commit, 20)}) == 1


async def test_units_that_go_on_arriving_do_not_hold_up_the_first(commit):
    await commit.submit(a_parcel())
    assert len({outcome.recorded_at for outcome in await one_each_turn(commit, 500)}) > 1


async def test_a_busy_appender_leaves_no_transaction_open_behind_it(parcels, commit):
    await asyncio.gather(*(commit.submit(a_parcel(str(n))) for n in range(200)))
    await asyncio.sleep(0)
    async with parcels.database.connection() as conn:
        found = await conn.fetch("SELECT state FROM pg_stat_activity WHERE datname = current_database()")
    assert "idle in transaction" not in [row["state"] for row in found]


async def test_units_on_one_stream_are_decided_in_order(commit):
    parcel = uuid7()
    await commit.submit(a_parcel(to=parcel))
    commands = [WeighParcel(grams=n) for n in range(10)] + [DeliverParcel(), WeighParcel(grams=99)]
    outcomes = await asyncio.gather(
        *(commit.submit(unit(command, to=parcel)) for command in commands), return_exceptions=True
    )
    assert [o.version for o in outcomes[:11]] == list(range(2, 13))
    assert isinstance(outcomes[11], AlreadyDelivered)


async def test_the_same_request_twice_at_once_is_stored_once(commit):
    outcomes = await asyncio.gather(*(commit.submit(a_parcel(key="k")) for _ in range(5)))
    assert len({o.stream_id for o in outcomes}) == 1
    assert sum(o.replayed for o in outcomes) == 4


async def test_a_value_that_the_database_refuses_gets_its_own_answer(databases):
    class Poisoned(Exception):
        pass

    def fold(events, changes):
        PARCEL_LIST.fold(events, changes)
        for recorded in events:
            if recorded.event.label == "nul":
                changes.put(recorded.stream_id, label="a\x00b")
            if recorded.event.label == "broken":
                raise Poisoned

    model = ReadModel(
        name="parcel_list", version=1, table=PARCEL_LIST.table, follows=(ParcelSent,), fold=fold
    )
    async with opened(databases, model) as parcels:
        commit = GroupCommit(parcels.database, parcels.store)
        commit.start()
        labels = ["fine", "nul", "good", "broken", "well"]
        outcomes = await asyncio.gather(
            *(commit.submit(a_parcel(label)) for label in labels), return_exceptions=True
        )
        await commit.stop()
        assert isinstance(outcomes[1], Unstorable)
        assert isinstance(outcomes[3], ProjectionFailed)
        stored = await parcels.database.pool.fetch("SELECT label FROM read.parcel_list_v1 ORDER BY 1")
        assert [row["label"] for row in stored] == ["fine", "good", "well"]
        assert (await parcels.store.head(parcels.database.pool)).position == 3


async def test_a_value_that_cannot_be_encoded_leaves_its_neighbours_alone(parcels, commit):
    labels = ["fine", "half a character \ud800", "well"]
    outcomes = await asyncio.gather(
        *(commit.submit(a_parcel(label)) for label in labels), return_exceptions=True
    )
    assert isinstance(outcomes[1], ValueError)
    stored = await parcels.database.pool.fetch("SELECT label FROM read.parcel_list_v1 ORDER BY 1")
    assert [row["label"] for row in stored] == ["fine", "well"]


@asynccontextmanager
async def no_new_keys(databases):
    """Nobody can be given a key, as while a migration of their database waits for its lock."""
    owner = await asyncpg.connect(databases.keys_owner_url)
    async with owner.transaction():
        await owner.execute("LOCK TABLE subject_key IN ACCESS EXCLUSIVE MODE")
        yield
    await owner.close()


async def test_who_is_known_does_not_wait_for_the_keys_of_strangers(databases, commit):
    await commit.submit(a_parcel("a known sender's"))
    async with no_new_keys(databases):
        strangers = [commit.submit(a_parcel(str(n), sender_id=uuid7())) for n in range(20)]
        await asyncio.sleep(0.05)
        late = commit.submit(a_parcel("a stranger's, among known ones", sender_id=uuid7()))
        await asyncio.gather(*(commit.submit(a_parcel(str(n))) for n in range(20)))
        assert not any(stranger.done() for stranger in [*strangers, late])
        refused = await asyncio.gather(*strangers, return_exceptions=True)
    assert {type(error) for error in refused} == {asyncpg.LockNotAvailableError}
    assert len({id(error) for error in refused}) == 1, "tried once for all, not for one after the other"
    assert (await late).version == 1


async def test_a_stop_waits_for_keys_that_are_being_made(databases, commit):
    parcel = uuid7()
    await commit.submit(a_parcel(to=parcel))
    async with no_new_keys(databases):
        strangers = [commit.submit(a_parcel(str(n), sender_id=uuid7())) for n in range(5)]
        known = commit.submit(unit(WeighParcel(grams=1), to=parcel))
        stopping = asyncio.ensure_future(commit.stop())
        await known
        await asyncio.sleep(0.05)
    assert {answer.version for answer in await asyncio.gather(*strangers)} == {1}
    await stopping


async def test_a_commit_that_the_server_refuses_stores_nothing_and_spoils_no_later_one(databases):
    owner = await asyncpg.connect(databases.owner_url)
    await owner.execute(REFUSE_AT_COMMIT)
    await owner.close()
    async with opened(databases) as parcels:
        commit = GroupCommit(parcels.database, parcels.store)
        commit.start()
        labels = ["fine", "refused", "refused again", "well"]
        outcomes = await asyncio.gather(
            *(commit.submit(a_parcel(label)) for label in labels), return_exceptions=True
        )
        await commit.stop()
        assert isinstance(outcomes[1], ProjectionFailed)
        assert isinstance(outcomes[2], ProjectionFailed)
        stored = await parcels.database.pool.fetch("SELECT label FROM read.parcel_list_v1 ORDER BY 1")
        assert [row["label"] for row in stored] == ["fine", "well"]
        assert (await parcels.store.head(parcels.database.pool)).position == 2
        assert parcels.database.pool.get_idle_size() == parcels.database.pool.get_size()


async def test_a_commit_whose_answer_was_lost_is_found_in_the_log(parcels):
    commit = GroupCommit(LosesStatement(parcels.database, "COMMIT", after=True), parcels.store)
    commit.start()
    outcome = await commit.submit(a_parcel())
    await commit.stop()
    assert outcome.position == 1
    assert (await parcels.store.head(parcels.database.pool)).position == 1


async def test_a_commit_that_never_reached_the_server_is_reported_as_away_and_stores_nothing(parcels):
    commit = GroupCommit(LosesStatement(parcels.database, "COMMIT", after=False), parcels.store)
    commit.start()
    with pytest.raises(asyncpg.PostgresConnectionError) as lost:
        await commit.submit(a_parcel())
    await commit.stop()
    assert unavailable(lost.value)
    assert (await parcels.store.head(parcels.database.pool)).position == 0


async def test_an_outcome_that_nobody_can_tell_in_time_is_called_unknown(parcels):
    holder = await parcels.database.pool.acquire()
    losing = LosesStatement(parcels.database, "COMMIT", after=True, then=holder)
    commit = GroupCommit(losing, parcels.store)
    commit.start()
    with pytest.raises(OutcomeUnknown):
        await commit.submit(a_parcel())
    await commit.stop()
    await holder.execute("ROLLBACK")
    await parcels.database.pool.release(holder)


async def test_what_is_waiting_is_appended_before_a_stop(parcels):
    commit = GroupCommit(parcels.database, parcels.store)
    commit.start()
    waiting = [commit.submit(a_parcel(str(n), sender_id=uuid7())) for n in range(100)]
    await asyncio.sleep(0)
    await asyncio.gather(asyncio.gather(*waiting), commit.stop())
    assert (await parcels.store.head(parcels.database.pool)).position == 100
    with pytest.raises(asyncpg.CannotConnectNowError):
        await commit.submit(a_parcel())
