"""What may be asked of a service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.catalog.domain.facts import Owners, ServiceFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterService:
    """Propose a service, or with `existing` enter one that is in use already, gaps and all."""

    service_id: UUID
    name: str
    facts: ServiceFacts
    owners: Owners
    existing: bool
    service_map: str
    agreement: str
    registered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmitProject:
    """Note that the advisory board approved a project for a service, which may be new to the catalog."""

    service_id: UUID
    service_name: str
    project_id: UUID
    number: str
    title: str
    description: str
    designation: str
    owner: str
    team: str
    new_service: bool
    approved_at: datetime
    historic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviseFacts:
    """Replace what the entry says."""

    facts: ServiceFacts
    revised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignOwners:
    """Say who answers for the service from now on."""

    owners: Owners
    reason: str
    assigned_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveService:
    """Take a proposal into the plan."""

    reason: str
    approved_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineService:
    """Turn a proposal down."""

    reason: str
    declined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDevelopment:
    """Begin to build it."""

    reason: str
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PutInService:
    """Open the service to its users.

    `service_map` says where its published map stands. `agreement` names the agreement signed for it:
    the one heard to be in force, else what the caller attests.
    """

    service_map: str
    agreement: str
    reason: str
    live_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceRetirement:
    """Queue the service for decommissioning."""

    reason: str
    announced_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReinstateService:
    """Keep a service that was to be retired."""

    reason: str
    reinstated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RetireService:
    """End the service. The counts are what its owner found; agreements in force are looked up."""

    users: int
    dependents: int
    open_rfcs: int
    agreements_in_force: tuple[str, ...]
    reason: str
    retired_at: datetime


Command = (
    RegisterService
    | AdmitProject
    | ReviseFacts
    | AssignOwners
    | ApproveService
    | DeclineService
    | StartDevelopment
    | PutInService
    | AnnounceRetirement
    | ReinstateService
    | RetireService
)
