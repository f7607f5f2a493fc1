"""What the catalog is told of a breach: facts of another service, never refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteBreach:
    """A target of the agreement was missed for one record."""

    agreement_id: UUID
    clock_id: UUID
    target: str
    breached_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteBreachWithdrawn:
    """The breach was none."""

    agreement_id: UUID
    clock_id: UUID
    withdrawn_at: datetime
    historic: bool


Command = NoteBreach | NoteBreachWithdrawn
