"""Timers: due rows kept by events, and the leased poller that makes commands of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import sqlalchemy as sa
import structlog

from shared.eventsourcing.catch_up import woken
from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import Appended, StoreFork, Unit
from shared.eventsourcing.projection import ReadModel
from shared.eventsourcing.timer_polls import polls, until_next
from shared.eventsourcing.timer_restraint import Backoff, StepGuard
from shared.runtime.database import Database, unavailable
from shared.runtime.metrics import Metrics

PAGE_ROWS = 100
POLL_SECONDS = 0.25
_BREATH_SECONDS = 0.002, 0.025  # as long as the round took, within this: what is due meanwhile fires together
_AWAY_SECONDS = 5.0
_STANDBY_SECONDS = 1.0  # between two looks at a lease that another process has
_WAITING_ALARM = timedelta(minutes=15)
_LATENESS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 86400.0)

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A row that is due: `issue` turns it into a command that carries `seq`, so that a repeat is nothing.

    `subject` is the record it is about, by the id that keys the sources' messages.
    """

    timer_id: UUID
    kind: str
    subject: UUID
    seq: int
    due_at: datetime
    attached_at: datetime
    sources: str


def due_table(version: int, name: str = "due") -> sa.Table:
    """Return the table of a service's due rows. Due by fact means due at once.

    `sources` lists, sorted and with commas, the services whose messages can still move the row's deadline
    (empty: none); the poll fires the row when they are complete to `due_at` and `attached_at`.
    """
    table = f"{name}_v{version}"
    return sa.Table(
        table,
        sa.MetaData(schema="read"),
        sa.Column("timer_id", sa.Uuid, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Uuid, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attached_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sources", sa.Text, nullable=False),
        sa.Index(f"{table}_sources_due_at", "sources", "due_at", "timer_id"),
    )


class Completeness(Protocol):
    """How far the messages of other services have been heard."""

    async def complete(self, sources: Collection[str]) -> datetime | None:
        """Return up to when all these sources have been heard, in recorded time; None: not known yet."""

    async def parked_keys(self, source: str) -> Collection[bytes]:
        """Return the keys (ids as text) that have a message set aside: their timers wait."""


class Leased(Protocol):
    """The right to be the one poller among all processes."""

    async def hold(self) -> bool: ...  # takes or renews it; asked before every page

    async def release(self) -> None: ...


Issue = Callable[[Sequence[Due]], Awaitable[Sequence[Unit]]]


@dataclass(slots=True)
class _Walk:
    """The poll's way through the due rows of one source set, in the order of their deadlines."""

    sources: str
    as_of: datetime
    parked: frozenset[str] = frozenset()
    after: tuple[datetime, UUID] | None = None


class TimerPoller:
    """Fires what is due, whoever missed it and however late: level-triggered, one process at a time.

    Rows are read without locking. What they ask for is decided by the stream, under the append lock: a
    command whose `seq` is no longer the stream's decides to nothing, so firing twice does no harm.
    """

    def __init__(
        self,
        database: Database,
        store: EventStore,
        model: ReadModel,
        *,
        progress: Completeness,
        issue: Issue,
        lease: Leased,
        metrics: Metrics | None = None,
    ) -> None:
        self._database, self._store, self._model = database, store, model
        self._progress, self._issue, self._lease = progress, issue, lease
        self._guard, self._backoff = StepGuard(), Backoff()
        self._alarmed: set[str] = set()
        self._measured: set[str] = set()
        self._stopping = False
        self._awake = asyncio.Event()
        store.on_append(lambda _: self._awake.set())
        self._task: asyncio.Task[None] | None = None
        self._began = (datetime.min.replace(tzinfo=UTC), 0.0)
        self._next_at = 0.0  # when, in the loop's time, the first row that is not due yet will be
        self._polls = polls(model.table.fullname)
        metrics = metrics or Metrics(store.definition.service)
        self._lateness = metrics.histogram(
            "timer_overdue_seconds", "Between due and fired.", "kind", buckets=_LATENESS
        )
        self._refused = metrics.counter("timer_refused", "Timer commands refused.", "timers")
        self._waiting = metrics.gauge("timer_waiting_seconds", "Oldest wait for a source.", "sources")
        self._doubted = metrics.gauge("timer_clock_doubted", "1 while the clock has jumped.", "timers")

    def start(self) -> None:
        """Begin to poll."""
        self._stopping = False
        self._task = asyncio.create_task(self._run(), name=f"{self._model.name} timers")

    async def stop(self) -> None:
        """Finish the page in hand, end, and let another process take over at once."""
        self._stopping = True
        self._awake.set()
        if self._task is not None:
            await self._task
            await self._lease.release()

    async def round(self) -> int:
        """Fire everything that is due now, page by page, the source sets in turn; return how many rows."""
        async with self._database.connection() as conn:
            looked = await conn.fetch(self._polls["sets"])
        now: datetime = looked[0]["now"]
        self._next_at = asyncio.get_running_loop().time() + until_next(looked)
        if not self._trusted(now):
            return 0
        self._backoff.forget(self._began[1])
        waited_before, self._measured = self._measured, set()
        due = [row["sources"] for row in looked if row["first"] is not None and row["first"] <= now]
        walks = [walk for sources in due if (walk := await self._walk(sources, now))]
        fired = 0
        while walks and not self._stopping and await self._lease.hold():
            for walk in list(walks):
                rows = await self._page(walk)
                if len(rows) < PAGE_ROWS:
                    walks.remove(walk)
                fired += await self._fire(self._not_parked(walk, rows))
                await asyncio.sleep(0)
        for over in waited_before - self._measured:
            self._measure(over, timedelta(0))
        return fired

    async def _facts(self) -> bool:
        """Fire what facts have just made due, one page of it; tell whether that was all."""
        async with self._database.connection() as conn:
            looked = await conn.fetch(self._polls["facts"], PAGE_ROWS)
        now: datetime = looked[0]["now"]
        found = (row for row in looked if row["timer_id"] is not None)
        rows = [Due(**{name: row[name] for name in Due.__slots__}) for row in found]
        if rows and self._trusted(now):
            await self._fire(rows)
        return len(rows) < PAGE_ROWS

    def _trusted(self, now: datetime) -> bool:
        """Tell whether the database's clock may be believed, and begin a look at this reading of it."""
        monotonic = asyncio.get_running_loop().time()
        self._began = (now, monotonic)
        doubted, trusted = self._guard.doubted, self._guard.trusts(now, monotonic)
        self._doubted(self._model.name).set(not trusted)
        if not trusted and not doubted:
            _LOG.error("timers rest: the database's clock has jumped", timers=self._model.name)
        return trusted

    async def _run(self) -> None:
        clock, (shortest, longest) = asyncio.get_running_loop().time, _BREATH_SECONDS
        whole_at = 0.0  # when to look at all source sets again, though only facts have come
        while not self._stopping:
            pause, began = POLL_SECONDS, clock()
            news = self._awake.is_set()
            self._awake.clear()
            try:
                if not await self._lease.hold():
                    pause = _STANDBY_SECONDS
                elif not news or began >= min(whole_at, self._next_at) or not await self._facts():
                    whole_at = clock() + POLL_SECONDS
                    await self.round()
                    pause = min(pause, max(self._next_at - clock(), 0.0))
            except Exception as error:  # noqa: BLE001  this task outlives the database and any surprise
                pause = _AWAY_SECONDS
                _LOG.warning("timers wait", error=type(error).__name__, away=unavailable(error))
            await asyncio.sleep(min(max(clock() - began, shortest), longest))
            if not self._stopping:
                await woken(self._awake, pause)

    async def _walk(self, sources: str, now: datetime) -> _Walk | None:
        """Return how far the rows of this source set may fire, and measure what waits for the sources."""
        if not sources:
            return _Walk(sources, now)
        try:
            as_of = await self._progress.complete(sources.split(","))
        except StoreFork:
            as_of = None
        async with self._database.connection() as conn:
            oldest = await conn.fetchval(self._polls["waiting"], sources, now, as_of)
        self._measure(sources, now - oldest if oldest is not None else timedelta(0))
        if as_of is None:
            return None
        # asked after `complete`, which counts as heard what was set aside
        parked = {
            key.decode() for name in sources.split(",") for key in await self._progress.parked_keys(name)
        }
        return _Walk(sources, min(as_of, now), frozenset(parked))

    def _not_parked(self, walk: _Walk, rows: Sequence[Due]) -> Sequence[Due]:
        """Leave out rows of which something waits parked: what it says may move the deadline."""
        if not walk.parked:
            return rows
        waiting = [row for row in rows if str(row.subject) in walk.parked]
        oldest = min((max(row.due_at, row.attached_at) for row in waiting), default=self._began[0])
        self._measure(f"{walk.sources} parked", self._began[0] - oldest)
        return [row for row in rows if row not in waiting]

    def _measure(self, what: str, waited: timedelta) -> None:
        if waited:
            self._measured.add(what)
        self._waiting(what).set(max(waited.total_seconds(), 0.0))
        if waited <= _WAITING_ALARM:
            self._alarmed.discard(what)
        elif what not in self._alarmed:
            self._alarmed.add(what)
            _LOG.error("timers wait for a source", timers=self._model.name, sources=what)

    async def _page(self, walk: _Walk) -> list[Due]:
        async with self._database.connection() as conn:
            statement = self._polls["next" if walk.after else "first"]
            rows = await conn.fetch(statement, walk.sources, walk.as_of, PAGE_ROWS, *(walk.after or ()))
        page = [Due(**row) for row in rows]
        if page:
            walk.after = (page[-1].due_at, page[-1].timer_id)
        return page

    async def _fire(self, page: Sequence[Due]) -> int:
        clock = asyncio.get_running_loop().time
        rows = self._backoff.ready(page, clock())
        if not rows:
            return 0
        try:
            await self._submit(rows)
        except Exception as error:
            if unavailable(error):
                raise
            if len(rows) > 1:  # the one at fault must not hold up its neighbours
                return sum([await self._fire([row]) for row in rows])
            self._refuse(error)
        self._backoff.fired(rows, clock())
        now = self._began[0] + timedelta(seconds=clock() - self._began[1])
        for row in rows:
            self._lateness(row.kind).observe((now - row.due_at).total_seconds())
        return len(rows)

    async def _submit(self, rows: Sequence[Due]) -> None:
        if not (units := await self._issue(rows)):
            return
        async with self._database.transaction() as conn:
            outcomes = await self._store.append(conn, units)
        appended = [outcome for outcome in outcomes if isinstance(outcome, Appended)]
        if appended:
            self._store.announce(max(outcome.position for outcome in appended))
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                self._refuse(outcome)

    def _refuse(self, reason: Exception) -> None:
        self._refused(self._model.name).inc()
        _LOG.warning("a timer is refused", timers=self._model.name, reason=type(reason).__name__)
