"""Keys of data subjects: one each, whoever asks first and however many ask at once."""

from __future__ import annotations

import asyncio

import pytest

from shared.eventsourcing.encryption import SubjectKeys
from shared.runtime.database import Database
from shared.runtime.ids import uuid7
from tests.support.parcels import migrate


@pytest.fixture
async def database(fresh_databases):
    databases = await fresh_databases("parcels", migrate)
    database = await Database.open(databases.keys_url, application_name="keys", max_size=8)
    yield database
    await database.close()


async def made(keys, subjects):
    """Return the keys that count, once they are durable."""
    offered, making = keys.offer(subjects)
    return {**offered, **(await making if making else {})}


async def test_processes_that_meet_the_same_new_subjects_at_once_agree_on_their_keys(database):
    processes = [SubjectKeys(database) for _ in range(4)]
    for _ in range(10):
        subjects = [uuid7() for _ in range(50)]
        orders = [subjects, subjects[::-1], subjects[25:] + subjects[:25], subjects[::2]]
        found = await asyncio.gather(
            *(made(keys, order) for keys, order in zip(processes, orders, strict=True))
        )
        assert all(keys[subject] == found[0][subject] for keys in found for subject in keys)
        assert len(set(found[0].values())) == 50


async def test_one_process_that_asks_twice_at_once_gets_one_key(database):
    keys, subject = SubjectKeys(database), uuid7()
    first, second = await asyncio.gather(made(keys, [subject]), made(keys, [subject]))
    assert first == second
    assert await SubjectKeys(database).load([subject]) == first


async def test_an_erased_subject_gets_no_second_key(database):
    keys, subject = SubjectKeys(database), uuid7()
    await made(keys, [subject])
    await keys.erase(subject)
    assert (await made(SubjectKeys(database), [subject]))[subject] is None


async def test_a_key_is_offered_at_once_and_counts_once_it_is_durable(database):
    keys, subject = SubjectKeys(database), uuid7()
    offered, making = keys.offer([subject])
    assert making is not None
    assert await making == offered
    assert await SubjectKeys(database).load([subject]) == offered
    assert keys.offer([subject]) == (offered, None), "it is known now"
