"""What may be asked of an agreement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.sla.domain.terms import Party, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftAgreement:
    """Write down the next version; an unsigned draft is replaced. `new`: there is no version yet."""

    terms: Terms
    drafted_at: datetime
    new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SignAgreement:
    """Sign the draft for one party; the second signature makes it signed."""

    party: Party
    by: str
    signed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PutInForce:
    """Let the signed version count from its date on.

    `rivals` are the titles of other agreements in force that cover the same just as specifically;
    `without_hours` names the targets whose calendar has no version published for that date.
    """

    agreement_id: UUID
    rivals: tuple[str, ...]
    without_hours: tuple[str, ...]
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateAgreement:
    """End it before its time."""

    ends_at: datetime
    reason: str
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyCoverage:
    """Note that uncovered records up to `after`, in the order of their ids, have been looked at.

    `seq` is the agreement's last step of this kind: a repeat changes nothing. `done`: there were no more.
    """

    seq: int
    after: UUID | None
    done: bool
    applied_at: datetime


Command = DraftAgreement | SignAgreement | PutInForce | TerminateAgreement | ApplyCoverage
