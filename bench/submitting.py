"""Accepted requests per second: one API process against pgbench and against an ORM."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import asyncpg

from bench.figures import Figure, middle
from bench.load import Load, WrongAnswer, drive
from bench.pgbench import EVENT_AND_PROJECTION, Limit, Pgbench
from bench.requests import Requests
from bench.servers import Bench, Process, running, wait_until_answered
from shared.runtime.provisioning import ServiceDatabases
from tests.support.processes import free_port

WARM_UP_SECONDS = 2.0
_REAPING_SECONDS = 0.3  # until the server has counted the backends that ended with pgbench


@dataclass(slots=True)
class _Rounds:
    ours: list[Load] = field(default_factory=list)
    limit: list[Limit] = field(default_factory=list)
    control: list[Load] = field(default_factory=list)
    server_cpu: list[float] = field(default_factory=list)  # seconds per request
    postgres_cpu: list[float] = field(default_factory=list)
    limit_cpu: list[float] = field(default_factory=list)  # PostgreSQL's, seconds per transaction


def submitting(
    bench: Bench, *, rounds: int, seconds: float, clients: tuple[int, ...] = (1, 32, 64)
) -> list[Figure]:
    """Measure accepted requests at these numbers of clients, and the process's memory under that load."""
    databases = bench.databases("intake")
    limits = Pgbench(bench)
    requests = iter(Requests(bench.issuer))
    sent = 0
    measured = {number: _Rounds() for number in clients}
    with ExitStack() as running_:
        api = running_.enter_context(bench.process("intake", "api", databases))
        control = running_.enter_context(_orm_control(bench, limits))
        for port in (api.port, control):
            warmed = drive(port, requests, clients=32, seconds=WARM_UP_SECONDS)
            sent += warmed.answered if port == api.port else 0
        for number in clients:
            for _ in range(rounds):
                _round(bench, measured[number], api, limits, requests, number, seconds)
                if number > 1:
                    load = drive(control, requests, clients=number, seconds=seconds)
                    measured[number].control.append(load)
            sent += sum(load.answered for load in measured[number].ours)
        memory = api.resident_mib()
    asyncio.run(_check(databases, sent))
    figures = [each for number in clients for each in _figures(number, measured[number])]
    return [*figures, _memory(memory)]


def _round(
    bench: Bench,
    rounds: _Rounds,
    api: Process,
    limits: Pgbench,
    requests: Iterator[bytes],
    clients: int,
    seconds: float,
) -> None:
    api_before, before = api.cpu_seconds(), bench.postgres_cpu_seconds()
    load = drive(api.port, requests, clients=clients, seconds=seconds)
    between = bench.postgres_cpu_seconds()
    limit = limits.run(EVENT_AND_PROJECTION, clients=clients, seconds=seconds)
    time.sleep(_REAPING_SECONDS)
    rounds.ours.append(load)
    rounds.limit.append(limit)
    rounds.server_cpu.append((api.cpu_seconds() - api_before) / load.answered)
    rounds.postgres_cpu.append((between - before) / load.answered)
    rounds.limit_cpu.append((bench.postgres_cpu_seconds() - between) / (limit.rate * round(seconds)))


@contextmanager
def _orm_control(bench: Bench, limits: Pgbench) -> Iterator[int]:
    port = free_port()
    environment = {"PATH": os.environ.get("PATH", ""), "DATABASE_URL": limits.url, "PORT": str(port)}
    command = [sys.executable, "-m", "bench.orm_control"]
    with running(command, environment, bench.folder / "orm.log") as child:
        wait_until_answered(child, f"http://127.0.0.1:{port}/readyz")
        yield port


async def _check(databases: ServiceDatabases, sent: int) -> None:
    """Count what was answered in every place where one request leaves something."""
    conn, keys = await asyncpg.connect(databases.owner_url), await asyncpg.connect(databases.keys_owner_url)
    try:
        found = {
            "events": await conn.fetchval("SELECT count(*) FROM log.event"),
            "head": await conn.fetchval("SELECT max(position) FROM log.event"),
            "outbox rows": await conn.fetchval("SELECT count(*) FROM log.outbox"),
            "idempotency keys": await conn.fetchval("SELECT count(*) FROM log.idempotency"),
            "rows of the read model": await conn.fetchval("SELECT count(*) FROM read.request_list_v1"),
            "data subjects' keys": await keys.fetchval("SELECT count(*) FROM subject_key"),
        }
    finally:
        await conn.close()
        await keys.close()
    wrong = {name: number for name, number in found.items() if number != sent}
    if wrong:
        raise WrongAnswer(f"{sent} requests were accepted, but the databases hold: {wrong}")


def _figures(clients: int, rounds: _Rounds) -> Iterator[Figure]:
    rate = middle([load.rate for load in rounds.ours])
    p50, p99 = middle([load.p50 for load in rounds.ours]), middle([load.p99 for load in rounds.ours])
    generator = middle([load.cpu / load.answered for load in rounds.ours]) * 1e6
    server, postgres = middle(rounds.server_cpu) * 1e6, middle(rounds.postgres_cpu) * 1e6
    told = f"{clients} client{'s' if clients > 1 else ''}"
    limit = middle([limit.rate for limit in rounds.limit])
    yield Figure(
        what=f"requests accepted, {told}",
        unit="/s",
        figure=rate,
        limit_name=f"/s pgbench, event and projection row per transaction, {told}",
        limit=limit,
        bar=0.12 if clients == 1 else 0.5,
        goal=0.2 if clients == 1 else 1.0,
        p50=p50,
        p99=p99,
        notes=[
            f"processor time per request: API process {server:.0f} us, PostgreSQL {postgres:.0f} us",
            f"processor time per request of the load generator: {generator:.0f} us",
            f"processor time per pgbench transaction: PostgreSQL {1e6 * middle(rounds.limit_cpu):.0f} us",
            f"pgbench's mean latency was {middle([limit.latency for limit in rounds.limit]):.1f} ms",
        ],
    )
    if rounds.control:
        yield Figure(
            what=f"requests accepted, {told}",
            unit="/s",
            figure=rate,
            limit_name="/s ORM session per request",
            limit=middle([load.rate for load in rounds.control]),
            bar=8,
            goal=20,
        )
        yield Figure(
            what=f"p99 of an accepted request, {told}",
            unit="ms",
            figure=p99,
            limit_name="ms ORM session per request",
            limit=middle([load.p99 for load in rounds.control]),
            bar=0.15,
            at_most=True,
        )


def _memory(mib: float) -> Figure:
    return Figure(
        what="memory of an API process after that load",
        unit="MiB",
        figure=mib,
        limit_name="MB allowed",
        limit=200 * 1e6 / 2**20,
        bar=1,
        goal=0.6,
        at_most=True,
    )
