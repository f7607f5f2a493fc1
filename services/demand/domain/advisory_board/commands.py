"""What may be asked about an advisory board."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.demand.domain.board import Member


@dataclass(frozen=True, slots=True, kw_only=True)
class AppointBoard:
    """Say who sits on the board from now on, what it may grant and how many votes it needs."""

    name: str
    members: tuple[Member, ...]
    quorum: int
    budget_limit: Decimal
    currency: str
    appointed_by: str
    reason: str
    appointed_at: datetime


Command = AppointBoard
