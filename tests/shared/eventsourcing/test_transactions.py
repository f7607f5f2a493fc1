"""A writer's transactions: one connection, and nothing begun on it while it rests."""

from __future__ import annotations

import asyncpg
import pytest

from shared.eventsourcing.transactions import Transactions
from tests.support.parcels import migrate, opened

COUNT = "SELECT count(*) FROM work.lease"
INSERT = (
    "INSERT INTO work.lease (name, owner, epoch, expires_at) "
    "VALUES ($1, gen_random_uuid(), 1, clock_timestamp())"
)


@pytest.fixture
async def database(fresh_databases):
    async with opened(await fresh_databases("parcels", migrate)) as parcels:
        yield parcels.database


@pytest.fixture
async def transactions(database):
    transactions = Transactions(database, seconds=5)
    yield transactions
    await transactions.abandon()


async def open_transactions(database):
    async with database.connection() as conn:
        return await conn.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
        )


async def test_a_commit_makes_durable_and_leaves_no_transaction_open(database, transactions):
    await (await transactions.begin()).execute(INSERT, "one")
    await transactions.commit(another=False)
    assert await database.pool.fetchval(COUNT) == 1
    assert await open_transactions(database) == 0


async def test_a_writer_keeps_its_connection_until_it_ends(database, transactions):
    pid = await (await transactions.begin()).fetchval("SELECT pg_backend_pid()")
    await transactions.commit(another=False)
    await transactions.rest()
    assert await (await transactions.outside()).fetchval("SELECT pg_backend_pid()") == pid
    await transactions.abandon()
    assert database.pool.get_idle_size() == database.pool.get_size()


async def test_a_connection_that_the_server_ended_meanwhile_is_replaced(database, transactions):
    pid = await (await transactions.outside()).fetchval("SELECT pg_backend_pid()")
    await transactions.rest()
    assert await database.pool.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
    await (await transactions.begin()).execute(INSERT, "one")
    await transactions.commit(another=False)
    assert await database.pool.fetchval(COUNT) == 1


async def test_a_commit_may_begin_the_next_transaction_on_the_same_connection(database, transactions):
    first = await transactions.begin()
    await first.execute(INSERT, "one")
    await transactions.commit(another=True)
    assert await database.pool.fetchval(COUNT) == 1
    second = await transactions.begin()
    assert await second.fetchval("SELECT pg_backend_pid()") == await first.fetchval("SELECT pg_backend_pid()")
    assert await second.fetchval("SHOW transaction_isolation") == "read committed"
    await second.execute(INSERT, "two")
    await transactions.abandon()
    assert await database.pool.fetchval(COUNT) == 1


@pytest.mark.parametrize("end", [Transactions.rest, Transactions.abandon])
async def test_a_transaction_that_nothing_follows_in_is_not_left_open(database, transactions, end):
    await transactions.begin()
    await transactions.commit(another=True)
    assert await open_transactions(database) == 1
    await end(transactions)
    assert await open_transactions(database) == 0
    await transactions.abandon()  # there is nothing left to abandon


async def test_a_lost_connection_takes_its_transaction_with_it_and_the_next_one_is_whole(
    database, transactions
):
    conn = await transactions.begin()
    await conn.execute(INSERT, "lost")
    await transactions.lose()
    await (await transactions.begin()).execute(INSERT, "kept")
    await transactions.commit(another=False)
    assert [row["name"] for row in await database.pool.fetch("SELECT name FROM work.lease")] == ["kept"]


async def test_a_refused_statement_does_not_reach_the_next_transaction(database, transactions):
    conn = await transactions.begin()
    with pytest.raises(asyncpg.PostgresError):
        await conn.execute("SELECT 1 / 0")
    await transactions.abandon()
    await (await transactions.begin()).execute(INSERT, "kept")
    await transactions.commit(another=False)
    assert await database.pool.fetchval(COUNT) == 1
