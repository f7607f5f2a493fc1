"""What happened to a record's promises; stored for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.sla.domain.lifecycle import ClockState
from services.sla.domain.target import RecordKind


@dataclass(frozen=True, kw_only=True)  # without slots for `made`
class FactRecorded:
    """A fact as heard; `seq` counts the record's facts and looks from 1."""

    key: str
    kind: str
    record: RecordKind
    seq: int
    attributes: Mapping[str, str]
    occurred_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordChecked:
    """The clocks have been looked at as of `as_of`; the next look is due at `next_at`, if ever.

    `seq` counts on from the fact or look before it.
    """

    seq: int
    as_of: datetime
    covered: bool
    agreements: tuple[UUID, ...]
    next_at: datetime | None
    occurred_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockAttached:
    """A target applies to the record from `occurred_at` on. `limit_seconds` are business seconds."""

    clock_id: UUID
    agreement_id: UUID
    target: str
    target_version: int
    record: RecordKind
    due_at: datetime
    limit_seconds: int
    occurred_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRescheduled:
    """A clock runs or pauses with another deadline (None: it has none while paused)."""

    clock_id: UUID
    state: ClockState
    due_at: datetime | None
    remaining_seconds: int
    occurred_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdReached:
    """A share of the promised time was used up at `occurred_at`, however late that was noticed."""

    clock_id: UUID
    agreement_id: UUID
    target: str
    target_version: int
    record: RecordKind
    threshold: int
    due_at: datetime
    occurred_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockBreached:
    """The promised time ran out at `occurred_at`, the due instant."""

    clock_id: UUID
    agreement_id: UUID
    target: str
    target_version: int
    record: RecordKind
    due_at: datetime
    detected_at: datetime
    elapsed_seconds: int
    occurred_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachWithdrawn:
    """A breach was none: a fact that came late, or a correction, says so."""

    clock_id: UUID
    agreement_id: UUID
    target: str
    target_version: int
    record: RecordKind
    reason: str
    occurred_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMet:
    """What was promised has been done."""

    clock_id: UUID
    agreement_id: UUID
    target: str
    target_version: int
    record: RecordKind
    late: bool
    elapsed_seconds: int
    occurred_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCancelled:
    """The promise no longer applies to the record."""

    clock_id: UUID
    agreement_id: UUID
    target: str
    target_version: int
    record: RecordKind
    reason: str
    occurred_at: datetime
    historic: bool


Event = (
    FactRecorded
    | RecordChecked
    | ClockAttached
    | ClockRescheduled
    | ThresholdReached
    | ClockBreached
    | BreachWithdrawn
    | ClockMet
    | ClockCancelled
)
