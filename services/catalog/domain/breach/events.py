"""What the catalog has noted of a breach; stored for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachNoted:
    """A breach counts in `month` (its first day, UTC)."""

    agreement_id: UUID
    clock_id: UUID
    target: str
    month: date
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachWithdrawalNoted:
    """The breach that counted in `month` counts no longer."""

    agreement_id: UUID
    clock_id: UUID
    target: str
    month: date
    occurred_at: datetime
    historic: bool = False


Event = BreachNoted | BreachWithdrawalNoted
