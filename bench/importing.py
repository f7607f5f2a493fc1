"""Rows per second of an audit export taken through the import API, against bulk inserts."""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import Iterator

import asyncpg

from bench.figures import Figure, middle
from bench.load import Load, WrongAnswer, drive
from bench.pgbench import ROWS_200, Pgbench
from bench.servers import ROOT, Bench, Process
from services.intake.adapters.servicenow import Batch, batches
from shared.runtime.provisioning import ServiceDatabases

SAMPLE = ROOT / "examples" / "servicenow-sample.csv"
LOGS = 5  # copies of the sample in one run
IN_FLIGHT = 3  # as the command line does it
_FOLLOWING_SECONDS = 60.0  # longer than any round: the batches end it


def importing(bench: Bench, *, rounds: int, seconds: float) -> list[Figure]:
    """Measure the import of the sample log; each round is another source, so that all of it is new."""
    databases = bench.databases("intake")
    limits = Pgbench(bench)
    token = bench.token("history").encode()
    ours: list[float] = []
    limit: list[float] = []
    cpu: list[float] = []
    sources = 0
    with bench.process("intake", "api", databases) as api:
        _send(api, token, _batches("warm-up"))
        for _ in range(rounds):
            rows, took, used = 0, 0.0, api.cpu_seconds()
            while took < seconds:
                # One long export: a real one has sixty times the sample's rows, and a tail counts once.
                prepared = [batch for n in range(LOGS) for batch in _batches(f"bench-{sources + n}")]
                sources += LOGS
                began = time.perf_counter()
                _send(api, token, prepared)
                took += time.perf_counter() - began
                rows += sum(batch.rows for batch in prepared)
            cpu.append((api.cpu_seconds() - used) / rows)
            ours.append(rows / took)
            limit.append(200 * limits.run(ROWS_200, clients=1, seconds=seconds).rate)
    events = asyncio.run(_check(databases, sources + 1))
    return [
        Figure(
            what="history imported over HTTP",
            unit="rows/s",
            figure=middle(ours),
            limit_name="rows/s pgbench, 200 event rows per transaction, 1 client",
            limit=middle(limit),
            bar=0.35,
            goal=0.7,
            notes=[
                f"the API process took {1e6 * middle(cpu):.0f} us of processor time per row",
                f"a row gave {events:.2f} events on average",
            ],
        )
    ]


def _batches(source: str) -> list[Batch]:
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return list(batches(csv.DictReader(file), "Europe/Lisbon", source=source))


def _send(api: Process, token: bytes, prepared: list[Batch]) -> Load:
    return drive(api.port, _posts(token, prepared), clients=IN_FLIGHT, seconds=_FOLLOWING_SECONDS, status=200)


def _posts(token: bytes, prepared: list[Batch]) -> Iterator[bytes]:
    for batch in prepared:
        yield (
            b"POST /intake/v1/imports/servicenow HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Content-Type: application/json\r\nAuthorization: Bearer %b\r\nContent-Length: %d\r\n\r\n%b"
            % (token, len(batch.body), batch.body)
        )


async def _check(databases: ServiceDatabases, sources: int) -> float:
    """Count the imported requests; return events per row of the export."""
    incidents, rows = 0, 0
    for batch in _batches("counted"):
        incidents, rows = incidents + batch.incidents, rows + batch.rows
    conn = await asyncpg.connect(databases.owner_url)
    try:
        found = await conn.fetchval("SELECT count(*) FROM read.request_list_v1 WHERE historic")
        events = await conn.fetchval("SELECT count(*) FROM log.event")
    finally:
        await conn.close()
    if found != incidents * sources:
        raise WrongAnswer(f"{incidents * sources} incidents were imported, the read model holds {found}")
    return float(events / (rows * sources))
