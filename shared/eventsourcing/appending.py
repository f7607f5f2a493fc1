"""The half of an append that holds the lock: stores events, then writes the read models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from shared.contracts.envelope import partition_for
from shared.eventsourcing.log import Appended, KeyReused, NewerData, Recorded
from shared.eventsourcing.preparing import Prepared, answers
from shared.eventsourcing.projection import ReadModel, apply
from shared.eventsourcing.publishing import Publisher
from shared.eventsourcing.reading import Reading

APPENDED, STALE, REPLAYED, REUSED = range(4)
CATCH_UP_EVENTS = 500  # a read model further behind than this is left to the catch-up task

_LOG = structlog.get_logger(__name__)

_ARRAYS = """
bytea bytea boolean bigint uuid integer integer uuid integer integer
integer text uuid integer uuid text smallint text text bytea text integer
text text integer
"""
_CALL = "SELECT * FROM log.append_v1({})".format(
    ", ".join(f"${n}::{element}[]" for n, element in enumerate(_ARRAYS.split(), start=1))
)


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

    async def append(self, conn: Any, units: Sequence[Prepared]) -> list[Appended | Exception | Stale]:
        """Store the units that still hold, in order, and answer for each; the lock lasts until COMMIT."""
        arguments = self._arguments(units)
        row = await conn.fetchrow(_CALL, *arguments)
        if row["behind"] is not None:
            for topic in row["behind"]:
                await self.fill_outbox(conn, topic)
            row = await conn.fetchrow(_CALL, *arguments)
        recorded = _recorded(row, units)
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
                first = unit.steps[0]
                return Appended(
                    stream_id=first.step.stream_id,
                    version=first.version + len(first.events),
                    position=row["positions"][index],
                    recorded_at=row["at"],
                    number=unit.unit.number,
                    events=tuple(events),
                )
            case 1:
                return Stale(unit)
            case 2:
                return before[unit.key or b""]
            case _:
                return KeyReused("this Idempotency-Key was used before with another request")

    def _arguments(self, units: Sequence[Prepared]) -> list[Any]:
        indexed = [(n, unit) for n, unit in enumerate(units, start=1)]
        steps = [(n, step) for n, unit in indexed for step in unit.steps]
        events = [(n, unit.meta, event) for n, unit in indexed for event in unit.events]
        return [
            [unit.key for unit in units],
            [unit.unit.idempotency.request_sha256 if unit.unit.idempotency else None for unit in units],
            [bool(unit.unit.idempotency and unit.unit.idempotency.for_ever) for unit in units],
            [unit.unit.number for unit in units],
            [unit.steps[0].step.stream_id for unit in units],
            [unit.steps[0].version + len(unit.steps[0].events) for unit in units],
            [n for n, _ in steps],
            [step.step.stream_id for _, step in steps],
            [step.version for _, step in steps],
            _predecessors([step.step.stream_id for _, step in steps]),
            [n for n, _, _ in events],
            [event.stream for _, _, event in events],
            [event.stream_id for _, _, event in events],
            [event.version for _, _, event in events],
            [event.event_id for _, _, event in events],
            [type(event.event).__name__ for _, _, event in events],
            [event.schema_version for _, _, event in events],
            [event.payload for _, _, event in events],
            [meta for _, meta, _ in events],
            [event.digest for _, _, event in events],
            [event.topic for _, _, event in events],
            [event.partition for _, _, event in events],
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


def _predecessors(streams: list[UUID]) -> list[int]:
    """Return for each step the number of the latest earlier step on the same stream, 0 for none."""
    last: dict[UUID, int] = {}
    found = []
    for n, stream in enumerate(streams, start=1):
        found.append(last.get(stream, 0))
        last[stream] = n
    return found


def _recorded(row: Any, units: Sequence[Prepared]) -> list[list[Recorded]]:
    position = row["head"]
    found: list[list[Recorded]] = []
    for unit, code in zip(units, row["outcomes"], strict=True):
        events: list[Recorded] = []
        if code == APPENDED:
            for event in unit.events:
                position += 1
                events.append(
                    Recorded(
                        position,
                        event.stream,
                        event.stream_id,
                        event.version,
                        event.event_id,
                        event.event,
                        unit.unit.meta,
                        row["at"],
                    )
                )
        found.append(events)
    return found
