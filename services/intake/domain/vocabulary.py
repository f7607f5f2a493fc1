"""The closed lists of words that requests and changes are described with."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """How much: of impact, of urgency, of the risk of not doing it."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class RequestKind(StrEnum):
    SERVICE_REQUEST = "service_request"
    INCIDENT = "incident"
    BUSINESS_REQUEST = "business_request"
    ENHANCEMENT = "enhancement"
    COMPLAINT = "complaint"


class RequestState(StrEnum):
    SUBMITTED = "submitted"
    TRIAGED = "triaged"
    ACCEPTED = "accepted"
    IN_FULFILMENT = "in_fulfilment"
    ON_HOLD = "on_hold"
    FULFILLED = "fulfilled"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"
    CONVERTED = "converted"


OPEN_STATES = frozenset(
    {
        RequestState.SUBMITTED,
        RequestState.TRIAGED,
        RequestState.ACCEPTED,
        RequestState.IN_FULFILMENT,
        RequestState.ON_HOLD,
    }
)


class HoldReason(StrEnum):
    """Whom or what a request on hold waits for."""

    REQUESTER = "requester"
    SUPPLIER = "supplier"
    PROBLEM = "problem"
    EVIDENCE = "evidence"
    CHANGE = "change"


class CloseReason(StrEnum):
    """Why a request ended: the requester is content, never answered, what it became ended, or elsewhere."""

    CONFIRMED = "confirmed"
    NO_ANSWER = "no_answer"
    CONVERTED = "converted"
    IMPORTED = "imported"


class Channel(StrEnum):
    PORTAL = "portal"
    PHONE = "phone"
    MAIL = "mail"
    CHAT = "chat"
    API = "api"
    WEBHOOK = "webhook"
    IMPORT = "import"


class SourceType(StrEnum):
    BUSINESS_UNIT = "business_unit"
    INTERNAL_IT = "internal_it"
    SUPPLIER = "supplier"
    OUTSOURCER = "outsourcer"
    BUG_TRACKER = "bug_tracker"
    DESK_TOOL = "desk_tool"


class Nature(StrEnum):
    BUSINESS_OPPORTUNITY = "business_opportunity"
    IT_IMPROVEMENT = "it_improvement"


class Visibility(StrEnum):
    """Who may read a comment: everybody concerned, or only those who work on the request."""

    PUBLIC = "public"
    INTERNAL = "internal"


class ConversionTarget(StrEnum):
    RFC = "rfc"
    CONCEPT = "concept"


class ChangeType(StrEnum):
    STANDARD = "standard"
    NORMAL = "normal"
    EMERGENCY = "emergency"


class ChangeCategory(StrEnum):
    """By which of its four facts a change is filed."""

    SERVICE_IMPACT = "service_impact"
    NEW_SERVICE = "new_service"
    RISK = "risk"
    RESOURCES = "resources"


class RfcState(StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    CLASSIFIED = "classified"
    ASSESSED = "assessed"
    AWAITING_APPROVAL = "awaiting_approval"
    DEFERRED = "deferred"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    IMPLEMENTING = "implementing"
    IN_REVIEW = "in_review"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class Vote(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    ABSTAIN = "abstain"


class Decision(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    DEFER = "defer"


class ChangeOutcome(StrEnum):
    SUCCESSFUL = "successful"
    PARTIAL = "partial"
    FAILED = "failed"
    BACKED_OUT = "backed_out"
