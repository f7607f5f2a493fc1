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


async def test_processes_that_meet_the_same_new_subjects_at_once_agree_on_their_keys(database):
    processes = [SubjectKeys(database) for _ in range(4)]
    for _ in range(10):
        subjects = [uuid7() for _ in range(50)]
        orders = [subjects, subjects[::-1], subjects[25:] + subjects[:25], subjects[::2]]
        found = await asyncio.gather(
            *(keys.ensure(order) for keys, order in zip(processes, orders, strict=True))
        )
        assert all(keys[subject] == found[0][subject] for keys in found for subject in keys)
        assert len(set(found[0].values())) == 50


async def test_one_process_that_asks_twice_at_once_gets_one_key(database):
    keys, subject = SubjectKeys(database), uuid7()
    first, second = await asyncio.gather(keys.ensure([subject]), keys.ensure([subject]))
    assert first == second
    assert await SubjectKeys(database).load([subject]) == first


async def test_an_erased_subject_gets_no_second_key(database):
    keys, subject = SubjectKeys(database), uuid7()
    await keys.ensure([subject])
    await keys.erase(subject)
    assert (await SubjectKeys(database).ensure([subject]))[subject] is None
