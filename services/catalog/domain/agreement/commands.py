"""What the catalog is told of an agreement: facts of another service, never refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteInForce:
    """The agreement's promises count from `starts_at` on, for the services it names."""

    agreement_id: UUID
    version: int
    kind: str
    title: str
    services: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None
    noted_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteEnd:
    """A version of the agreement counts no longer: it was superseded or terminated."""

    agreement_id: UUID
    version: int
    ends_at: datetime
    noted_at: datetime
    historic: bool


Command = NoteInForce | NoteEnd
