"""What intake tells others: requests and changes, from the first word to the last."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Contract
from shared.contracts.fields import (
    BusinessUnit,
    Category,
    ChangeType,
    Channel,
    Hold,
    Level,
    Moment,
    Number,
    Outcome,
    Party,
    PersonId,
    Priority,
    RequestKind,
    RiskFactor,
    ServiceName,
    SourceType,
    Text,
    Title,
    Version,
    known,
)


class RequestFact(Contract):
    """Something that happened to a request."""

    TOPIC = "plumbline.intake.requests.v1"

    request_id: UUID = Field(description="The request; subject and key of the message.")


class RequestSubmitted(RequestFact):
    """Something has been asked of IT."""

    TYPE = "plumbline.request.submitted.v1"

    number: Number
    kind: RequestKind
    requester_id: PersonId
    on_behalf_of_id: PersonId | None = None
    business_unit: BusinessUnit
    channel: Channel
    source_type: SourceType
    source_system: str | None = Field(default=None, description="The desk tool or tracker it came from.")
    external_id: str | None = Field(default=None, description="Its id there.")
    service: ServiceName | None = None
    category: Category | None = None
    impact: Level
    urgency: Level
    priority: Priority
    needed_by: Moment | None = None
    complete_outage: bool = Field(description="Incident: nobody can work; otherwise false.")
    units: int = Field(ge=0, description="Affected units (PCs); 0 when not told.")
    portfolio_item: str | None = Field(default=None, description="The portfolio item it belongs to.")


class RequestTriaged(RequestFact):
    """Service, category and priority have been judged."""

    TYPE = "plumbline.request.triaged.v1"

    service: ServiceName | None = None
    category: Category | None = None
    impact: Level
    urgency: Level
    priority: Priority


class RequestAccepted(RequestFact):
    """IT will do it."""

    TYPE = "plumbline.request.accepted.v1"


class RequestRejected(RequestFact):
    """IT will not do it."""

    TYPE = "plumbline.request.rejected.v1"

    reason: Text


class RequestAssigned(RequestFact):
    """A group, and perhaps one of its people, has it now."""

    TYPE = "plumbline.request.assigned.v1"

    group: str = Field(description="The assignment group.")
    assignee: Party | None = None


class RequestHeld(RequestFact):
    """It waits; which clocks pause is for the agreements to say."""

    TYPE = "plumbline.request.held.v1"

    reason: Hold


class RequestResumed(RequestFact):
    """It no longer waits."""

    TYPE = "plumbline.request.resumed.v1"


class RequestResponded(RequestFact):
    """The requester has been answered."""

    TYPE = "plumbline.request.responded.v1"

    human: bool = Field(description="True when a person answered, false for an automatic receipt.")
    channel: Channel


class RequestContactReceived(RequestFact):
    """The requester has been in touch about it; every contact counts."""

    TYPE = "plumbline.request.contact_received.v1"

    channel: Channel


class RequestReprioritised(RequestFact):
    """Impact, urgency or priority has changed."""

    TYPE = "plumbline.request.reprioritised.v1"

    impact: Level
    urgency: Level
    priority: Priority


class RequestFulfilled(RequestFact):
    """It has been done."""

    TYPE = "plumbline.request.fulfilled.v1"


class RequestReopened(RequestFact):
    """It was not done after all."""

    TYPE = "plumbline.request.reopened.v1"


class RequestClosed(RequestFact):
    """It is over."""

    TYPE = "plumbline.request.closed.v1"

    reason: Annotated[str, known("Why it ended.", "confirmed", "no_answer", "converted", "imported")]


class RequestWithdrawn(RequestFact):
    """The requester no longer wants it."""

    TYPE = "plumbline.request.withdrawn.v1"


class RequestConverted(RequestFact):
    """It goes on as a change or as a project concept."""

    TYPE = "plumbline.request.converted.v1"

    to: Annotated[str, known("What it became.", "rfc", "concept")]
    target_id: UUID = Field(description="The RFC or concept.")


class RfcFact(Contract):
    """Something that happened to a request for change."""

    TOPIC = "plumbline.intake.rfcs.v1"

    rfc_id: UUID = Field(description="The RFC; subject and key of the message.")


class RfcSubmitted(RfcFact):
    """A change is asked for."""

    TYPE = "plumbline.rfc.submitted.v1"

    number: Number
    title: Title
    request_id: UUID | None = Field(default=None, description="The request it came from.")
    change_type: ChangeType
    service: ServiceName
    business_impact: Text
    risk_of_not_accepting: Text
    reason: Text
    requester_id: PersonId
    needed_by: Moment | None = None


class RfcClassified(RfcFact):
    """Type, category and priority are judged; a CAB workflow can start from this alone."""

    TYPE = "plumbline.rfc.classified.v1"

    number: Number
    title: Title
    change_type: ChangeType
    category: Annotated[str, known("What decides.", "service_impact", "new_service", "risk", "resources")]
    impact: Level
    urgency: Level
    priority: Priority
    service: ServiceName
    affected_services: tuple[ServiceName, ...] = Field(description="Other services the change touches.")
    initial_resources: Text
    rule: str = Field(description="The rule or matrix cell that gave the priority.")
    policy_version: Version


class RfcRiskAssessed(RfcFact):
    """The risk of making the change, with the terms that add up to it."""

    TYPE = "plumbline.rfc.risk_assessed.v1"

    level: Annotated[str, known("The model's band.", "low", "medium", "high", "very_high")]
    score: int = Field(description="Sum of the factors' points.")
    factors: tuple[RiskFactor, ...] = Field(description="The terms of the score.")
    model_version: Version


class RfcApproved(RfcFact):
    """The change may be made."""

    TYPE = "plumbline.rfc.approved.v1"

    decided_by: Party
    revision: Version


class RfcRejected(RfcFact):
    """The change may not be made."""

    TYPE = "plumbline.rfc.rejected.v1"

    reason: Text


class RfcDeferred(RfcFact):
    """The decision waits."""

    TYPE = "plumbline.rfc.deferred.v1"

    until: Moment
    reason: Text


class RfcScheduled(RfcFact):
    """The change has its window."""

    TYPE = "plumbline.rfc.scheduled.v1"

    starts_at: Moment
    ends_at: Moment


class RfcImplementationStarted(RfcFact):
    """The change is being made."""

    TYPE = "plumbline.rfc.implementation_started.v1"


class RfcImplemented(RfcFact):
    """The change has been made, or given up."""

    TYPE = "plumbline.rfc.implemented.v1"

    outcome: Outcome


class RfcClosed(RfcFact):
    """The change is over."""

    TYPE = "plumbline.rfc.closed.v1"

    outcome: Outcome


class RfcCancelled(RfcFact):
    """The change was called off before it began."""

    TYPE = "plumbline.rfc.cancelled.v1"

    reason: Text
