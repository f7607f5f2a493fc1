"""What demand tells others: concepts, and the projects that a board makes of them."""

from __future__ import annotations

from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Contract
from shared.contracts.fields import (
    Amount,
    BusinessUnit,
    Currency,
    Designation,
    Moment,
    Number,
    Party,
    ServiceName,
    Text,
    Title,
    Version,
)


class ProjectFact(Contract):
    """Something that happened to a concept, which keeps its id when it becomes a project."""

    TOPIC = "plumbline.demand.projects.v1"

    project_id: UUID = Field(description="The concept or project; subject and key of the message.")


class ConceptSubmitted(ProjectFact):
    """A project is proposed."""

    TYPE = "plumbline.concept.submitted.v1"

    number: Number
    title: Title
    designation: Designation
    business_unit: BusinessUnit | None = None
    service: ServiceName
    rfc_id: UUID | None = Field(default=None, description="The RFC it came from.")
    request_id: UUID | None = Field(default=None, description="The request it came from.")


class ConceptQualified(ProjectFact):
    """The proposal is complete enough for the advisory board."""

    TYPE = "plumbline.concept.qualified.v1"

    number: Number
    revision: Version


class ProjectApproved(ProjectFact):
    """The advisory board gives a project its go, an owner and a team."""

    TYPE = "plumbline.project.approved.v1"

    number: Number
    title: Title
    description: Text
    designation: Designation
    owner: Party
    team: str = Field(description="The delivering team.")
    service: ServiceName
    new_service: bool = Field(description="True when the service does not exist yet.")
    rfc_id: UUID | None = Field(default=None, description="The RFC it came from.")
    request_id: UUID | None = Field(default=None, description="The request it came from.")
    budget: Amount | None = None
    currency: Currency | None = None
    decided_by: Party


class ProjectDeclined(ProjectFact):
    """The advisory board says no."""

    TYPE = "plumbline.project.declined.v1"

    reason: Text


class ProjectDeferred(ProjectFact):
    """The advisory board will look again."""

    TYPE = "plumbline.project.deferred.v1"

    until: Moment
