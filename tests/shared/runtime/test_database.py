"""One database: its limits, its transactions, Core statements, and its absence."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.runtime.database import Database, DatabaseAway, sql_of, unavailable
from shared.runtime.ids import NumberBlocks
from shared.runtime.provisioning import ServiceDatabases
from tests.support.real import FreshDatabases

CLOCKS = sa.Table(
    "clock_v1",
    sa.MetaData(),
    sa.Column("clock_id", sa.Uuid, primary_key=True),
    sa.Column("target", sa.Text),
    sa.Column("due_at", sa.DateTime(timezone=True)),
    sa.Column("terms", JSONB),
    sa.Column("penalty", sa.Numeric),
)


async def create_clocks(urls: ServiceDatabases) -> None:
    owner = await asyncpg.connect(urls.owner_url)
    await owner.execute(
        "CREATE TABLE clock_v1 (clock_id uuid PRIMARY KEY, target text, due_at timestamptz, terms jsonb,"
        " penalty numeric); CREATE SEQUENCE request_number;"
        "GRANT SELECT, INSERT ON clock_v1 TO sla_app; GRANT USAGE ON request_number TO sla_app"
    )
    await owner.close()


@pytest.fixture(scope="module")
async def urls(fresh_databases_everywhere: FreshDatabases) -> ServiceDatabases:
    return await fresh_databases_everywhere("sla", create_clocks)


@pytest.fixture(scope="module")
async def database(urls: ServiceDatabases) -> AsyncIterator[Database]:
    database = await Database.open(urls.url, application_name="sla-test", max_size=4)
    yield database
    await database.close()


def clock(target: str) -> dict[str, object]:
    return {
        "clock_id": uuid4(),
        "target": target,
        "due_at": datetime(2026, 3, 2, 17, tzinfo=UTC),
        "terms": {"hours": [8, 17]},
        "penalty": Decimal("12.50"),
    }


async def test_an_app_connection_has_limits(database: Database) -> None:
    async with database.connection() as conn:
        assert await conn.fetchval("SHOW statement_timeout") == "5s"
        assert await conn.fetchval("SHOW lock_timeout") == "2s"
        assert await conn.fetchval("SHOW idle_in_transaction_session_timeout") == "10s"
        assert await conn.fetchval("SHOW application_name") == "sla-test"


async def test_a_core_statement_writes_and_reads_back(database: Database) -> None:
    row = clock("resolution")
    async with database.transaction() as conn:
        text, arguments = sql_of(insert(CLOCKS).values(row))
        await conn.execute(text, *arguments)
    found = await database.row(sa.select(CLOCKS).where(CLOCKS.c.clock_id == row["clock_id"]))
    assert found is not None
    assert dict(found) == row | {"terms": '{"hours": [8, 17]}'}  # jsonb stays text


async def test_one_shape_of_statement_serves_other_values(database: Database) -> None:
    rows = [clock(f"target {n}") for n in range(5)]
    text, arguments = sql_of(insert(CLOCKS).values(rows))
    async with database.transaction() as conn:
        await conn.execute(text, *arguments)
    ids = [UUID(str(row["clock_id"])) for row in rows]
    for wanted in (ids[:2], ids, [], ids[3:4]):
        query = sa.select(CLOCKS.c.clock_id).where(CLOCKS.c.clock_id.in_(wanted), CLOCKS.c.penalty > 1)
        assert {row["clock_id"] for row in await database.rows(query.limit(10))} == set(wanted)


async def test_a_missing_row_is_none(database: Database) -> None:
    assert await database.row(sa.select(CLOCKS).where(CLOCKS.c.clock_id == uuid4())) is None


async def test_an_error_rolls_the_transaction_back(database: Database) -> None:
    text, arguments = sql_of(insert(CLOCKS).values(clock("rolled back")))

    async def write_twice() -> None:
        async with database.transaction() as conn:
            await conn.execute(text, *arguments)
            await conn.execute(text, *arguments)

    with pytest.raises(asyncpg.UniqueViolationError):
        await write_twice()
    assert await database.rows(sa.select(CLOCKS).where(CLOCKS.c.target == "rolled back")) == []


async def test_serials_never_repeat_across_processes(database: Database) -> None:
    one, other = (NumberBlocks(database, "request_number", block=10) for _ in range(2))
    serials = await asyncio.gather(*(blocks.next() for blocks in (one, other) for _ in range(25)))
    assert len(set(serials)) == 50


async def test_opening_waits_for_a_server_that_is_not_up_yet(urls: ServiceDatabases) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    host, _, own_port = urls.url.rpartition("/")[0].rpartition("@")[2].partition(":")

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(own_port))
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    url = urls.url.replace(f"{host}:{own_port}", f"127.0.0.1:{port}")
    opening = asyncio.create_task(Database.open(url, application_name="late", max_size=1, wait_seconds=20))
    await asyncio.sleep(0)
    assert not opening.done()
    async with await asyncio.start_server(forward, "127.0.0.1", port):
        late = await opening
        assert await late.row(sa.select(sa.literal(1))) is not None
        await late.close()


async def test_a_server_that_stays_away_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseAway, match=r"127\.0\.0\.1:1/intake did not answer") as away:
        await Database.open("postgresql://u:hush@127.0.0.1:1/intake", application_name="x", wait_seconds=0)
    assert "hush" not in str(away.value)
    assert unavailable(away.value)


async def test_a_wrong_password_is_not_waited_for(urls: ServiceDatabases) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await Database.open(urls.url.replace("sla_app:", "sla_app:x"), application_name="x")


async def test_a_cut_connection_counts_as_unavailable_and_a_wrong_statement_does_not(
    urls: ServiceDatabases, database: Database
) -> None:
    victim = await Database.open(urls.url, application_name="victim", max_size=1)
    async with victim.connection() as conn:
        async with database.connection() as other:
            pid = conn.get_server_pid()
            await other.execute("SELECT pg_terminate_backend($1)", pid)
        with pytest.raises(Exception) as cut:  # noqa: PT011  # which one depends on how far the news has come
            await conn.fetchval("SELECT 1")
        assert unavailable(cut.value)
    assert await victim.row(sa.select(sa.literal(1))) is not None  # the pool replaces it
    await victim.close()
    with pytest.raises(asyncpg.UndefinedTableError) as wrong:
        await database.rows(sa.select(sa.table("nowhere", sa.column("x"))))
    assert not unavailable(wrong.value)
