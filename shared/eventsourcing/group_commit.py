"""Group commit: one task per process appends whatever arrived while the last commit ran."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from shared.eventsourcing.batching import Batching
from shared.eventsourcing.event_store import APPEND_LOCK, TELL_UNTIL, EventStore
from shared.eventsourcing.foreseen import Foreseen, NotForeseen
from shared.eventsourcing.log import Appended, OutcomeUnknown, Unit
from shared.eventsourcing.preparing import Prepared, key_digest
from shared.eventsourcing.transactions import Transactions
from shared.eventsourcing.unstorable import problem_of
from shared.runtime.database import Database, unavailable
from shared.runtime.failpoints import failpoint

CAP_UNITS = 64
CAP_BYTES = 1 << 20
BATCH_SECONDS = 8.0
_OVERLOADED = (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError)
_LOST = (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError)
UNKNOWN_SECONDS = 3.0

_LOG = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Waiting:
    unit: Unit
    answer: asyncio.Future[Appended]
    prepared: Prepared | None = None

    @property
    def key(self) -> bytes | None:
        return key_digest(self.unit.idempotency) if self.prepared is None else self.prepared.key


class _CommitLost(Exception):
    """The connection was lost while COMMIT was on its way."""


class GroupCommit:
    """The appender of one process. `submit` returns once the unit is durable.

    There is no timer: a lone unit commits at once, and under load a batch is what came in during the last
    commit and is still coming in, turn by turn of the loop, up to 64 units or 1 MiB. What needs no lock
    (deciding a new stream, sealing, encoding) is done while the previous batch commits. New keys are made
    beside that, one insert at a time, and only those wait for them whose events need them.
    """

    def __init__(self, database: Database, store: EventStore) -> None:
        self._database = database
        self._store = store
        self._transactions = Transactions(database, seconds=BATCH_SECONDS)
        self._new = Batching[_Waiting](self._decide, most=CAP_UNITS)
        self._strangers = Batching[_Waiting](self._seal_strangers, most=CAP_UNITS)
        self._ready = Batching[_Waiting](self._commit, most=CAP_UNITS)
        self._stopping = False

    def start(self) -> None:
        """Begin to append."""
        self._stopping = False
        service = self._store.definition.service
        for name, part in (("decisions", self._new), ("keys", self._strangers), ("commit", self._ready)):
            part.start(f"{service} group commit: {name}")

    async def stop(self) -> None:
        """Append what is waiting, then end."""
        self._stopping = True
        for part in (self._new, self._strangers, self._ready):
            await part.stop()
        await self._transactions.abandon()

    def submit(self, unit: Unit) -> asyncio.Future[Appended]:
        """Append one unit durably; no task is needed to wait for many.

        The future raises `Rejected`, `StaleVersion`, `KeyReused`, `NewerData`, `OutcomeUnknown`, or the
        database's error when it is away (then nothing was stored).
        """
        if self._stopping:
            raise asyncpg.CannotConnectNowError("this process is stopping")
        waiting = _Waiting(unit, asyncio.get_running_loop().create_future())
        new = all(step.new for step in unit.steps)
        (self._new if new else self._ready).put(waiting)
        return waiting.answer

    async def _decide(self) -> None:
        """Decide units of new streams; who needs no new key does not wait for those who do."""
        batch = _taken(self._new.waiting)
        try:
            results = await self._store.preparing.decide(None, [waiting.unit for waiting in batch])
        except Exception as error:  # noqa: BLE001  whatever it is, the next batch is not to blame
            _fail(batch, error)
            return
        known: list[_Waiting] = []
        for waiting, result in zip(batch, results, strict=True):
            if not isinstance(result, Prepared):
                _settle(waiting, result)
                continue
            waiting.prepared = result
            if self._store.keys.at_hand(result.subjects):
                known.append(waiting)
            else:
                self._strangers.put(waiting)
        if known:
            await self._seal(known)

    async def _seal_strangers(self) -> None:
        await self._seal(_taken(self._strangers.waiting))

    async def _seal(self, batch: Sequence[_Waiting]) -> None:
        """Seal and encode what was decided, then let it join the queue."""
        try:
            await self._store.preparing.encode([each.prepared for each in batch if each.prepared is not None])
        except Exception as error:  # noqa: BLE001  nothing is stored yet, whatever it is
            if len(batch) > 1 and not _passing(error):
                for waiting in batch:  # one unit's defect is not its neighbours'
                    await self._seal([waiting])
            else:
                _fail(batch, error)
        else:
            self._ready.put(*batch)

    async def _commit(self) -> None:
        batch = self._take()
        if not batch:
            await self._transactions.rest()  # what the last commit began for senders that went away
            return
        try:
            await self._commit_batch(batch)
        except Exception as error:  # noqa: BLE001  the appender outlives any batch
            _fail(batch, error)

    def _take(self) -> list[_Waiting]:
        queue = self._ready.waiting
        batch: list[_Waiting] = []
        later: list[_Waiting] = []
        keys: set[bytes] = set()
        size = 0
        while queue and len(batch) < CAP_UNITS and size < CAP_BYTES:
            waiting = queue.popleft()
            if waiting.answer.done():
                continue  # its sender has gone before anything was tried
            key = waiting.key
            if key is not None and key in keys:
                later.append(waiting)  # the same request twice: the second gets the first one's answer
                continue
            if key is not None:
                keys.add(key)
            size += waiting.prepared.size if waiting.prepared else 0
            batch.append(waiting)
        queue.extendleft(reversed(later))
        return batch

    async def _commit_batch(self, batch: Sequence[_Waiting]) -> None:
        try:
            outcomes = await self._attempt(batch)
        except _CommitLost as lost:
            _fail(batch, OutcomeUnknown(str(lost)))
        except Exception as error:
            if _passing(error):
                raise
            if len(batch) > 1:
                _LOG.warning("batch retried one by one", units=len(batch), error=type(error).__name__)
                for waiting in batch:
                    waiting.prepared = None  # a fresh decision; event ids are never used twice
                    await self._commit_batch([waiting])
                return
            _fail(batch, problem_of(error))
        else:
            for waiting, outcome in zip(batch, outcomes, strict=True):
                _settle(waiting, outcome)

    async def _attempt(self, batch: Sequence[_Waiting]) -> list[Appended | Exception]:
        prepared = [waiting.prepared for waiting in batch if waiting.prepared is not None]
        foreseen = self._store.foresee(prepared) if len(prepared) == len(batch) else None
        outcomes: list[Appended | Exception]
        try:
            outcomes = [] if foreseen is None else await self._append_foreseen(foreseen)
        except NotForeseen:
            outcomes = []
        if not outcomes:
            outcomes = await self._append_step_by_step(batch)
        failpoint("append.after_commit_before_ack")
        appended = [outcome.position for outcome in outcomes if isinstance(outcome, Appended)]
        if appended:
            self._store.announce(max(appended))
        return outcomes

    async def _append_foreseen(self, foreseen: Foreseen) -> list[Appended | Exception]:
        """Append in one statement, which is a transaction by itself: losing it is losing a COMMIT."""
        conn = await self._transactions.outside()
        failpoint("append.before_commit")
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                await self._store.append_foreseen(conn, foreseen)
        except _LOST as error:
            await self._settle_lost(foreseen.outcomes, error)
        return [*foreseen.outcomes]

    async def _append_step_by_step(self, batch: Sequence[_Waiting]) -> list[Appended | Exception]:
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                outcomes = await self._append(await self._transactions.begin(), batch)
                failpoint("append.before_commit")
        except BaseException:
            await self._transactions.abandon()
            raise
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                await self._transactions.commit(another=bool(self._ready.waiting))
        except _LOST as error:
            await self._settle_lost(outcomes, error)
        except BaseException:  # refused by the server: nothing is left to go on with
            await self._transactions.abandon()
            raise
        return outcomes

    async def _settle_lost(self, outcomes: Sequence[Appended | Exception], error: Exception) -> None:
        """Return if what was lost on its way is in the log all the same, else raise."""
        await self._transactions.lose()
        if not await self._committed(outcomes):
            raise asyncpg.ConnectionDoesNotExistError("the connection was lost before COMMIT") from error

    async def _append(self, conn: Any, batch: Sequence[_Waiting]) -> list[Appended | Exception]:
        ready: list[Prepared | Appended | Exception | None] = [waiting.prepared for waiting in batch]
        open_places = [n for n, prepared in enumerate(ready) if prepared is None]
        if open_places:
            units = [batch[n].unit for n in open_places]
            for n, prepared in zip(open_places, await self._store.prepare(conn, units), strict=True):
                ready[n] = prepared
        return await self._store.append_prepared(
            conn, [prepared for prepared in ready if prepared is not None]
        )

    async def _committed(self, outcomes: Sequence[Appended | Exception]) -> bool:
        """Tell, under the append lock, whether the batch whose COMMIT was lost is in the log.

        Without the lock the look-up could overtake the commit; what still waits for the lock itself is told
        that its moment has passed. Raises `_CommitLost` when nobody can tell.
        """
        first = next((o.events[0] for o in outcomes if isinstance(o, Appended) and o.events), None)
        if first is None:
            return True  # nothing was to be stored
        try:
            async with asyncio.timeout(UNKNOWN_SECONDS), self._database.transaction() as conn:
                await conn.execute("SELECT pg_advisory_xact_lock($1, $2)", *APPEND_LOCK)
                found = await conn.fetchval(
                    "SELECT event_id FROM log.event WHERE position = $1", first.position
                )
                await conn.execute(TELL_UNTIL)
                return bool(found == first.event_id)
        except Exception as error:
            raise _CommitLost(
                "the connection was lost in COMMIT; whether it took effect is not known"
            ) from error


def _taken(waiting: deque[_Waiting]) -> list[_Waiting]:
    """Take all whose senders are still there."""
    batch = [each for each in waiting if not each.answer.done()]
    waiting.clear()
    return batch


def _passing(error: Exception) -> bool:
    """Tell whether it lies in the database, so that another try at once would only meet it again."""
    return unavailable(error) or isinstance(error, _OVERLOADED)


def _settle(waiting: _Waiting, outcome: Appended | Exception) -> None:
    if waiting.answer.done():
        return
    if isinstance(outcome, Exception):
        waiting.answer.set_exception(outcome)
    else:
        waiting.answer.set_result(outcome)


def _fail(batch: Sequence[_Waiting], error: Exception) -> None:
    for waiting in batch:
        _settle(waiting, error)
