"""What sla tells others: the promises in force, the clocks that run and the breaches."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Contract
from shared.contracts.fields import Moment, ServiceName, Text, Title, Version, known


class ClockFact(Contract):
    """Something that happened to a clock: one target running for one record."""

    TOPIC = "plumbline.sla.clocks.v1"

    clock_id: UUID = Field(description="The clock.")
    record_id: UUID = Field(description="The request or RFC it runs for; subject and key of the message.")
    record: Annotated[str, known("What kind of record that is.", "request", "rfc")]
    agreement_id: UUID = Field(description="The agreement that promises it.")
    target: str = Field(description="The target, as the agreement names it.")
    target_version: Version


class ClockAttached(ClockFact):
    """A promise applies to a record from now on."""

    TYPE = "plumbline.clock.attached.v1"

    due_at: Moment


class ClockThresholdReached(ClockFact):
    """A share of the promised time is used up."""

    TYPE = "plumbline.clock.threshold_reached.v1"

    threshold: int = Field(ge=1, description="Per cent of the promised time.")
    due_at: Moment


class ClockMet(ClockFact):
    """What was promised has been done."""

    TYPE = "plumbline.clock.met.v1"

    late: bool = Field(description="True when it came after the deadline.")


class ClockCancelled(ClockFact):
    """The promise no longer applies to the record."""

    TYPE = "plumbline.clock.cancelled.v1"

    reason: Text


class SlaBreached(ClockFact):
    """One record is late."""

    TYPE = "plumbline.sla.breached.v1"

    due_at: Moment
    detected_at: Moment
    elapsed_seconds: int = Field(ge=0, description="Agreed time used when the deadline passed, seconds.")


class SlaBreachWithdrawn(ClockFact):
    """A breach was none: a fact that came late or a correction moved the deadline."""

    TYPE = "plumbline.sla.breach_withdrawn.v1"

    reason: Text


AgreementKind = Annotated[str, known("Between whom.", "sla", "ola", "uc")]


class AgreementFact(Contract):
    """Something that happened to an agreement."""

    TOPIC = "plumbline.sla.agreements.v1"

    agreement_id: UUID = Field(description="The agreement; subject and key of the message.")
    version: Version


class AgreementSigned(AgreementFact):
    """Both parties have signed."""

    TYPE = "plumbline.agreement.signed.v1"

    kind: AgreementKind
    title: Title
    services: tuple[ServiceName, ...] = Field(description="The services it covers.")
    in_force_from: Moment
    in_force_until: Moment | None = None


class AgreementInForce(AgreementFact):
    """Its promises count from `in_force_from` on."""

    TYPE = "plumbline.agreement.in_force.v1"

    kind: AgreementKind
    title: Title
    services: tuple[ServiceName, ...] = Field(description="The services it covers.")
    in_force_from: Moment
    in_force_until: Moment | None = None


class AgreementSuperseded(AgreementFact):
    """Another version or agreement has taken its place."""

    TYPE = "plumbline.agreement.superseded.v1"

    superseded_by: UUID = Field(description="The agreement that counts from then on, perhaps this one.")
    by_version: Version
    ends_at: Moment


class AgreementTerminated(AgreementFact):
    """It ends before its time."""

    TYPE = "plumbline.agreement.terminated.v1"

    ends_at: Moment
    reason: Text
