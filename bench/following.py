"""How long after a request was submitted its clocks start in sla, over real Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from uuid import UUID

import asyncpg

from bench.figures import Figure, middle, percentile
from bench.load import WrongAnswer, drive
from bench.local import Local, plumbline_up
from bench.relaying import broker
from bench.requests import Requests
from bench.servers import Bench
from services.command_line.services import definitions
from shared.messaging.brokers import KafkaAccess
from shared.messaging.topics import declare
from shared.runtime.settings import KafkaSettings

RATES = (50, 500)  # requests per second
_CLIENTS = 16
_PATIENCE_SECONDS = 60.0
_SETTLING_SECONDS = 3.0


def following(bench: Bench, *, rounds: int, seconds: float) -> list[Figure]:
    """Measure by the two logs' recorded times, on one machine's clock, with all services in one process."""
    measured: dict[int, list[tuple[float, float, float]]] = {rate: [] for rate in RATES}
    with broker() as servers:
        asyncio.run(_declare(servers))
        with plumbline_up(bench.folder / "local", KAFKA_BOOTSTRAP_SERVERS=servers) as local:
            time.sleep(_SETTLING_SECONDS)  # the sample's agreement comes into force
            requests = iter(Requests(local.issuer()))
            for _ in range(rounds):
                for rate in RATES:
                    measured[rate].append(_round(local, requests, rate, seconds))
    return [_figure(rate, measured[rate]) for rate in RATES]


def _figure(rate: int, rounds: list[tuple[float, float, float]]) -> Figure:
    p50, p99, reached = (middle(column) for column in zip(*rounds, strict=True))
    return Figure(
        what=f"submitted to clock started in sla, {rate}/s wanted",
        unit="ms p99",
        figure=p99,
        limit_name="ms allowed",
        limit=250,
        bar=1,
        goal=0.2,
        at_most=True,
        p50=p50,
        p99=p99,
        notes=[f"{reached:.0f} requests per second were submitted"],
    )


def _round(local: Local, requests: Iterator[bytes], rate: int, seconds: float) -> tuple[float, float, float]:
    since = asyncio.run(_head(local, "intake")), asyncio.run(_head(local, "sla"))
    paced = _paced(islice(requests, int(rate * seconds)), rate)
    load = drive(local.process.port, paced, clients=_CLIENTS, seconds=10 * seconds)
    delays = asyncio.run(_delays(local, since, load.answered))
    return percentile(delays, 0.5), percentile(delays, 0.99), load.answered / load.seconds


def _paced(requests: Iterator[bytes], rate: int) -> Iterator[bytes]:
    began = time.perf_counter()
    for number, request in enumerate(requests):
        time.sleep(max(0.0, began + number / rate - time.perf_counter()))
        yield request


async def _declare(servers: str) -> None:
    access = KafkaAccess(bootstrap_servers=servers, settings=KafkaSettings(replication_factor=1))
    for definition in definitions().values():
        counts = dict.fromkeys(definition.log.publisher.topic_names(), definition.log.partitions)
        if counts:
            await declare(access, counts)


async def _head(local: Local, service: str) -> int:
    conn = await asyncpg.connect(local.owner_url(service))
    try:
        found: int = await conn.fetchval("SELECT coalesce(max(position), 0) FROM log.event")
        return found
    finally:
        await conn.close()


async def _delays(local: Local, since: tuple[int, int], count: int) -> list[float]:
    """Wait until every request has its first clock; return the milliseconds that took."""
    asked = "SELECT stream_id, min(recorded_at) FROM log.event WHERE position > $1 AND type = $2 GROUP BY 1"
    intake = await asyncpg.connect(local.owner_url("intake"))
    sla = await asyncpg.connect(local.owner_url("sla"))
    try:
        submitted: dict[UUID, datetime] = dict(await intake.fetch(asked, since[0], "RequestSubmitted"))
        if len(submitted) < count:  # more: the sample may still be on its way in
            raise WrongAnswer(f"{count} requests were accepted, intake's log holds {len(submitted)}")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        started: dict[UUID, datetime] = {}
        while not submitted.keys() <= started.keys():
            if time.monotonic() > deadline:
                raise WrongAnswer(f"{len(submitted.keys() - started.keys())} requests have no clock")
            await asyncio.sleep(0.5)
            started = dict(await sla.fetch(asked, since[1], "ClockAttached"))
    finally:
        await intake.close()
        await sla.close()
    return [(started[each] - at).total_seconds() * 1000 for each, at in submitted.items()]
