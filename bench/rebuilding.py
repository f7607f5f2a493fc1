"""Events per second of a rebuild and of a typed replay, against what PostgreSQL does alone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time

from bench.figures import Figure, middle
from bench.load import WrongAnswer
from bench.servers import Bench
from bench.stored import Stored, opened, submit
from services.intake.app import LOG
from services.intake.projections.request_list import REQUEST_LIST
from shared.eventsourcing.rebuild import rebuild, table_hash
from shared.runtime.provisioning import ServiceDatabases

EVENTS = 30_000
_TABLE = REQUEST_LIST.table.fullname


def rebuilding(bench: Bench, *, rounds: int, seconds: float) -> list[Figure]:
    """Measure on a log of 30,000 submitted requests, personal fields opened."""
    del seconds  # the size of the log says how long it takes
    return asyncio.run(_measure(bench, bench.databases("intake"), rounds))


async def _measure(bench: Bench, databases: ServiceDatabases, rounds: int) -> list[Figure]:
    replayed: list[float] = []
    rebuilt: list[float] = []
    copied: list[float] = []
    selected: list[float] = []
    async with opened(LOG, databases) as stored:
        await submit(stored, EVENTS)
        async with stored.database.connection() as conn:
            await conn.execute("VACUUM ANALYZE")
            before = await table_hash(conn, REQUEST_LIST.table)
        for _ in range(rounds):
            replayed.append(EVENTS / await _replay(stored))
            copied.append(EVENTS / _copy(bench, databases))
            rebuilt.append(EVENTS / await _rebuild(stored))
            selected.append(EVENTS / await _insert_select(stored))
        async with stored.database.connection() as conn:
            if await table_hash(conn, REQUEST_LIST.table) != before:
                raise WrongAnswer("the rebuilt table differs from the live one")
    copy, select = middle(copied), middle(selected)
    ours = middle(rebuilt)
    replay = "events/s psql COPY out of the log"
    insert = "rows/s INSERT..SELECT into the same table with its indexes"
    return [
        Figure(what="typed replay, personal fields opened", unit="events/s", figure=middle(replayed),
               limit_name=replay, limit=copy, bar=0.5, goal=1.0),
        Figure(what="rebuild of the request list", unit="events/s", figure=ours,
               limit_name=insert, limit=select, bar=0.8, goal=1.0),
    ]  # fmt: skip


async def _replay(stored: Stored) -> float:
    began = time.perf_counter()
    read = 0
    async with stored.database.connection() as conn:
        async for _, events in stored.store.replay(conn, 0, EVENTS):
            read += len(events)
    if read != EVENTS:
        raise WrongAnswer(f"{read} of {EVENTS} events were read")
    return time.perf_counter() - began


async def _rebuild(stored: Stored) -> float:
    began = time.perf_counter()
    if await rebuild(stored.database, stored.store, REQUEST_LIST) != EVENTS:
        raise WrongAnswer("the rebuild did not reach the head")
    return time.perf_counter() - began


def _copy(bench: Bench, databases: ServiceDatabases) -> float:
    began = time.perf_counter()
    psql = bench.postgres.binaries.folder / "psql"
    subprocess.run(
        [psql, databases.owner_url, "-c", "COPY (SELECT * FROM log.event ORDER BY position) TO STDOUT"],
        env={"PATH": os.environ.get("PATH", "")},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - began


async def _insert_select(stored: Stored) -> float:
    async with stored.database.connection() as conn:
        await conn.execute(f"CREATE TABLE read.limit_of_rebuild (LIKE {_TABLE} INCLUDING ALL)")
        began = time.perf_counter()
        await conn.execute(f"INSERT INTO read.limit_of_rebuild SELECT * FROM {_TABLE}")
        took = time.perf_counter() - began
        await conn.execute("DROP TABLE read.limit_of_rebuild")
    return took
