"""What may be asked of a record: to take a fact, and to look at its clocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.sla.domain.business_time import Calendar
from services.sla.domain.target import RecordKind, Target


@dataclass(frozen=True, kw_only=True)  # without slots for `made`
class RecordFact:
    """Take what another service told. `key` is its event's id: the same key twice is one fact."""

    key: str
    kind: str
    record: RecordKind
    happened_at: datetime
    historic: bool
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisedTarget:
    """A target with the calendar version that counts for this record."""

    target: Target
    calendar: Calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What one agreement version in force at the record's opening promises for it."""

    agreement_id: UUID
    version: int
    targets: tuple[PromisedTarget, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
    """Look at a record's clocks as of `as_of`, or of its latest fact when None.

    `promises` were looked up when the record stood at `seq`: had anything come since, nothing follows.
    `now` is the time of the check itself, for the record.
    """

    record_id: UUID
    seq: int
    as_of: datetime | None
    now: datetime
    promises: tuple[Promise, ...]
    covered: bool


Command = RecordFact | CheckRecord
