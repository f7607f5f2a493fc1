"""The half of an append that holds the lock: stores events, then writes the read models."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from shared.contracts.envelope import partition_for
from shared.eventsourcing.log import Appended, KeyReused, NewerData, Recorded
from shared.eventsourcing.preparing import Prepared, answers
from shared.eventsourcing.projection import ReadModel
from shared.eventsourcing.publishing import Publisher
from shared.eventsourcing.reading import Reading
from shared.eventsourcing.writing import apply

APPENDED, STALE, REPLAYED, REUSED = range(4)
CATCH_UP_EVENTS = 500  # a read model further behind than this is left to the catch-up task

_LOG = structlog.get_logger(__name__)

ARGUMENTS = (
    "$1::log.new_unit[], $2::log.new_step[], $3::log.new_event[], "
    "$4::text[], $5::text[], $6::integer[], $7::bigint, $8::timestamptz"
)
_CALL = f"SELECT * FROM log.append_v2({ARGUMENTS})"


@dataclass(frozen=True, slots=True)
class Left:
    """Where an append of this process left the log: its head, and the database's clock under the lock.

    `heard` is the monotonic clock of this process, in seconds, when it learnt that. It stands before the
    commit is known: an append that was rolled back leaves a guess that proves wrong, nothing else.
    """

    head: int
    clock: datetime
    heard: float


@dataclass(slots=True)
class Stale:
    """A unit that another writer overtook; under the lock it can be read again and decided once more."""

    prepared: Prepared


class Appending:
    """Calls the stored append and brings read models along, in the caller's transaction."""

    def __init__(
        self,
        publisher: Publisher,
        models: Sequence[ReadModel],
        reading: Reading,
        partitions: dict[str, int],
    ) -> None:
        self._publisher = publisher
        self._topics = list(publisher.topic_names())
        self._models = {(model.name, model.version): model for model in models if not model.asynchronous}
        self._model_names = [name for name, _ in self._models]
        self._model_versions = [version for _, version in self._models]
        self._reading = reading
        self._partitions = partitions
        self.left: Left | None = None

    async def append(self, conn: Any, units: Sequence[Prepared]) -> list[Appended | Exception | Stale]:
        """Store the units that still hold, in order, and answer for each; the lock lasts until COMMIT."""
        arguments = [*self.arguments(units), None, None]
        row = await conn.fetchrow(_CALL, *arguments)
        if row["behind"] is not None:
            for topic in row["behind"]:
                await self.fill_outbox(conn, topic)
            row = await conn.fetchrow(_CALL, *arguments)
        self.left = Left(row["head_after"], row["clock"], time.monotonic())
        recorded = recorded_from(row["head"], row["at"], units, row["outcomes"])
        if any(recorded):
            await self._project(conn, row, [event for events in recorded for event in events])
        before = await answers(
            conn, [unit.unit for unit, code in zip(units, row["outcomes"], strict=True) if code == REPLAYED]
        )
        return [
            self._outcome(unit, code, row, index, recorded[index], before)
            for index, (unit, code) in enumerate(zip(units, row["outcomes"], strict=True))
        ]

    def _outcome(
        self,
        unit: Prepared,
        code: int,
        row: Any,
        index: int,
        events: list[Recorded],
        before: dict[bytes, Appended | Exception],
    ) -> Appended | Exception | Stale:
        match code:
            case 0:
                return unit.appended(row["positions"][index], row["at"], events)
            case 1:
                return Stale(unit)
            case 2:
                return before[unit.key or b""]
            case _:
                return KeyReused("this Idempotency-Key was used before with another request")

    def arguments(self, units: Sequence[Prepared]) -> list[Any]:
        """Return what `log.append_v2` takes, but for what its caller foresees."""
        new_units = []
        steps = []
        events = []
        for n, unit in enumerate(units, start=1):
            key = unit.unit.idempotency
            new_units.append(
                (
                    unit.key,
                    key.request_sha256 if key else None,
                    bool(key and key.for_ever),
                    unit.unit.number,
                    unit.steps[0].step.stream_id,
                    unit.version,
                )
            )
            steps += [(n, step.step.stream_id, step.version) for step in unit.steps]
            events += [(*row, n) for row in unit.rows]
        return [
            new_units,
            _after_predecessors(steps),
            events,
            self._topics,
            self._model_names,
            self._model_versions,
        ]

    async def _project(self, conn: Any, row: Any, events: list[Recorded]) -> None:
        head = row["head"]
        for name, version, applied in zip(
            row["models"] or (), row["model_versions"] or (), row["model_applied"] or (), strict=True
        ):
            model = self._models[name, version]
            if applied == head:
                await apply(conn, model, events)
            elif head - applied <= CATCH_UP_EVENTS:
                await self._catch_up(conn, model, applied, row["head_after"])

    async def _catch_up(self, conn: Any, model: ReadModel, applied: int, head: int) -> None:
        """Apply what other code left out, then this batch; a failure stalls the model, never the append."""
        try:
            async with conn.transaction():  # a savepoint
                missing = await self._reading.read(conn, applied, head - applied)
                # all of them, so that a type which only newer code knows is not skipped
                await apply(conn, model, missing)
                await conn.execute(
                    "UPDATE read.read_model SET applied = $3 WHERE name = $1 AND version = $2",
                    model.name,
                    model.version,
                    head,
                )
        except NewerData:
            _LOG.info("read model left to newer code", read_model=model.name, version=model.version)
        except Exception as error:  # noqa: BLE001  whatever a fold does wrong must not refuse the command
            _LOG.error("read model stalled", read_model=model.name, version=model.version, error=str(error))
            await conn.execute(
                "UPDATE read.read_model SET state = 'stalled', detail = $3 WHERE name = $1 AND version = $2",
                model.name,
                model.version,
                f"{type(error).__name__} after position {applied}",
            )

    async def fill_outbox(self, conn: Any, topic: str) -> None:
        """Write the outbox rows that code which did not know this topic left out."""
        rows = await conn.fetch(
            "SELECT e.position, e.stream_id FROM log.event e JOIN log.topic t ON e.position > t.applied "
            "WHERE t.name = $1 AND e.type = ANY($2::text[]) ORDER BY e.position",
            topic,
            list(self._publisher.types_of(topic)),
        )
        count = self._partitions[topic]
        await conn.execute(
            "INSERT INTO log.outbox (position, topic, partition, prev) "
            "SELECT o.position, $1, o.partition, coalesce("
            "lag(o.position) OVER (PARTITION BY o.partition ORDER BY o.position), "
            "(SELECT max(p.position) FROM log.outbox p WHERE p.topic = $1 AND p.partition = o.partition), 0) "
            "FROM unnest($2::bigint[], $3::integer[]) AS o (position, partition)",
            topic,
            [row["position"] for row in rows],
            [partition_for(str(row["stream_id"]).encode(), count) for row in rows],
        )
        await conn.execute(
            "UPDATE log.topic SET applied = (SELECT coalesce(max(position), 0) FROM log.event) "
            "WHERE name = $1",
            topic,
        )


def _after_predecessors(steps: list[tuple[int, UUID, int]]) -> list[tuple[int, UUID, int, int]]:
    """Add to each step the number of the latest earlier step on the same stream, 0 for none."""
    last: dict[UUID, int] = {}
    found = []
    for n, (unit, stream, version) in enumerate(steps, start=1):
        found.append((unit, stream, version, last.get(stream, 0)))
        last[stream] = n
    return found


def recorded_from(
    head: int, at: datetime, units: Sequence[Prepared], outcomes: Sequence[int]
) -> list[list[Recorded]]:
    """Return each unit's events in their places behind `head`, none for a unit that was not appended."""
    position = head
    found: list[list[Recorded]] = []
    for unit, code in zip(units, outcomes, strict=True):
        events: list[Recorded] = []
        if code == APPENDED:
            for event, row in zip(unit.events, unit.rows, strict=True):
                position += 1
                events.append(
                    Recorded(
                        position,
                        row.stream,
                        row.stream_id,
                        row.version,
                        row.event_id,
                        event,
                        unit.unit.meta,
                        at,
                    )
                )
        found.append(events)
    return found
