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


Event = SubjectErased | SourceRewound | MessagesGivenUp
EVENTS: Final = (SubjectErased, SourceRewound, MessagesGivenUp)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Note what an operator has done: there is nothing to decide but whether it is known already."""

    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the stream knows: only whether its subject was erased."""

    erased: bool = False


def decide(command: Note, state: Kept) -> Sequence[Event]:
    """Note it; a person is erased once."""
    return [] if state.erased else [command.event]


def evolve(state: Kept, event: Event) -> Kept:
    """Remember an erasure."""
    return Kept(erased=True) if isinstance(event, SubjectErased) else state


HOUSEKEEPING: Final = Decider(stream="housekeeping", initial=Kept(), decide=decide, evolve=evolve)


def note(event: Event, actor: str) -> Unit:
    """Return the unit that notes it: one stream per person, one per source."""
    match event:
        case SubjectErased(subject_id=subject):
            name = ("EraseSubject", str(subject))
        case SourceRewound(source=source) | MessagesGivenUp(source=source):
            name = ("RewindSource", source)
        case _:
            assert_never(event)
    stream_id = derived(_NAMESPACE, *name)
    return Unit(
        steps=(Step(decider=HOUSEKEEPING, stream_id=stream_id, command=Note(event=event)),),
        meta=Meta(actor=actor, correlation_id=str(stream_id)),
    )


def erasure_rules(clock: Clock, actor: str) -> ErasureRules:
    """Return how this log tells that a person was erased."""
    return ErasureRules(
        event=SubjectErased,
        subject_of=lambda event: event.subject_id,
        unit_for=lambda subject: note(SubjectErased(subject_id=subject, occurred_at=clock.now()), actor),
    )
