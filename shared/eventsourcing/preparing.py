"""The half of an append that needs no lock: load, decide, seal, encode and digest units."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import to_json

from shared.contracts.envelope import partition_for
from shared.eventsourcing.codec import Codec
from shared.eventsourcing.decider import NotFound
from shared.eventsourcing.encryption import Keys, SubjectKeys
from shared.eventsourcing.log import (
    Appended,
    IdempotencyKey,
    KeyReused,
    Meta,
    Recorded,
    StaleVersion,
    Step,
    Unit,
)
from shared.eventsourcing.publishing import Publisher
from shared.runtime.ids import uuid7

_AT_ONCE = 100  # units, a millisecond or two
Known = tuple[int, Any]  # a stream's version and the state its decider folded


@dataclass(slots=True)
class Loaded:
    """What a batch knows of its streams: their states, and of which kind each id is."""

    streams: dict[UUID, Known] = field(default_factory=dict)
    kinds: dict[UUID, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class PreparedStep:
    """One stream's share of a unit: events decided on the stream's `version`."""

    step: Step
    version: int
    events: list[Any] = field(default_factory=list)


class NewEvent(NamedTuple):
    """An event as `log.new_event` has it, but for the ordinal of its unit, which comes last there."""

    stream: str
    stream_id: UUID
    version: int
    event_id: UUID
    type: str
    schema_version: int
    payload: str
    meta: str
    digest: bytes
    topic: str | None
    partition: int | None


@dataclass(slots=True, kw_only=True)
class Prepared:
    """A unit that was decided, and that only waits for the lock once it is encoded."""

    unit: Unit
    steps: list[PreparedStep]
    key: bytes | None
    subjects: Collection[UUID] = ()  # whose personal data its events hold
    events: list[Any] = field(default_factory=list)
    rows: list[NewEvent] = field(default_factory=list)  # one per event

    @property
    def version(self) -> int:
        """The version that the first step's stream has once this is stored."""
        return self.steps[0].version + len(self.steps[0].events)

    def appended(self, position: int, at: datetime, events: Sequence[Recorded]) -> Appended:
        """Return what the sender is told: stored up to `position`, recorded at `at` (aware UTC)."""
        return Appended(
            stream_id=self.steps[0].step.stream_id,
            version=self.version,
            position=position,
            recorded_at=at,
            number=self.unit.number,
            events=tuple(events),
        )

    @property
    def size(self) -> int:
        """Bytes of payload, for the group commit's cap."""
        return sum(len(row.payload) for row in self.rows)


def key_digest(key: IdempotencyKey | None) -> bytes | None:
    """Return what identifies the key in the log: no principal and no foreign id is stored in the clear."""
    return None if key is None else sha256(f"{key.scope}\x00{key.key}".encode()).digest()


class Preparing:
    """Turns units into prepared ones. Holds nothing between calls but the partition counts of topics."""

    def __init__(
        self, codec: Codec, publisher: Publisher, keys: SubjectKeys, partitions: Mapping[str, int]
    ) -> None:
        self._codec = codec
        self._topics = {kind: publisher.topics.get(kind) for kind in codec.types}
        self._keys = keys
        self._partitions = partitions

    async def prepare(
        self, conn: Any | None, units: Sequence[Unit], *, answered: bool = True
    ) -> list[Prepared | Appended | Exception]:
        """Decide units and encode what was decided; a refusal is returned in its place."""
        results = await self.decide(conn, units, answered=answered)
        await self.encode([result for result in results if isinstance(result, Prepared)])
        return results

    async def decide(
        self, conn: Any | None, units: Sequence[Unit], *, answered: bool = True
    ) -> list[Prepared | Appended | Exception]:
        """Decide units in order, each on its predecessors' states; a refusal is returned in its place.

        `conn` may be None where every step is `new`. `answered` looks for idempotency keys that were used
        before; it is read after the streams, so a state that shows an attempt also shows its key.
        """
        known = await self._load(conn, units)
        before = await answers(conn, units) if answered and conn is not None else {}
        results: list[Prepared | Appended | Exception] = []
        shared = _met_again(units)
        for unit in units:
            key = key_digest(unit.idempotency)
            if key is not None and key in before:
                results.append(before[key])
                continue
            try:
                prepared = _decide(unit, key, known, shared)
                prepared.subjects = self._subjects(prepared)
                results.append(prepared)
            except Exception as refusal:  # noqa: BLE001  a unit's failure is its own answer, not its neighbours'
                results.append(refusal)
        return results

    async def _load(self, conn: Any | None, units: Sequence[Unit]) -> Loaded:
        """Fold the streams that exist. An id that names a stream of another kind names none of this one."""
        deciders = {
            (step.decider.stream, step.stream_id): step.decider
            for unit in units
            for step in unit.steps
            if not step.new
        }
        known = Loaded()
        if not deciders:
            return known
        if conn is None:
            raise ValueError("streams that exist are loaded through a connection")
        rows = await conn.fetch(
            "SELECT stream, stream_id, version, event_id, type, schema_version, payload FROM log.event "
            "WHERE stream_id = ANY($1::uuid[]) ORDER BY stream_id, version",
            list({stream_id for _, stream_id in deciders}),
        )
        for stream, stream_id, version, event_id, kind, schema, payload in rows:
            known.kinds[stream_id] = stream
            decider = deciders.get((stream, stream_id))
            if decider is not None:
                _, state = known.streams.get(stream_id, (0, decider.initial))
                event = self._codec.decode(kind, schema, payload, event_id, None)
                known.streams[stream_id] = (version, decider.evolve(state, event))
        return known

    async def encode(self, prepared: Sequence[Prepared]) -> None:
        """Seal and encode all events, while the keys of people not met before are made durable."""
        keys, making = self._keys.offer({subject for unit in prepared for subject in unit.subjects})
        try:
            if making is not None:
                await asyncio.sleep(0)  # the insert is on its way before this takes its time
            await self._encode_all(prepared, keys)
        finally:
            made = {} if making is None else await making
        other = {subject for subject, key in made.items() if keys[subject] != key}
        if other:
            again = [unit for unit in prepared if not other.isdisjoint(unit.subjects)]
            await self._encode_all(again, {**keys, **made})

    def _subjects(self, unit: Prepared) -> set[UUID]:
        of = self._codec.subjects
        return {subject for step in unit.steps for event in step.events for subject in of(event)}

    async def _encode_all(self, prepared: Sequence[Prepared], keys: Keys) -> None:
        erased = None in keys.values()
        for number, unit in enumerate(prepared, start=1):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # what else this process does has its turn
            self._encode_unit(unit, keys, erased=erased)

    def _encode_unit(self, unit: Prepared, keys: Keys, *, erased: bool) -> None:
        unit.events, unit.rows = [], []
        meta = _meta_json(unit.unit.meta)
        stored_meta = meta.decode()
        for step in unit.steps:
            places: dict[str, int] = {}
            for ordinal, event in enumerate(step.events, start=1):
                event_id = uuid7()
                if erased:  # read models are filled from this object: it must not show what is sealed
                    event = self._codec.without_erased(event, keys)  # noqa: PLW2901
                stored = self._codec.encode(event, event_id, keys)
                topic = self._topics[type(event)]
                if topic and topic not in places:
                    key = str(step.step.stream_id).encode()
                    places[topic] = partition_for(key, self._partitions[topic])
                unit.events.append(event)
                unit.rows.append(
                    NewEvent(
                        step.step.decider.stream,
                        step.step.stream_id,
                        step.version + ordinal,
                        event_id,
                        stored.type,
                        stored.schema_version,
                        stored.payload,
                        stored_meta,
                        sha256(stored.payload.encode() + b"\n" + meta).digest(),
                        topic,
                        places[topic] if topic else None,
                    )
                )


def _met_again(units: Sequence[Unit]) -> set[UUID]:
    """Return the streams of more than one step: only their states are asked for after a decision."""
    seen: set[UUID] = set()
    again: set[UUID] = set()
    for unit in units:
        for step in unit.steps:
            (again if step.stream_id in seen else seen).add(step.stream_id)
    return again


def _decide(unit: Unit, key: bytes | None, known: Loaded, shared: Collection[UUID]) -> Prepared:
    steps: list[PreparedStep] = []
    changed: dict[UUID, Known] = {}
    for step in unit.steps:
        stream_id, stream = step.stream_id, step.decider.stream
        if known.kinds.setdefault(stream_id, stream) != stream:
            raise NotFound(f"there is no {stream} with this id", remedy="check the id")
        version, state = changed.get(stream_id) or known.streams.get(stream_id) or (0, step.decider.initial)
        if step.expected_version is not None and step.expected_version != version:
            raise StaleVersion(step.stream_id, step.expected_version, version)
        events = list(step.decider.decide(step.command, state))
        steps.append(PreparedStep(step=step, version=version, events=events))
        if events and stream_id in shared:
            changed[stream_id] = (version + len(events), step.decider.fold(events, state))
    known.streams.update(changed)
    return Prepared(unit=unit, steps=steps, key=key)


async def answers(conn: Any, units: Sequence[Unit]) -> dict[bytes, Appended | Exception]:
    """Return the answers that were given before to these units' idempotency keys."""
    keys = {key_digest(unit.idempotency): unit.idempotency for unit in units if unit.idempotency}
    if not keys:
        return {}
    rows = await conn.fetch(
        "SELECT key, request, subject, number, version, position, recorded_at FROM log.idempotency "
        "WHERE key = ANY($1::bytea[]) AND (expires_at IS NULL OR expires_at > clock_timestamp())",
        list(keys),
    )
    return {row["key"]: _answer(row, keys[row["key"]]) for row in rows}


def _answer(row: Any, key: IdempotencyKey | None) -> Appended | Exception:
    if key is None or row["request"] != key.request_sha256:
        return KeyReused("this Idempotency-Key was used before with another request")
    return Appended(
        stream_id=row["subject"],
        version=row["version"],
        position=row["position"],
        recorded_at=row["recorded_at"],
        number=row["number"],
        replayed=True,
    )


def _meta_json(meta: Meta) -> bytes:
    return to_json(
        {
            "actor": meta.actor,
            "correlation": meta.correlation_id,
            "causation": meta.causation_id,
            "traceparent": meta.traceparent,
        }
    )
