"""What happened to a service; stored for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.catalog.domain.facts import Owners, ServiceFacts
from services.catalog.domain.phases import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRegistered:
    """The catalog has an entry. `project_id`: the approved project that brought it in, if one did."""

    service_id: UUID
    name: str
    phase: Phase
    facts: ServiceFacts
    owners: Owners
    service_map: str
    agreement: str
    project_id: UUID | None
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLinked:
    """An approved project works on this service; `known_before`: the catalog had the service already."""

    project_id: UUID
    number: str
    title: str
    description: str
    designation: str
    owner: str
    team: str
    new_service: bool
    known_before: bool
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsRevised:
    """The entry says something else; `facts` is the whole of it."""

    name: str
    facts: ServiceFacts
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnersAssigned:
    """Others answer for the service now."""

    owners: Owners
    was: Owners
    reason: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseChanged:
    """The service moved on. `service_map` and `agreement` are the references held from then on."""

    phase: Phase
    was: Phase
    service_map: str
    agreement: str
    reason: str
    occurred_at: datetime
    historic: bool = False


Event = ServiceRegistered | ProjectLinked | FactsRevised | OwnersAssigned | PhaseChanged
