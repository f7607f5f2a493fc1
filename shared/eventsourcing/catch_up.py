"""The task of every process that brings its read models up to the head, in chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import NewerData
from shared.eventsourcing.projection import ReadModel
from shared.eventsourcing.writing import apply
from shared.runtime.database import Database, unavailable
from shared.runtime.metrics import Metrics

CHUNK_EVENTS = 1000
_POLL_SECONDS = 0.5  # other processes append too
_BREATH_SECONDS = 0.05  # between rounds under load, so that many small appends become one chunk
_INLINE_BREATH_SECONDS = 0.25  # where every append brings all models along by itself
_TOKEN_POLL_SECONDS = 0.05
_STALLED_RETRY_SECONDS = 30.0  # a newer release, or a repaired cause, may be able to go on

_LOG = structlog.get_logger(__name__)
_BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
_LOCK = "SELECT applied FROM read.read_model WHERE name = $1 AND version = $2 FOR UPDATE"
_ADVANCE = (
    "UPDATE read.read_model SET applied = $3, state = CASE WHEN $4 THEN 'live' ELSE state END, "
    "detail = CASE WHEN $4 THEN NULL ELSE detail END WHERE name = $1 AND version = $2"
)
_STALL = (  # unless newer code has taken it further since
    "UPDATE read.read_model SET state = 'stalled', detail = $4 "
    "WHERE name = $1 AND version = $2 AND applied = $3"
)
_STATES = (
    "SELECT m.name, m.version, m.applied, m.state, "
    "coalesce((SELECT max(position) FROM log.event), 0) AS head "
    "FROM unnest($1::text[], $2::integer[]) AS own (name, version) "
    "JOIN read.read_model m ON m.name = own.name AND m.version = own.version"
)
_TYPES = (
    "SELECT type, schema_version, min(position) AS first FROM log.event "
    "WHERE position > $1 AND position <= $2 GROUP BY type, schema_version"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """How far a read model is, beside the head that the same statement saw."""

    applied: int
    head: int
    state: str


async def known_until(conn: asyncpg.Connection, store: EventStore, after: int, until: int) -> int:
    """Return the last position up to `until` before which this code knows every event's type and version."""
    knows = store.definition.codec.knows
    rows = await conn.fetch(_TYPES, after, until)
    unknown = [row["first"] for row in rows if not knows(row["type"], row["schema_version"])]
    return min(unknown) - 1 if unknown else until


async def apply_range(
    conn: asyncpg.Connection, store: EventStore, model: ReadModel, after: int, until: int
) -> int:
    """Apply the events at `after` < position <= `until` and return the position reached.

    Raises `NewerData` where already the first of them is unknown to this code: it is never skipped.
    """
    reached = await known_until(conn, store, after, until)
    if reached == after < until:
        raise NewerData(f"the event at position {after + 1} is not known to this release")
    await apply(conn, model, await store.read(conn, after, reached - after, model.follows))
    return reached


class CatchUp:
    """Serves asynchronous read models for ever and inline ones while they are behind.

    A chunk locks its model's row in `read.read_model` in a transaction of its own and never takes the append
    lock; an append that meets the locked row leaves that model to the next chunk. What a model cannot take
    stalls that model alone, with the reason in its row.
    """

    def __init__(
        self,
        database: Database,
        store: EventStore,
        models: Sequence[ReadModel] | None = None,
        *,
        chunk: int = CHUNK_EVENTS,
        metrics: Metrics | None = None,
    ) -> None:
        self._database = database
        self._store = store
        self._models = tuple(store.definition.read_models if models is None else models)
        self._chunk = chunk
        behind = any(model.asynchronous for model in self._models)
        self._breath = _BREATH_SECONDS if behind else _INLINE_BREATH_SECONDS
        self._grown = asyncio.Event()
        self._progress = asyncio.Event()
        self._applied: dict[tuple[str, int], int] = {}
        self._retry_at: dict[tuple[str, int], float] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._seen_at = float("-inf")
        metrics = metrics or Metrics(store.definition.service)
        self._lag = metrics.gauge("projection_lag_events", "Events a read model is behind.", "read_model")
        self._stalls = metrics.gauge("projection_stalled", "1 while a read model is stalled.", "read_model")
        store.on_append(lambda _: self._grown.set())

    def start(self) -> None:
        """Begin to follow the log."""
        self._stopping.clear()
        self._task = asyncio.create_task(self._run(), name=f"{self._store.definition.service} catch-up")

    async def stop(self) -> None:
        """Finish the present chunk, then end."""
        self._stopping.set()
        self._grown.set()
        if self._task is not None:
            await self._task

    async def states(self) -> dict[tuple[str, int], ModelState]:
        """Return the state of every own read model that is declared."""
        names, versions = [model.name for model in self._models], [model.version for model in self._models]
        async with self._database.connection() as conn:
            rows = await conn.fetch(_STATES, names, versions)
        found = {
            (row["name"], row["version"]): ModelState(
                applied=row["applied"], head=row["head"], state=row["state"]
            )
            for row in rows
        }
        for key, state in found.items():
            self._applied[key] = state.applied
            self._lag(key[0]).set(state.head - state.applied)
            self._stalls(key[0]).set(state.state == "stalled")
        return found

    async def caught_up_to(self, position: int) -> bool:
        """Tell whether every own read model has taken the log up to `position`: the test of readiness."""
        states = await self.states()
        return len(states) == len(self._models) and all(
            state.applied >= position for state in states.values()
        )

    async def wait_for(self, model: ReadModel, position: int, timeout: float) -> bool:  # noqa: ASYNC109
        """Wait at most `timeout` seconds until the model has taken `position`; tell whether it has."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        key = (model.name, model.version)
        while self._applied.get(key, 0) < position:
            if clock() - self._seen_at >= _TOKEN_POLL_SECONDS:  # one look serves all who wait
                self._seen_at = clock()
                await self.states()
            elif clock() >= deadline:
                return False
            else:
                await woken(self._progress, _TOKEN_POLL_SECONDS)
        return True

    async def round(self) -> bool:
        """Take one chunk of every model that is behind; tell whether more is waiting."""
        more = False
        states = await self.states()
        for model in self._models:
            state = states.get((model.name, model.version))
            if state is not None and self._wants(model, state):
                more = await self._advance(model) or more
                await asyncio.sleep(0)
        return more

    def _wants(self, model: ReadModel, state: ModelState) -> bool:
        if state.state == "stalled":
            now = asyncio.get_running_loop().time()
            return now >= self._retry_at.get((model.name, model.version), 0.0)
        return state.applied < state.head or state.state == "building"

    async def _run(self) -> None:
        pause = _POLL_SECONDS
        while not self._stopping.is_set():
            try:
                self._grown.clear()
                more = await self.round()
                pause = _POLL_SECONDS
            except Exception as error:  # noqa: BLE001  this task outlives the database and any surprise
                more = False
                pause = min(pause * 2, 10.0)
                _LOG.warning("catch-up waits", error=type(error).__name__, away=unavailable(error))
            if not more:
                await woken(self._grown, pause)
                await woken(self._stopping, self._breath)

    async def _advance(self, model: ReadModel) -> bool:
        """Take one chunk; a failing one is halved until the position that fails stands alone."""
        size = self._chunk
        while True:
            try:
                return await self._take_chunk(model, size)
            except _BUSY:
                return False
            except NewerData as error:
                return await self._stall(model, str(error))
            except Exception as error:
                if unavailable(error):
                    raise
                if size == 1:
                    # the class only: a database's message can quote what stands in the row
                    return await self._stall(model, f"{type(error).__name__} at the position after applied")
                size = max(1, size // 8)

    async def _take_chunk(self, model: ReadModel, size: int) -> bool:
        key = (model.name, model.version)
        async with self._database.transaction() as conn:
            applied: int | None = await conn.fetchval(_LOCK, *key)
            if applied is None:
                return False
            self._applied[key] = applied
            head = (await self._store.head(conn)).position
            reached = await apply_range(conn, self._store, model, applied, min(head, applied + size))
            await conn.execute(_ADVANCE, *key, reached, reached == head)
        self._applied[key] = reached
        self._retry_at.pop(key, None)
        self._progress.set()
        self._progress.clear()
        return applied < reached < head

    async def _stall(self, model: ReadModel, detail: str) -> bool:
        key = (model.name, model.version)
        first = key not in self._retry_at
        self._retry_at[key] = asyncio.get_running_loop().time() + _STALLED_RETRY_SECONDS
        async with self._database.transaction() as conn:
            await conn.execute(_STALL, *key, self._applied[key], detail)
        if first:
            _LOG.error("read model stalled", read_model=model.name, version=model.version, detail=detail)
        return False


async def woken(event: asyncio.Event, seconds: float) -> None:
    """Sleep until the event or for so many seconds, whichever comes first."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
