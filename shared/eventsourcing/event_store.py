"""One service's log: append units, load streams, read on, verify the chain."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.eventsourcing.appending import Appending, Stale
from shared.eventsourcing.codec import Codec
from shared.eventsourcing.decider import AnyDecider
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.foreseen import Foreseen, Foresight
from shared.eventsourcing.log import Appended, Recorded, Unit
from shared.eventsourcing.preparing import Prepared, Preparing
from shared.eventsourcing.projection import ReadModel
from shared.eventsourcing.publishing import Publisher
from shared.eventsourcing.reading import AT_ONCE, Head, Reading, head

APPEND_LOCK = (20817, 1)  # the advisory lock that log.append_v2 takes; shared holders see a settled head
# Under that lock: after this moment, which it returns, nothing foreseen is recorded at or before it any more.
TELL_UNTIL = """
WITH now AS (SELECT clock_timestamp() AS at)
SELECT at, setval('log.told_until', ceil(extract(epoch FROM at) * 1000000)::bigint) FROM now
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDefinition:
    """What one service's log holds, says and shows."""

    service: str
    codec: Codec
    publisher: Publisher
    read_models: tuple[ReadModel, ...]
    partitions: int = 6


class EventStore:
    """The only way into the log. Call `declare` once per process before appending."""

    def __init__(self, definition: LogDefinition, keys: SubjectKeys) -> None:
        self.definition = definition
        self.keys = keys
        self._partitions: dict[str, int] = dict.fromkeys(
            definition.publisher.topic_names(), definition.partitions
        )
        self._reading = Reading(definition.codec, keys)
        self.preparing = Preparing(definition.codec, definition.publisher, keys, self._partitions)
        self._appending = Appending(
            definition.publisher, definition.read_models, self._reading, self._partitions
        )
        self._foresight = Foresight(self._appending, definition.read_models)
        self._listeners: list[Callable[[int], None]] = []

    async def declare(self, conn: Any) -> None:
        """Make the missing rows of own topics and read models; learn the topics' partition counts.

        A topic keeps the partition count that it was first declared with. One that code without it has left
        behind the head is filled in, under the append lock. Call it in a transaction.
        """
        await conn.execute(
            "INSERT INTO log.topic (name, partitions) SELECT name, $2 FROM unnest($1::text[]) AS t (name) "
            "ON CONFLICT DO NOTHING",
            list(self._partitions),
            self.definition.partitions,
        )
        await conn.execute(
            "INSERT INTO read.read_model (name, version) SELECT * FROM unnest($1::text[], $2::integer[]) "
            "ON CONFLICT DO NOTHING",
            [model.name for model in self.definition.read_models],
            [model.version for model in self.definition.read_models],
        )
        topics = await conn.fetch(
            "SELECT name, partitions, applied < (SELECT coalesce(max(position), 0) FROM log.event) AS behind "
            "FROM log.topic WHERE name = ANY($1::text[])",
            list(self._partitions),
        )
        self._partitions.update((row["name"], row["partitions"]) for row in topics)
        behind = [row["name"] for row in topics if row["behind"]]
        if behind:  # a topic new in this release: nobody may take the head for complete without it
            await conn.execute("SET LOCAL statement_timeout = 0")
            await conn.execute("SELECT pg_advisory_xact_lock($1, $2)", *APPEND_LOCK)
            for topic in behind:
                await self._appending.fill_outbox(conn, topic)

    @property
    def partitions(self) -> Mapping[str, int]:
        """Partition count by own topic, as the log fixed it."""
        return self._partitions

    async def append(self, conn: Any, units: Sequence[Unit]) -> list[Appended | Exception]:
        """Append in the caller's READ COMMITTED transaction, as its last statement before COMMIT.

        Returns one outcome per unit, in order: `Appended`, or the exception that its sender should get
        (`Rejected`, `StaleVersion`, `KeyReused`). Raises what concerns the whole batch; the caller rolls
        back. Announce the append after the commit.
        """
        return await self.append_prepared(conn, await self.prepare(conn, units))

    async def prepare(
        self, conn: Any | None, units: Sequence[Unit], *, answered: bool = True
    ) -> list[Prepared | Appended | Exception]:
        """Do what needs no lock: load, decide, seal, encode. `conn` may be None if every step is `new`."""
        return await self.preparing.prepare(conn, units, answered=answered)

    async def append_prepared(
        self, conn: Any, prepared: Sequence[Prepared | Appended | Exception]
    ) -> list[Appended | Exception]:
        """Append what was prepared; what proves stale is read again under the lock and decided once more."""
        outcomes: list[Appended | Exception | Stale] = [
            result if not isinstance(result, Prepared) else Stale(result) for result in prepared
        ]
        waiting = [n for n, result in enumerate(prepared) if isinstance(result, Prepared)]
        if waiting:
            await self._place(conn, waiting, [_prepared(outcomes[n]) for n in waiting], outcomes)
        overtaken = [n for n in waiting if isinstance(outcomes[n], Stale)]
        if overtaken:
            again = await self.prepare(conn, [_to_load(outcomes[n]) for n in overtaken], answered=False)
            for n, result in zip(overtaken, again, strict=True):
                outcomes[n] = Stale(result) if isinstance(result, Prepared) else result
            ready = [n for n in overtaken if isinstance(outcomes[n], Stale)]
            if ready:
                await self._place(conn, ready, [_prepared(outcomes[n]) for n in ready], outcomes)
        return [_final(outcome) for outcome in outcomes]

    def foresee(self, units: Sequence[Prepared]) -> Foreseen | None:
        """Return how to append units of new streams in one statement, or None if they go the long way."""
        return self._foresight.foresee(units)

    async def append_foreseen(self, conn: Any, foreseen: Foreseen) -> None:
        """Append outside any transaction, as foreseen or not at all; raises `NotForeseen` for the latter."""
        await self._foresight.append(conn, foreseen)

    async def _place(
        self,
        conn: Any,
        places: Sequence[int],
        units: Sequence[Prepared],
        outcomes: list[Appended | Exception | Stale],
    ) -> None:
        for n, outcome in zip(places, await self._appending.append(conn, units), strict=True):
            outcomes[n] = outcome

    async def load(self, conn: Any, decider: AnyDecider, stream_id: UUID) -> tuple[Any, int]:
        """Return a stream's state and version; version 0 where it does not exist."""
        history = await self._reading.history(conn, stream_id, sealed=True)
        return decider.fold([recorded.event for recorded in history]), len(history)

    async def history(self, conn: Any, stream_id: UUID, *, sealed: bool = False) -> list[Recorded]:
        """Return one stream's events from its first version on."""
        return await self._reading.history(conn, stream_id, sealed=sealed)

    async def read(
        self,
        conn: Any,
        after: int,
        limit: int,
        types: Collection[type] | None = None,
        *,
        sealed: bool = False,
    ) -> list[Recorded]:
        """Return events at positions `after` < p <= `after + limit`; see `Reading.read`."""
        return await self._reading.read(conn, after, limit, types, sealed=sealed)

    def replay(
        self, conn: Any, after: int, until: int, types: Collection[type] | None = None, *, page: int = AT_ONCE
    ) -> AsyncGenerator[tuple[int, list[Recorded]], None]:
        """Yield the events at `after` < p <= `until` in pages, read ahead; see `Reading.replay`."""
        return self._reading.replay(conn, after, until, types, page=page)

    async def recorded(self, rows: Sequence[Any], *, sealed: bool = False) -> list[Recorded]:
        """Decode rows that a caller selected, `reading.COLUMNS` first."""
        return await self._reading.recorded(rows, sealed=sealed)

    async def head(self, conn: Any) -> Head:
        """Return the end of the log as this statement sees it."""
        return await head(conn)

    def on_append(self, listener: Callable[[int], None]) -> None:
        """Be called in this process, with the new head, after a commit: a wake-up, not a promise."""
        self._listeners.append(listener)

    def announce(self, position: int) -> None:
        """Tell this process that the log has grown to `position`; call it after the commit."""
        for listener in self._listeners:
            listener(position)


def _prepared(outcome: Appended | Exception | Stale) -> Prepared:
    assert isinstance(outcome, Stale)  # noqa: S101  callers pick only these
    return outcome.prepared


def _to_load(outcome: Appended | Exception | Stale) -> Unit:
    """Return a stale unit without its promise that a stream is new: another writer was first to begin it."""
    unit = _prepared(outcome).unit
    return unit._replace(steps=tuple(step._replace(new=False) for step in unit.steps))


def _final(outcome: Appended | Exception | Stale) -> Appended | Exception:
    if isinstance(outcome, Stale):
        raise RuntimeError("a unit decided under the append lock cannot be stale")  # noqa: TRY004
    return outcome
