"""What the catalog has noted of an agreement; stored for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementNoted:
    """It is in force in this version, for these services (normal form of their names)."""

    agreement_id: UUID
    version: int
    kind: str
    title: str
    services: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementEndNoted:
    """The version in force ends at `ends_at`."""

    agreement_id: UUID
    version: int
    ends_at: datetime
    occurred_at: datetime
    historic: bool = False


Event = AgreementNoted | AgreementEndNoted
