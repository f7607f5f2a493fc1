"""What the log holds and is asked: recorded events, units of work, their outcomes.

What there is one of for every event or command is a tuple: made in a quarter of a frozen dataclass's time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from pydantic_core import from_json

from shared.eventsourcing.decider import AnyDecider


class Meta(NamedTuple):
    """Who caused an event and in which conversation; stored beside the payload, never inside it."""

    actor: str
    correlation_id: str
    causation_id: str = ""
    traceparent: str = ""

    @classmethod
    def read(cls, stored: str) -> Self:
        """Decode what stands in the log."""
        fields = from_json(stored)
        return cls(fields["actor"], fields["correlation"], fields["causation"], fields["traceparent"])


class Recorded(NamedTuple):
    """An event in its place in the log. `recorded_at` is aware UTC and never falls as `position` rises.

    `hash` is the chain at this position; it is empty on an event that was just appended and not read back.
    `told` is the meta, left as it is stored until somebody asks for `meta`: few readers do.
    """

    position: int
    stream: str
    stream_id: UUID
    version: int
    event_id: UUID
    event: Any
    told: Meta | str
    recorded_at: datetime
    hash: bytes = b""

    @property
    def meta(self) -> Meta:
        """Who caused the event and in which conversation."""
        return Meta.read(self.told) if isinstance(self.told, str) else self.told

    @property
    def occurred_at(self) -> datetime:
        """Business time: every stored event carries it as a field."""
        return self.event.occurred_at  # type: ignore[no-any-return]


class Step(NamedTuple):
    """One command for one stream. `new` promises that the stream does not exist yet and saves the load."""

    decider: AnyDecider
    stream_id: UUID
    command: Any
    expected_version: int | None = None
    new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """What makes a repeated request recognisable.

    `scope` is principal, method and path; `request_sha256` the digest of the body; `for_ever` marks the
    natural keys of imports and webhooks.
    """

    scope: str
    key: str
    request_sha256: bytes
    for_ever: bool = False


class Unit(NamedTuple):
    """A unit of work: what one request changes, all of it or nothing.

    `number` is the human serial given to a new record; it is remembered with the idempotency key.
    """

    steps: tuple[Step, ...]
    meta: Meta
    idempotency: IdempotencyKey | None = None
    number: int | None = None


class Appended(NamedTuple):
    """The durable outcome of a unit, told from its first step's stream.

    `position` is that of the unit's last event (the log's head when it decided to nothing); `events` is
    empty for a replayed answer.
    """

    stream_id: UUID
    version: int
    position: int
    recorded_at: datetime
    number: int | None = None
    events: tuple[Recorded, ...] = ()
    replayed: bool = False


class StaleVersion(Exception):
    """The stream has moved on from the version that the caller named: HTTP 412."""

    def __init__(self, stream_id: UUID, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream_id} is at version {actual}, not {expected}")
        self.stream_id, self.expected, self.actual = stream_id, expected, actual


class KeyReused(Exception):
    """The idempotency key was used before with another body: HTTP 422."""


class OutcomeUnknown(Exception):
    """The connection was lost in COMMIT and the outcome could not be learnt in time: HTTP 503."""


class NewerData(Exception):
    """The log holds an event type or version that this release cannot read: HTTP 503."""


class StoreFork(Exception):
    """A position or its hash disagrees with what was read before: another life of the log."""
