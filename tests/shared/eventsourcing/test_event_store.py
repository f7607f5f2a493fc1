"""The one writer, on every kind of PostgreSQL found."""

from __future__ import annotations

import asyncio
import dataclasses
from uuid import UUID

import asyncpg
import pytest

from shared.eventsourcing import chain
from shared.eventsourcing.codec import ERASED, SEALED
from shared.eventsourcing.decider import NotFound
from shared.eventsourcing.log import Appended, KeyReused, StaleVersion, Step, Unit
from shared.runtime.ids import derived, uuid7
from tests.support.parcels import (
    ANNA,
    DECIDER,
    META,
    PARCEL_LIST,
    PUBLISHER,
    AlreadyDelivered,
    DeliverParcel,
    ParcelDelivered,
    Parcels,
    ParcelSent,
    ParcelWeighed,
    SendParcel,
    WeighParcel,
    a_parcel,
    definition,
    migrate,
    opened,
    parcel_list,
    unit,
)


@pytest.fixture
async def databases(fresh_databases_everywhere):
    return await fresh_databases_everywhere("parcels", migrate)


@pytest.fixture
async def parcels(databases):
    async with opened(databases) as parcels:
        yield parcels


async def append(parcels: Parcels, *units: Unit) -> list[Appended | Exception]:
    async with parcels.database.transaction() as conn:
        return await parcels.store.append(conn, units)


async def rows(parcels: Parcels, sql: str, *arguments: object) -> list[tuple]:
    return [tuple(row) for row in await parcels.database.pool.fetch(sql, *arguments)]


async def test_an_appended_unit_is_in_the_log_in_the_outbox_and_in_the_read_model(parcels):
    parcel = uuid7()
    [sent, done] = await append(
        parcels, a_parcel("tea", to=parcel), unit(WeighParcel(grams=300), DeliverParcel(), to=parcel)
    )
    assert (sent.version, sent.position, done.version, done.position) == (1, 1, 2, 3)
    history = await parcels.store.history(parcels.database.pool, parcel)
    assert [type(r.event) for r in history] == [ParcelSent, ParcelWeighed, ParcelDelivered]
    assert history[0].event.label == "tea"
    assert await rows(parcels, "SELECT position, prev FROM log.outbox ORDER BY position") == [(1, 0), (3, 1)]
    assert await rows(parcels, "SELECT label, grams, delivered FROM read.parcel_list_v1") == [
        ("tea", 300, True)
    ]
    assert await rows(parcels, "SELECT applied FROM read.read_model") == [(3,)]


async def test_positions_are_gapless_and_the_chain_holds_with_eight_writers_at_once(parcels):
    async def writer(n: int) -> None:
        for i in range(12):
            async with parcels.database.pool.acquire() as conn:
                transaction = conn.transaction()
                await transaction.start()
                await parcels.store.append(conn, [a_parcel(f"{n}-{i}")])
                await (transaction.rollback() if i % 4 == 3 else transaction.commit())

    await asyncio.gather(*(writer(n) for n in range(8)))
    [(count, last)] = await rows(parcels, "SELECT count(*), max(position) FROM log.event")
    assert count == last == 8 * 9
    async with parcels.database.connection() as conn:
        assert (await chain.verify(conn)).events == last
    recorded = await rows(parcels, "SELECT recorded_at FROM log.event ORDER BY position")
    assert recorded == sorted(recorded)


async def test_a_changed_payload_breaks_the_chain(parcels, databases):
    await append(parcels, a_parcel(), a_parcel())
    owner = await asyncpg.connect(databases.owner_url)
    await owner.execute("UPDATE log.event SET payload = '{}' WHERE position = 2")
    with pytest.raises(chain.BrokenChain, match="position 2"):
        await chain.verify(owner)
    await owner.close()


async def test_the_app_role_can_neither_change_nor_delete_events(parcels):
    await append(parcels, a_parcel())
    for statement in ("UPDATE log.event SET type = 'x'", "DELETE FROM log.event", "TRUNCATE log.event"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await parcels.database.pool.execute(statement)


async def test_a_refused_unit_leaves_its_neighbours_untouched(parcels):
    parcel = uuid7()
    outcomes = await append(
        parcels,
        a_parcel(to=parcel),
        unit(DeliverParcel(), to=parcel),
        unit(WeighParcel(grams=1), to=parcel),
        a_parcel("other"),
    )
    assert [type(o) for o in outcomes] == [Appended, Appended, AlreadyDelivered, Appended]
    assert (await parcels.store.head(parcels.database.pool)).position == 3


async def test_a_unit_over_two_streams_is_all_or_nothing(parcels):
    first, second = uuid7(), uuid7()
    await append(parcels, a_parcel(to=first), a_parcel(to=second), unit(DeliverParcel(), to=second))
    both = Unit(
        steps=unit(DeliverParcel(), to=first).steps + unit(DeliverParcel(), to=second).steps,
        meta=a_parcel().meta,
    )
    [outcome] = await append(parcels, both)
    assert isinstance(outcome, AlreadyDelivered)
    assert (await parcels.store.load(parcels.database.pool, DECIDER, first))[1] == 1


async def test_if_match_is_refused_when_the_stream_has_moved_on(parcels):
    parcel = uuid7()
    await append(parcels, a_parcel(to=parcel), unit(WeighParcel(grams=1), to=parcel))
    [stale] = await append(parcels, unit(WeighParcel(grams=2), to=parcel, expected_version=1))
    assert isinstance(stale, StaleVersion)
    assert (stale.expected, stale.actual) == (1, 2)


async def test_a_unit_overtaken_before_the_lock_is_decided_again_under_it(parcels):
    parcel = uuid7()
    await append(parcels, a_parcel(to=parcel))
    async with parcels.database.transaction() as conn:
        prepared = await parcels.store.prepare(
            conn, [unit(WeighParcel(grams=5), to=parcel), unit(DeliverParcel(), to=parcel)]
        )
        await append(parcels, unit(DeliverParcel(), to=parcel))  # another process is faster
        outcomes = await parcels.store.append_prepared(conn, prepared)
    assert [type(o) for o in outcomes] == [AlreadyDelivered, AlreadyDelivered]
    assert (await parcels.store.load(parcels.database.pool, DECIDER, parcel))[1] == 2


async def test_a_stream_that_another_writer_was_first_to_begin_is_read_and_decided_on(parcels):
    parcel = uuid7()
    prepared = await parcels.store.prepare(None, [a_parcel(to=parcel)])
    await append(parcels, a_parcel(to=parcel), unit(DeliverParcel(), to=parcel))
    async with parcels.database.transaction() as conn:
        [outcome] = await parcels.store.append_prepared(conn, prepared)
    assert (outcome.events, outcome.version) == ((), 2)  # it was sent already: nothing to do


async def test_an_overtaken_unit_with_if_match_is_stale_not_decided_again(parcels):
    parcel = uuid7()
    await append(parcels, a_parcel(to=parcel))
    async with parcels.database.transaction() as conn:
        prepared = await parcels.store.prepare(
            conn, [unit(WeighParcel(grams=5), to=parcel, expected_version=1)]
        )
        await append(parcels, unit(WeighParcel(grams=9), to=parcel))
        [outcome] = await parcels.store.append_prepared(conn, prepared)
    assert isinstance(outcome, StaleVersion)


async def test_a_repeated_idempotency_key_gets_the_first_answer_even_after_the_state_moved_on(parcels):
    parcel = uuid7()
    await append(parcels, a_parcel(to=parcel))
    [first] = await append(parcels, unit(DeliverParcel(), to=parcel, key="k1"))
    [again] = await append(parcels, unit(DeliverParcel(), to=parcel, key="k1"))
    assert again.replayed
    assert (again.stream_id, again.version, again.position) == (parcel, first.version, first.position)
    assert again.recorded_at == first.recorded_at


async def test_an_idempotency_key_with_another_body_is_refused(parcels):
    await append(parcels, a_parcel(key="k1", body=b"one"))
    [outcome] = await append(parcels, a_parcel(key="k1", body=b"two"))
    assert isinstance(outcome, KeyReused)
    assert (await parcels.store.head(parcels.database.pool)).position == 1


async def test_two_processes_with_one_key_append_once(parcels):
    async def post() -> Appended | Exception:
        async with parcels.database.transaction() as conn:
            prepared = await parcels.store.prepare(None, [a_parcel(key="same")])
            [outcome] = await parcels.store.append_prepared(conn, prepared)
            return outcome

    outcomes = await asyncio.gather(*(post() for _ in range(6)))
    assert sorted(o.replayed for o in outcomes) == [False, *[True] * 5]
    assert len({o.stream_id for o in outcomes}) == 1


async def test_what_follows_a_repeat_found_under_the_lock_is_stored_as_itself(parcels):
    repeated, next_one = uuid7(), uuid7()
    again = [a_parcel("first", to=uuid7(), key="k-9"), a_parcel("second", to=next_one)]
    async with parcels.database.transaction() as conn:
        prepared = await parcels.store.prepare(conn, again)
    async with parcels.database.transaction() as conn:
        await parcels.store.append(conn, [a_parcel("first", to=repeated, key="k-9")])
    async with parcels.database.transaction() as conn:
        [replayed, stored] = await parcels.store.append_prepared(conn, prepared)
    assert replayed.replayed
    assert replayed.stream_id == repeated
    async with parcels.database.connection() as conn:
        history = await parcels.store.history(conn, next_one)
        assert [recorded.position for recorded in history] == [stored.position]
        assert (await chain.verify(conn)).events == 2


async def test_personal_fields_are_sealed_at_rest_and_erased_with_their_key(parcels):
    parcel = uuid7()
    await append(parcels, a_parcel("love letters", to=parcel))
    [(payload,)] = await rows(parcels, "SELECT payload::text FROM log.event")
    assert "love" not in payload
    [sealed] = await parcels.store.history(parcels.database.pool, parcel, sealed=True)
    assert sealed.event.label == SEALED
    await parcels.keys.erase(ANNA)
    [erased] = await parcels.store.history(parcels.database.pool, parcel)
    assert erased.event.label == ERASED
    assert erased.event.sender_id == ANNA
    await append(parcels, a_parcel("a new letter"))
    [later] = await parcels.store.read(parcels.database.pool, 1, 10)
    assert later.event.label == ERASED  # no second key can ever be made


async def test_what_two_processes_seal_at_once_for_new_people_opens_under_the_keys_that_count(databases):
    people = [derived(UUID(int=n), "new") for n in range(20)]
    async with opened(databases) as one, opened(databases) as two:
        await asyncio.gather(
            *(
                append(each, *(a_parcel("books", sender_id=person) for person in people))
                for each in (one, two)
            )
        )
    async with opened(databases) as later:
        events = await later.store.read(later.database.pool, 0, 40)
        assert [recorded.event.label for recorded in events] == ["books"] * 40
        assert await rows(later, "SELECT DISTINCT label FROM read.parcel_list_v1") == [("books",)]


async def test_nothing_is_sealed_anew_for_a_person_who_was_erased_elsewhere(databases):
    async with opened(databases) as elsewhere:
        await elsewhere.keys.erase(ANNA)
    async with opened(databases) as parcels:
        await append(parcels, a_parcel("a secret"), a_parcel("books", sender_id=derived(ANNA, "other")))
        events = await parcels.store.read(parcels.database.pool, 0, 2)
        assert [recorded.event.label for recorded in events] == [ERASED, "books"]
        labels = await rows(parcels, "SELECT label FROM read.parcel_list_v1")
        assert sorted(labels) == [(ERASED,), ("books",)]


async def test_the_outbox_chain_closes_per_partition(parcels):
    await append(parcels, *(a_parcel(str(n), sender_id=derived(UUID(int=n), "x")) for n in range(40)))
    await append(parcels, *(a_parcel(str(n)) for n in range(20)))
    last: dict[int, int] = {}
    for position, partition, prev in await rows(
        parcels, "SELECT position, partition, prev FROM log.outbox ORDER BY position"
    ):
        assert prev == last.get(partition, 0)
        last[partition] = position
    assert len(last) == 6


async def test_two_releases_side_by_side_lose_no_row_of_either_read_model(databases):
    async with opened(databases, PARCEL_LIST) as old, opened(databases, PARCEL_LIST, parcel_list(2)) as new:
        for n in range(10):
            await append(old if n % 2 else new, a_parcel(str(n)))
        await append(new, a_parcel("last"))
        first = await rows(new, "SELECT * FROM read.parcel_list_v1 ORDER BY 1")
        assert len(first) == 11
        assert first == await rows(new, "SELECT * FROM read.parcel_list_v2 ORDER BY 1")


async def test_a_read_model_far_behind_is_left_to_the_catch_up_task(databases):
    async with opened(databases, PARCEL_LIST) as old:
        for _ in range(6):
            await append(old, *(a_parcel() for _ in range(100)))
        async with opened(databases, PARCEL_LIST, parcel_list(2)) as new:
            await append(new, a_parcel())
            assert await rows(new, "SELECT version, applied FROM read.read_model ORDER BY 1") == [
                (1, 601),
                (2, 0),
            ]


async def test_a_send_repeated_on_a_known_parcel_decides_to_nothing(parcels):
    parcel = uuid7()
    await append(parcels, a_parcel(to=parcel))
    [outcome] = await append(parcels, unit(SendParcel(sender_id=ANNA, label="again"), to=parcel))
    assert (outcome.version, outcome.events) == (1, ())


async def test_an_append_for_an_erased_person_shows_nothing_in_the_read_model(parcels):
    await parcels.keys.erase(ANNA)
    await append(parcels, a_parcel("a secret"))
    assert await rows(parcels, "SELECT label FROM read.parcel_list_v1") == [(ERASED,)]


async def test_an_id_of_another_kind_of_stream_names_no_parcel(parcels):
    parcel = uuid7()
    await append(parcels, a_parcel(to=parcel))
    crate = dataclasses.replace(DECIDER, stream="crate")
    step = Step(decider=crate, stream_id=parcel, command=DeliverParcel())
    for batch in (
        [Unit(steps=(step,), meta=META)],
        [Unit(steps=(step,), meta=META), unit(DeliverParcel(), to=parcel)],
    ):
        outcomes = await append(parcels, *batch)
        assert isinstance(outcomes[0], NotFound)
    assert isinstance(outcomes[1], Appended)


async def test_a_topic_that_older_code_left_behind_is_filled_in_without_a_gap(databases):
    silent = dataclasses.replace(PUBLISHER, topics={})
    async with opened(databases, log=definition(publisher=silent)) as older:
        await append(older, *(a_parcel(str(n)) for n in range(30)))
        assert await rows(older, "SELECT * FROM log.outbox") == []
        async with opened(databases) as newer:  # declares at its start
            assert len(await rows(newer, "SELECT * FROM log.outbox")) == 30
            await append(older, a_parcel("unheard"))
            await append(newer, a_parcel("heard"))
            last: dict[int, int] = {}
            found = await rows(newer, "SELECT position, partition, prev FROM log.outbox ORDER BY 1")
            for position, partition, prev in found:
                assert prev == last.get(partition, 0)
                last[partition] = position
            assert len(found) == 32


async def test_a_replay_opens_what_people_sent_whom_it_meets_only_on_a_later_page(parcels):
    people = [uuid7() for _ in range(4)]
    units = [a_parcel("a book", sender_id=person) for person in (people[0], people[0], *people)]
    await append(parcels, *units)
    async with parcels.database.connection() as conn:
        pages = [page async for page in parcels.store.replay(conn, 0, 6, page=4)]
        read = await parcels.store.read(conn, 0, 6)
    assert [(place, len(events)) for place, events in pages] == [(4, 4), (6, 2)]
    assert [*pages[0][1], *pages[1][1]] == read
    assert {recorded.event.label for recorded in read} == {"a book"}
