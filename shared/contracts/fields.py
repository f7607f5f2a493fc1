"""The field types of contracts: what each means, and the values of open lists."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


def known(description: str, *values: str) -> FieldInfo:
    """Document an open enum: these values today, others later; a reader treats an unknown one as "other"."""
    listed = ", ".join(f"`{value}`" for value in values)
    return FieldInfo(
        description=f"{description} Open list: {listed}.", json_schema_extra={"x-known-values": list(values)}
    )


Moment = Annotated[AwareDatetime, Field(description="An instant, UTC.")]
Number = Annotated[str, Field(description="Number for people, such as REQ-2026-000123.")]
Title = Annotated[str, Field(description="One line of business text; no personal data.")]
Text = Annotated[str, Field(description="Business text, fit for every reader: no personal data.")]
ServiceName = Annotated[str, Field(description="The service, as the catalog names it.")]
BusinessUnit = Annotated[str, Field(description="The business unit, as the organisation names it.")]
PersonId = Annotated[UUID, Field(description="Subject id of a person; who it is stays with the publisher.")]
Party = Annotated[
    str, Field(description="A role, a group, a board, or the subject id of a person; never a person's name.")
]
Level = Annotated[str, known("How much.", "high", "medium", "low")]
Priority = Annotated[int, Field(ge=1, description="Rank that the policy's matrix gives, 1 is the highest.")]
Amount = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$", description="Money as a decimal string.")]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217 code.")]
Version = Annotated[int, Field(ge=1, description="Version of the thing named, from 1.")]

Criticality = Annotated[str, known("How much hangs on the service.", "critical", "high", "medium", "low")]
Designation = Annotated[
    str,
    known(
        "MOF 4.0's designation of a project.",
        "it_strategic",
        "business_strategic",
        "compliance",
        "sustaining",
        "reactive",
    ),
]
RequestKind = Annotated[
    str,
    known(
        "What is asked for.", "service_request", "incident", "business_request", "enhancement", "complaint"
    ),
]
Channel = Annotated[
    str,
    known("How it came or went.", "portal", "phone", "mail", "chat", "api", "webhook", "import"),
]
SourceType = Annotated[
    str,
    known(
        "Where demand comes from.",
        "business_unit",
        "internal_it",
        "supplier",
        "outsourcer",
        "bug_tracker",
        "desk_tool",
    ),
]
Hold = Annotated[str, known("What it waits for.", "requester", "supplier", "problem", "evidence", "change")]
ChangeType = Annotated[str, known("How the change is governed.", "standard", "normal", "emergency")]
Category = Annotated[str, Field(description="Category by the classification in force.")]
Outcome = Annotated[str, known("How the change went.", "successful", "partial", "failed", "backed_out")]


class RiskFactor(BaseModel):
    """One term of a risk score."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(description="The factor, as the risk model names it.")
    value: str = Field(description="What was found.")
    points: int = Field(description="What it adds to the score.")
