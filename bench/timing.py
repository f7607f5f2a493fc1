"""Timers of sla with a million armed: an empty poll, ten thousand due at once, and one by one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bench.armed import arm, put_in_force, submitted
from bench.figures import Figure, middle, percentile
from bench.load import WrongAnswer
from bench.servers import Bench
from bench.stored import Stored, opened
from services.sla.app import LOG
from services.sla.projections.due import DUE
from services.sla.timers import Checks
from shared.eventsourcing.timers import TimerPoller
from shared.messaging.lease import Lease
from shared.runtime.clock import SystemClock

AT_ONCE = 10_000
ONE_BY_ONE = 300
_POLLS = 200  # in a round
_ARMING = timedelta(seconds=30)  # until the first deadline
_SPREAD_SECONDS = 30
_REST = timedelta(seconds=3)  # between the last of those one by one and those at once
_PATIENCE_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_DUE = f"SELECT subject, due_at FROM {DUE.table.fullname} WHERE subject = ANY ($1::uuid[]) AND sources <> ''"
_BREACHED = (
    "SELECT stream_id, min(recorded_at) FROM log.event"
    " WHERE stream_id = ANY ($1::uuid[]) AND type = 'ClockBreached' GROUP BY 1"
)


def timing(bench: Bench, *, rounds: int, seconds: float) -> list[Figure]:
    """Measure with a worker process that hears a real, silent intake; the empty polls in this process.

    The million are rows of the read models that the poller and its checks read. What fires has its facts in
    the log: it is decided, appended and published as everything else.
    """
    del seconds  # the deadlines say how long it takes
    intake, sla = bench.databases("intake"), bench.databases("sla")

    async def empty() -> list[list[float]]:
        async with opened(LOG, sla) as stored:
            await put_in_force(stored)
            await arm(sla.owner_url)
            return await _polls(stored, rounds)

    async def fired() -> tuple[list[float], list[float]]:
        async with opened(LOG, sla) as stored:
            return await _fired(stored)

    polls = asyncio.run(empty())
    with bench.process("intake", "api", intake) as source:
        known = {
            "PLUMBLINE_SOURCES__INTAKE": f"http://127.0.0.1:{source.port}/intake",
            "PLUMBLINE_SERVICE_TOKEN": bench.token("sla", "event_consumer"),
        }
        with bench.process("sla", "worker", sla, **known) as worker:
            used = worker.cpu_seconds()
            one_by_one, at_once = asyncio.run(fired())
            used = worker.cpu_seconds() - used
    return [
        Figure(what="empty poll, 1 M timers armed", unit="ms p95",
               figure=middle([percentile(each, 0.95) for each in polls]), limit_name="ms allowed", limit=5,
               bar=1, goal=0.2, at_most=True, p50=middle([percentile(each, 0.5) for each in polls]),
               p99=middle([percentile(each, 0.99) for each in polls])),
        Figure(what=f"{AT_ONCE:,} timers due at once, until the last has fired", unit="s",
               figure=max(at_once), limit_name="s allowed", limit=60, bar=1, goal=10 / 60, at_most=True,
               notes=[f"the worker used {used:.0f} s of processor time in all, arming them included"]),
        Figure(what=f"lateness of timers, {ONE_BY_ONE / _SPREAD_SECONDS:g} due per second", unit="ms p99",
               figure=1000 * percentile(one_by_one, 0.99), limit_name="ms allowed", limit=1000, bar=1,
               goal=0.3, at_most=True, p50=1000 * percentile(one_by_one, 0.5),
               p99=1000 * percentile(one_by_one, 0.99)),
    ]  # fmt: skip


class _Silent:
    """A source that has been heard up to now: it has nothing to say."""

    async def complete(self, sources: Collection[str]) -> datetime | None:
        del sources
        return datetime.now(UTC)

    async def parked_keys(self, source: str) -> Collection[bytes]:
        del source
        return ()


async def _polls(stored: Stored, rounds: int) -> list[list[float]]:
    """Return the milliseconds of polls that find nothing due, after the agreement's own timer has fired."""
    lease = Lease(stored.database, "timers")
    checks = Checks(stored.database, stored.store, SystemClock())
    poller = TimerPoller(
        stored.database, stored.store, DUE, progress=_Silent(), issue=checks.issue, lease=lease
    )
    while not await lease.hold() or await poller.round():
        continue
    measured: list[list[float]] = []
    for _ in range(rounds):
        took: list[float] = []
        for _ in range(_POLLS):
            began = time.perf_counter()
            await lease.hold()
            fired = await poller.round()
            took.append((time.perf_counter() - began) * 1000)
            if fired:
                raise WrongAnswer(f"{fired} timers were due")
        measured.append(took)
    await lease.release()
    return measured


async def _fired(stored: Stored) -> tuple[list[float], list[float]]:
    """Return by how many seconds the breaches were told late: of those due one by one, of those at once."""
    first = datetime.now(UTC).replace(microsecond=0) + _ARMING
    spread = [first + timedelta(seconds=n * _SPREAD_SECONDS // ONE_BY_ONE) for n in range(ONE_BY_ONE)]
    one_by_one = await submitted(stored, spread)
    at_once = await submitted(stored, [spread[-1] + _REST] * AT_ONCE)
    ours = [*one_by_one, *at_once]
    due = await _rows(stored, _DUE, ours, until=first)
    told = await _rows(stored, _BREACHED, ours, until=spread[-1] + timedelta(seconds=_PATIENCE_SECONDS))
    late = {record_id: (told[record_id] - due[record_id]).total_seconds() for record_id in ours}
    return [late[record_id] for record_id in one_by_one], [late[record_id] for record_id in at_once]


async def _rows(
    stored: Stored, statement: str, record_ids: Sequence[UUID], *, until: datetime
) -> dict[UUID, datetime]:
    """Wait until the statement has a row for each record and return them."""
    found: dict[UUID, datetime] = {}
    while len(found) < len(record_ids):
        if datetime.now(UTC) > until:
            raise WrongAnswer(f"{len(found)} of {len(record_ids)} by {until}: {statement}")
        await asyncio.sleep(_LOOK_SECONDS)
        async with stored.database.connection() as conn:
            found = dict(await conn.fetch(statement, record_ids))
    return found
