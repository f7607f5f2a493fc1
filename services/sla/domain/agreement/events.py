"""What happened to an agreement; stored for ever. A version never changes once signed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.sla.domain.terms import Party, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementDrafted:
    """A version has been written down."""

    version: int
    terms: Terms
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementPartySigned:
    """One party has signed."""

    version: int
    party: Party
    by: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSigned:
    """Both parties have signed."""

    version: int
    terms: Terms
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementInForce:
    """Its promises count from `terms.in_force_from` on."""

    version: int
    terms: Terms
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementSuperseded:
    """Another version has taken its place from `ends_at` on."""

    version: int
    superseded_by: UUID
    by_version: int
    ends_at: datetime
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementTerminated:
    """It ends before its time."""

    version: int
    ends_at: datetime
    reason: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageApplied:
    """Records that were uncovered when it came into force have been looked at, up to the id `after`."""

    version: int
    after: UUID | None
    done: bool
    occurred_at: datetime
    historic: bool = False


Event = (
    AgreementDrafted
    | AgreementPartySigned
    | AgreementSigned
    | AgreementInForce
    | AgreementSuperseded
    | AgreementTerminated
    | CoverageApplied
)
