"""Milliseconds of the request list and its filters over HTTP: at 1 M requests against 10 k."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import asyncpg

from bench.figures import Figure, middle, percentile
from bench.load import Load, WrongAnswer, drive
from bench.requests import BODY
from bench.servers import Bench, Process
from shared.runtime.provisioning import ServiceDatabases, create_database

FEW, MANY = 10_000, 1_000_000
FILLING = Path(__file__).with_name("listed.sql")
_TABLE = "read.request_list_v1"
_LIST, _COUNTS = "/intake/v1/requests", "/intake/v1/request-counts"
_ASKED_FOR = 200  # people and tickets
_SHARE = 8  # of a measurement's seconds, for each question
_RECOUNTS = 3
_REQUESTERS = f"SELECT requester_id::text FROM {_TABLE} GROUP BY 1 HAVING count(*) > 20 ORDER BY 1 LIMIT $1"
_TICKETS = f"SELECT external_id FROM {_TABLE} WHERE source_system = 'servicenow' ORDER BY request_id LIMIT $1"

Query = Mapping[str, str]


@dataclass(slots=True)
class _Question:
    """A way to ask for the list: variants at few and at many requests, and the rows that each answers."""

    what: str
    few: Sequence[Query]
    many: Sequence[Query]
    rows: int
    loads: dict[int, list[Load]] = field(default_factory=lambda: {FEW: [], MANY: []})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """An API process with so many requests behind it."""

    process: Process
    token: str

    def get(self, path: str, query: Query) -> Any:
        return self._answer(f"{path}?{urlencode(query)}", None)

    def post(self, body: Mapping[str, Any]) -> Any:
        return self._answer(_LIST, json.dumps(body).encode())

    def requests(self, path: str, queries: Sequence[Query]) -> Iterator[bytes]:
        """Return the queries as bytes to send, over and over."""
        return cycle(
            f"GET {path}?{urlencode(query)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self.token}\r\n\r\n".encode()
            for query in queries
        )

    def ask(self, path: str, queries: Sequence[Query], seconds: float) -> Load:
        return drive(self.process.port, self.requests(path, queries), clients=1, seconds=seconds, status=200)

    def _answer(self, path: str, body: bytes | None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        address = f"http://127.0.0.1:{self.process.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=10) as got:
            return json.load(got)


def listing(bench: Bench, *, rounds: int, seconds: float) -> list[Figure]:
    """Measure one client's wait, one question after the other, each on both databases in turn.

    The rows are put straight into the read model, as 0 events of an empty log: a list is answered from
    nothing else. Pages are equally long on both sides, so that the size of an answer does not count.
    """
    many = bench.databases("intake")
    few = asyncio.run(_fill(bench, many))
    token = bench.token("desk")
    with bench.process("intake", "api", few) as small, bench.process("intake", "api", many) as large:
        servers = {FEW: _Server(process=small, token=token), MANY: _Server(process=large, token=token)}
        questions = asyncio.run(_questions(few, many, servers))
        for question in questions:
            _check(question, servers)
        for _ in range(rounds):
            for question in questions:
                for size, queries in ((FEW, question.few), (MANY, question.many)):
                    question.loads[size].append(servers[size].ask(_LIST, queries, seconds / _SHARE))
        counted = _counted(servers, rounds, seconds)
    return [*(_figure(f"list, {each.what}", each.loads) for each in questions), *counted]


async def _fill(bench: Bench, many: ServiceDatabases) -> ServiceDatabases:
    """Make the small database beside the service's own and fill both."""
    admin = await asyncpg.connect(bench.postgres.url())
    await create_database(admin, "intake_few", "intake", template="intake")
    few = replace(
        many,
        **{
            name: f"{getattr(many, name).removesuffix('/intake')}/intake_few" for name in ("url", "owner_url")
        },
    )
    for databases, count in ((few, FEW), (many, MANY)):
        conn = await asyncpg.connect(databases.owner_url)
        indexes = await conn.fetch(
            "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition"
            " FROM pg_index WHERE indrelid = $1::text::regclass AND NOT indisprimary",
            _TABLE,
        )
        await conn.execute(f"DROP INDEX {', '.join(row['name'] for row in indexes)}")
        await conn.execute(FILLING.read_text(), count)
        for row in indexes:
            await conn.execute(row["definition"])
        await conn.execute(f"VACUUM ANALYZE {_TABLE}")  # as autovacuum does
        await conn.close()
    await admin.execute("CHECKPOINT")
    await admin.close()
    return few


async def _questions(
    few: ServiceDatabases, many: ServiceDatabases, servers: Mapping[int, _Server]
) -> list[_Question]:
    def both(what: str, *queries: Query, rows: int = 10) -> _Question:
        limited = [{**query, "limit": str(rows)} for query in queries]
        return _Question(what, limited, limited, rows)

    def each(what: str, name: str, found: Sequence[Sequence[str]], **fixed: str) -> _Question:
        rows = 1 if name == "external_id" else 10
        small, large = ([{name: value, **fixed, "limit": "10"} for value in side] for side in found)
        return _Question(what, small, large, rows)

    second = [{"cursor": str(servers[size].get(_LIST, {})["next_cursor"])} for size in (FEW, MANY)]
    people = [await _values(side, _REQUESTERS) for side in (few, many)]
    tickets = [await _values(side, _TICKETS) for side in (few, many)]
    return [
        both("first page of 50", {}, rows=50),
        _Question("second page of 50", second[:1], second[1:], 50),
        both(
            "by state", *({"state": state} for state in ("submitted", "in_fulfilment", "closed", "rejected"))
        ),
        both("by service", *({"service": f"Service {n}"} for n in (0, 7, 60, 150, 199))),
        both("by a service given up years ago", {"service": "Fax gateway"}),
        both("by assignment group", *({"assignment_group": f"Group {n}"} for n in (0, 12, 40, 70))),
        both("by priority", *({"priority": str(n)} for n in range(1, 6))),
        both("by kind", *({"kind": kind} for kind in ("incident", "enhancement", "complaint"))),
        both("by business unit", *({"business_unit": f"Unit {n}"} for n in (0, 20, 40, 59))),
        both("by breach", {"breached": "true"}),
        each("by requester", "requester_id", people),
        each("by ticket of another tool", "external_id", tickets, source_system="servicenow"),
        both("by another tool", {"source_system": "servicenow"}),
        both(
            "by two filters",
            {"state": "in_fulfilment", "priority": "4"},
            {"state": "closed", "assignment_group": "Group 70"},
            {"service": "Service 0", "priority": "1"},
            {"state": "closed", "service": "Service 199"},
        ),
    ]


async def _values(databases: ServiceDatabases, statement: str) -> list[str]:
    conn = await asyncpg.connect(databases.owner_url)
    try:
        return [row[0] for row in await conn.fetch(statement, _ASKED_FOR)]
    finally:
        await conn.close()


def _check(question: _Question, servers: Mapping[int, _Server]) -> None:
    for size, queries in ((FEW, question.few), (MANY, question.many)):
        for query in queries:
            found = len(servers[size].get(_LIST, query)["items"])
            if found != question.rows:
                raise WrongAnswer(f"{found} rows, wanted are {question.rows}, of {size}: {dict(query)}")


def _counted(servers: Mapping[int, _Server], rounds: int, seconds: float) -> list[Figure]:
    """Measure the counts of everything: asked again, and asked for the first time after a request."""
    again: dict[int, list[Load]] = {FEW: [], MANY: []}
    anew: dict[int, list[Load]] = {FEW: [], MANY: []}
    for number in range(rounds):
        for size, server in servers.items():
            server.get(_COUNTS, {})
            again[size].append(server.ask(_COUNTS, [{}], seconds / _SHARE))
            first = Load(seconds)
            for n in range(_RECOUNTS):
                server.post({**BODY, "title": f"Counted {number} {n}"})
                began = time.perf_counter()
                server.get(_COUNTS, {})
                first.milliseconds.append((time.perf_counter() - began) * 1000)
            anew[size].append(first)
            total, wanted = server.get(_COUNTS, {})["total"], size + _RECOUNTS * (number + 1)
            if total != wanted:
                raise WrongAnswer(f"{wanted} requests are there, {total} were counted")
    return [
        replace(_figure("counts of all requests, asked again", again), bar=None, goal=None),
        replace(_figure("counts of all requests, after a new one", anew), bar=None, goal=None),
    ]


def _figure(what: str, loads: Mapping[int, Sequence[Load]]) -> Figure:
    few, many = (middle([percentile(load.milliseconds, 0.95) for load in loads[n]]) for n in (FEW, MANY))
    return Figure(
        what=f"{what}, at 1 M",
        unit="ms p95",
        figure=many,
        limit_name="ms p95 at 10 k",
        limit=few,
        bar=1.5,
        goal=1.1,
        at_most=True,
        p50=middle([load.p50 for load in loads[MANY]]),
        p99=middle([load.p99 for load in loads[MANY]]),
    )
