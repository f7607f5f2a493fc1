"""A record's rules: facts are taken as they come, checks tell what clocks have done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypedDict, assert_never
from uuid import UUID, uuid5

from services.sla.domain.clock import Reading, evaluate
from services.sla.domain.lifecycle import LIVE, ClockState
from services.sla.domain.record import commands, events
from services.sla.domain.target import Fact, RecordKind
from shared.eventsourcing.decider import Decider, made

NO_LONGER_PROMISED = "no agreement promises it any longer"
CORRECTED = "the facts now known say that it was in time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What has been told of a clock so far; a check tells the difference to what the facts say."""

    clock_id: UUID
    agreement_id: UUID
    target: str
    target_version: int
    state: ClockState
    due_at: datetime | None
    breached: bool = False
    reached: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The facts heard of a record, and what has been told of its clocks."""

    kind: RecordKind = RecordKind.REQUEST
    historic: bool = False
    facts: tuple[Fact, ...] = ()
    clocks: Mapping[UUID, Clock] = field(default_factory=dict)
    seq: int = 0
    checked: events.RecordChecked | None = None


class _Identity(TypedDict):
    clock_id: UUID
    agreement_id: UUID
    target: str
    target_version: int
    record: RecordKind
    historic: bool


def decide(command: commands.Command, state: Record) -> Sequence[events.Event]:
    """Return what follows; nothing is ever refused, for what others tell has happened."""
    match command:
        case commands.RecordFact():
            return _take(command, state)
        case commands.CheckRecord():
            return _check(command, state)
        case _:
            assert_never(command)


def evolve(state: Record, event: events.Event) -> Record:
    """Fold one event into what is known."""
    match event:
        case events.FactRecorded():
            return _with_fact(state, event)
        case events.RecordChecked():
            return replace(state, seq=event.seq, checked=event)
        case events.ClockAttached():
            clock = Clock(
                clock_id=event.clock_id,
                agreement_id=event.agreement_id,
                target=event.target,
                target_version=event.target_version,
                state=ClockState.RUNNING,
                due_at=event.due_at,
            )
            return replace(state, clocks={**state.clocks, event.clock_id: clock})
        case events.ClockRescheduled():
            return _with_clock(state, event.clock_id, state=event.state, due_at=event.due_at)
        case events.ThresholdReached():
            known = state.clocks[event.clock_id].reached
            mark = (event.threshold, event.target_version)
            return _with_clock(state, event.clock_id, reached=known | {mark})
        case events.ClockBreached():
            return _with_clock(state, event.clock_id, breached=True)
        case events.BreachWithdrawn():
            return _with_clock(state, event.clock_id, breached=False)
        case events.ClockMet():
            return _with_clock(state, event.clock_id, state=ClockState.MET)
        case events.ClockCancelled():
            return _with_clock(state, event.clock_id, state=ClockState.CANCELLED)
        case _:
            assert_never(event)


def clock_id_of(record_id: UUID, agreement_id: UUID, target: str, key: str) -> UUID:
    """Name a clock after what it runs for, so that the same facts always mean the same clock."""
    return uuid5(record_id, "\x1f".join((str(agreement_id), target, key)))


def _take(command: commands.RecordFact, state: Record) -> list[events.Event]:
    if state.facts and any(fact.key == command.key for fact in state.facts):
        return []
    recorded = {
        "key": command.key,
        "kind": command.kind,
        "record": command.record,
        "seq": state.seq + 1,
        "attributes": command.attributes,
        "occurred_at": command.happened_at,
        "historic": command.historic,
    }
    return [made(events.FactRecorded, recorded)]


def _check(command: commands.CheckRecord, state: Record) -> list[events.Event]:
    if command.seq != state.seq or not state.facts:
        return []
    # Never look back: a check of older facts must not unsay what a later deadline has shown.
    looks = [fact.occurred_at for fact in state.facts]
    looks += [command.as_of] if command.as_of else []
    looks += [state.checked.as_of] if state.checked else []
    as_of = max(looks)
    told: list[events.Event] = []
    seen: set[UUID] = set()
    ahead: list[datetime] = []
    for promise in command.promises:
        for promised in promise.targets:
            if promised.target.record is not state.kind:
                continue
            for reading in evaluate(promised.target, promised.calendar, state.facts, as_of):
                name = promised.target.name
                clock_id = clock_id_of(command.record_id, promise.agreement_id, name, reading.key)
                identity = _Identity(
                    clock_id=clock_id,
                    agreement_id=promise.agreement_id,
                    target=name,
                    target_version=promise.version,
                    record=state.kind,
                    historic=state.historic,
                )
                told += _tell(reading, identity, state.clocks.get(clock_id), as_of, command.now)
                seen.add(clock_id)
                ahead += [reading.next_at] if reading.next_at else []
    told += _dropped(state, seen, as_of)
    return told + _checked(command, state, as_of, min(ahead, default=None))


def _tell(
    reading: Reading, identity: _Identity, known: Clock | None, as_of: datetime, now: datetime
) -> Iterator[events.Event]:
    """Tell how the clock's reading differs from what was told of it before."""
    if known is None:
        yield events.ClockAttached(
            **identity,
            due_at=reading.promised_at,
            limit_seconds=reading.limit,
            occurred_at=reading.started_at,
        )
    due_at = reading.due_at or reading.promised_at
    reached = known.reached if known else frozenset()
    for mark in reading.reached:
        if (mark.threshold, identity["target_version"]) not in reached:
            yield events.ThresholdReached(
                **identity, threshold=mark.threshold, due_at=due_at, occurred_at=mark.at
            )
    breached = known is not None and known.breached
    if reading.breached_at is not None and not breached:
        yield events.ClockBreached(
            **identity,
            due_at=reading.breached_at,
            detected_at=now,
            elapsed_seconds=reading.limit,
            occurred_at=reading.breached_at,
        )
    elif reading.breached_at is None and breached:
        yield events.BreachWithdrawn(**identity, reason=CORRECTED, occurred_at=as_of)
    yield from _moved(reading, identity, known, as_of)


def _moved(
    reading: Reading, identity: _Identity, known: Clock | None, as_of: datetime
) -> Iterator[events.Event]:
    state = known.state if known else ClockState.RUNNING
    ended_at = reading.ended_at or as_of
    if reading.state is ClockState.MET and state is not ClockState.MET:
        late = reading.breached_at is not None
        yield events.ClockMet(**identity, late=late, elapsed_seconds=reading.elapsed, occurred_at=ended_at)
    elif reading.state is ClockState.CANCELLED and state is not ClockState.CANCELLED:
        yield events.ClockCancelled(**identity, reason=reading.reason, occurred_at=ended_at)
    elif reading.state in LIVE:
        due_at = known.due_at if known else reading.promised_at
        if (state, due_at) != (reading.state, reading.due_at):
            yield events.ClockRescheduled(
                clock_id=identity["clock_id"],
                state=reading.state,
                due_at=reading.due_at,
                remaining_seconds=reading.remaining,
                occurred_at=as_of,
                historic=identity["historic"],
            )


def _dropped(state: Record, seen: set[UUID], as_of: datetime) -> Iterator[events.Event]:
    for clock in state.clocks.values():
        if clock.clock_id not in seen and clock.state in LIVE:
            yield events.ClockCancelled(
                clock_id=clock.clock_id,
                agreement_id=clock.agreement_id,
                target=clock.target,
                target_version=clock.target_version,
                record=state.kind,
                historic=state.historic,
                reason=NO_LONGER_PROMISED,
                occurred_at=as_of,
            )


def _checked(
    command: commands.CheckRecord, state: Record, as_of: datetime, next_at: datetime | None
) -> list[events.Event]:
    checked = events.RecordChecked(
        seq=state.seq + 1,
        as_of=as_of,
        covered=command.covered,
        agreements=tuple(promise.agreement_id for promise in command.promises),
        next_at=next_at,
        occurred_at=command.now,
        historic=state.historic,
    )
    known = state.checked
    nothing_heard = known is not None and known.seq == state.seq
    if known is not None and nothing_heard:
        same = replace(known, seq=checked.seq, as_of=as_of, occurred_at=command.now)
        return [] if same == checked else [checked]
    return [checked]


def _with_fact(state: Record, event: events.FactRecorded) -> Record:
    fact = Fact(
        key=event.key, kind=event.kind, occurred_at=event.occurred_at, attributes=dict(event.attributes)
    )
    if not state.facts:
        return Record(kind=event.record, historic=event.historic, facts=(fact,), seq=event.seq)
    return replace(state, seq=event.seq, facts=(*state.facts, fact))


def _with_clock(record: Record, clock_id: UUID, /, **changed: Any) -> Record:
    clock = replace(record.clocks[clock_id], **changed)
    return replace(record, clocks={**record.clocks, clock_id: clock})


RECORD: Decider[commands.Command, Record, events.Event] = Decider(
    stream="record", initial=Record(), decide=decide, evolve=evolve
)
