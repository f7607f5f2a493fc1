"""What the ledger is told of one record: facts of other services, never refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class HearRequest:
    """Something was asked of IT. `units`: affected units, 0 when not told."""

    request_id: UUID
    kind: str
    service: str
    business_unit: str
    units: int
    submitted_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HearRfc:
    """A change was asked for, perhaps out of a request."""

    rfc_id: UUID
    request_id: UUID | None
    change_type: str
    service: str
    submitted_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HearService:
    """Somebody judged which service the record concerns."""

    service: str
    judged_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HearBreach:
    """A promise for the record was broken."""

    clock_id: UUID
    target: str
    breached_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HearBreachWithdrawn:
    """The breach was none."""

    clock_id: UUID
    withdrawn_at: datetime
    historic: bool


Command = HearRequest | HearRfc | HearService | HearBreach | HearBreachWithdrawn
