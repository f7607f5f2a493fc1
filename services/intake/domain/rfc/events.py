"""What can happen to a change; its texts are business records, not personal data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.intake.domain.vocabulary import (
    ChangeCategory,
    ChangeOutcome,
    ChangeType,
    Level,
    RfcState,
    Vote,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcText:
    """What an RFC says. The first four must be said before submission, the rest before approval.

    `risk_of_not_accepting` is the business's risk when the change is not made, not the risk of making it.
    """

    title: str
    business_impact: str = ""
    service: str = ""
    risk_of_not_accepting: str = ""
    reason: str = ""
    needed_by: datetime | None = None
    affected_components: tuple[str, ...] = ()
    implementation_plan: str = ""
    back_out_plan: str = ""
    test_plan: str = ""
    window_starts_at: datetime | None = None
    window_ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskTerm:
    """One factor's answer and the points it adds; `points` = factor's weight x the answer's degree (0-10)."""

    name: str
    value: str
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcDrafted:
    """`serial` makes the human number together with the year of recording."""

    rfc_id: UUID
    serial: int
    occurred_at: datetime
    requester_id: UUID
    request_id: UUID | None
    change_type: ChangeType
    text: RfcText
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcEdited:
    """The text is another one; a `material` edit raised `revision`, which voids votes and approval."""

    rfc_id: UUID
    occurred_at: datetime
    text: RfcText
    material: bool
    revision: int
    state: RfcState
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcSubmitted:
    """Carries what others need to know of the RFC, so that they need not ask back."""

    rfc_id: UUID
    serial: int
    drafted_at: datetime
    occurred_at: datetime
    requester_id: UUID
    request_id: UUID | None
    change_type: ChangeType
    text: RfcText
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcClassified:
    """The verdict with its rule and inputs: the four facts by which changes are filed, and the priority.

    `urgency` is the one asked for; `urgency_counted` the one after the risk of not accepting raised it.
    """

    rfc_id: UUID
    serial: int
    drafted_at: datetime
    occurred_at: datetime
    title: str
    change_type: ChangeType
    type_reason: str
    category: ChangeCategory
    service: str
    service_impact: Level
    new_service: bool
    expected_risk: Level
    initial_resources: str
    affected_services: tuple[str, ...]
    impact: Level
    urgency: Level
    risk_of_not_accepting: Level
    urgency_counted: Level
    priority: int
    rule: str
    policy_version: int
    revision: int
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAssessed:
    rfc_id: UUID
    occurred_at: datetime
    assessed_by: UUID
    level: str
    score: int
    factors: tuple[RiskTerm, ...]
    explanation: str
    model_version: int
    revision: int
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteCast:
    """A vote counts for `revision` only; a member who votes again replaces the earlier vote."""

    rfc_id: UUID
    occurred_at: datetime
    voter_id: UUID
    vote: Vote
    comment: str
    revision: int
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcApproved:
    rfc_id: UUID
    occurred_at: datetime
    decided_by: UUID
    reason: str
    revision: int
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcRejected:
    """The RFC is a draft again and may be improved."""

    rfc_id: UUID
    occurred_at: datetime
    decided_by: UUID
    reason: str
    revision: int
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcDeferred:
    rfc_id: UUID
    occurred_at: datetime
    decided_by: UUID
    until: datetime
    reason: str
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcReverted:
    """Back to draft by its own people; votes and approval are void."""

    rfc_id: UUID
    occurred_at: datetime
    reason: str
    revision: int
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcScheduled:
    rfc_id: UUID
    occurred_at: datetime
    starts_at: datetime
    ends_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImplementationStarted:
    rfc_id: UUID
    occurred_at: datetime
    implementer_id: UUID
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcImplemented:
    """The work is over, well or not; the RFC is in review."""

    rfc_id: UUID
    occurred_at: datetime
    outcome: ChangeOutcome
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcClosed:
    rfc_id: UUID
    occurred_at: datetime
    outcome: ChangeOutcome
    review: str
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcCancelled:
    rfc_id: UUID
    occurred_at: datetime
    reason: str
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcProjectLinked:
    """A project was approved that came from this RFC; `new_service` is not in the catalog yet."""

    rfc_id: UUID
    occurred_at: datetime
    project_id: UUID
    project_number: str
    service: str
    new_service: bool
    historic: bool = False


RfcEvent = (
    RfcDrafted
    | RfcEdited
    | RfcSubmitted
    | RfcClassified
    | RiskAssessed
    | VoteCast
    | RfcApproved
    | RfcRejected
    | RfcDeferred
    | RfcReverted
    | RfcScheduled
    | ImplementationStarted
    | RfcImplemented
    | RfcClosed
    | RfcCancelled
    | RfcProjectLinked
)
