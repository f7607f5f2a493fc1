"""What every log can say about itself: an erasure, a source set back, messages given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never
from uuid import UUID

from shared.eventsourcing.decider import Decider
from shared.eventsourcing.erasure import ErasureRules
from shared.eventsourcing.log import Meta, Step, Unit
from shared.runtime.clock import Clock
from shared.runtime.ids import derived

_NAMESPACE: Final = UUID("5d3f4f4e-6a0b-4c86-9a0d-3f0c8f1f6a11")


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseSubject:
    """Note that a person's key was destroyed."""

    subject_id: UUID
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RewindSource:
    """Note that a source was restored and what was heard of a partition beyond `kept` is void."""

    source: str
    topic: str
    partition: int
    heard: int
    kept: int
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUpMessages:
    """Note that an operator gave up messages that were set aside, and why."""

    source: str
    topic: str
    partition: int
    key: str
    positions: tuple[int, ...]
    reason: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectErased:
    """A person's data became unreadable; read models that hold it in plain text follow this event."""

    subject_id: UUID
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRewound:
    """Positions `kept` < p <= `heard` of a partition were heard and are lost at their source."""

    source: str
    topic: str
    partition: int
    heard: int
    kept: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesGivenUp:
    """Messages that were set aside will never be taken. Empty `key`: foreign ones, named by their offsets."""

    source: str
    topic: str
    partition: int
    key: str
    positions: tuple[int, ...]
    reason: str
    occurred_at: datetime


Command = EraseSubject | RewindSource | GiveUpMessages
Event = SubjectErased | SourceRewound | MessagesGivenUp
EVENTS: Final = (SubjectErased, SourceRewound, MessagesGivenUp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the stream knows: only whether its subject was erased."""

    erased: bool = False


def decide(command: Command, state: Kept) -> Sequence[Event]:
    """Note it; a person is erased once."""
    match command:
        case EraseSubject():
            if state.erased:
                return []
            return [SubjectErased(subject_id=command.subject_id, occurred_at=command.now)]
        case RewindSource():
            return [
                SourceRewound(
                    source=command.source,
                    topic=command.topic,
                    partition=command.partition,
                    heard=command.heard,
                    kept=command.kept,
                    occurred_at=command.now,
                )
            ]
        case GiveUpMessages():
            return [
                MessagesGivenUp(
                    source=command.source,
                    topic=command.topic,
                    partition=command.partition,
                    key=command.key,
                    positions=command.positions,
                    reason=command.reason,
                    occurred_at=command.now,
                )
            ]
        case _:
            assert_never(command)


def evolve(state: Kept, event: Event) -> Kept:
    """Remember an erasure."""
    match event:
        case SubjectErased():
            return Kept(erased=True)
        case SourceRewound() | MessagesGivenUp():
            return state
        case _:
            assert_never(event)


HOUSEKEEPING: Final = Decider(stream="housekeeping", initial=Kept(), decide=decide, evolve=evolve)


def note(command: Command, actor: str) -> Unit:
    """Return the unit that notes it: one stream per person, one per source."""
    match command:
        case EraseSubject(subject_id=subject):
            name = str(subject)
        case RewindSource(source=source) | GiveUpMessages(source=source):
            name = source
        case _:
            assert_never(command)
    stream_id = derived(_NAMESPACE, type(command).__name__, name)
    return Unit(
        steps=(Step(decider=HOUSEKEEPING, stream_id=stream_id, command=command),),
        meta=Meta(actor=actor, correlation_id=str(stream_id)),
    )


def erasure_rules(clock: Clock, actor: str) -> ErasureRules:
    """Return how this log tells that a person was erased."""
    return ErasureRules(
        event=SubjectErased,
        subject_of=lambda event: event.subject_id,
        unit_for=lambda subject: note(EraseSubject(subject_id=subject, now=clock.now()), actor),
    )
