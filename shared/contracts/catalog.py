"""What catalog tells others: the services, their phases and their owners."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from shared.contracts.envelope import Contract
from shared.contracts.fields import Criticality, Party, ServiceName, known

Phase = Annotated[
    str,
    known(
        "Where the service stands in its life.",
        "proposed",
        "approved",
        "in_development",
        "in_service",
        "retiring",
        "retired",
        "declined",
    ),
]
ServiceKind = Annotated[str, known("Whom the service serves.", "end_user", "business", "internal_it")]


class ServiceFact(Contract):
    """Something that happened to a service."""

    TOPIC = "plumbline.catalog.services.v1"

    service_id: UUID = Field(description="The service; subject and key of the message.")


class ServiceRegistered(ServiceFact):
    """A service has entered the catalog or its pipeline."""

    TYPE = "plumbline.service.registered.v1"

    name: ServiceName
    phase: Phase
    kind: ServiceKind | None = None
    criticality: Criticality | None = None
    business_owner: Party | None = None
    service_owner: Party | None = None
    project_id: UUID | None = Field(default=None, description="The project that brings it.")


class ServicePhaseChanged(ServiceFact):
    """A service has moved on in its life."""

    TYPE = "plumbline.service.phase_changed.v1"

    phase: Phase
    was: Phase


class ServiceOwnerChanged(ServiceFact):
    """A service has other owners; both are told, as they stand now."""

    TYPE = "plumbline.service.owner_changed.v1"

    business_owner: Party | None = None
    service_owner: Party | None = None


class ServiceUpdated(ServiceFact):
    """Facts of a service have changed; all of them are told, as they stand now."""

    TYPE = "plumbline.service.updated.v1"

    name: ServiceName
    kind: ServiceKind | None = None
    criticality: Criticality | None = None
