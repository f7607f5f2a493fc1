"""Writes entries: registers services, replaces what they say, assigns their owners."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StringConstraints
from starlette.responses import Response

from services.catalog.api.services import PREFIX
from services.catalog.domain.facts import (
    Category,
    Contribution,
    Criticality,
    Kind,
    Listing,
    Owners,
    Party,
    ServiceFacts,
    service_id_of,
)
from services.catalog.domain.service import commands
from services.catalog.domain.service.decider import SERVICE
from shared.eventsourcing.log import Step
from shared.http.answers import answer
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller, Key, Match
from shared.http.validation import Body

Line = Annotated[str, StringConstraints(max_length=200)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Lines = Annotated[tuple[Text, ...], Field(max_length=100)]


class PartyBody(Body):
    """A person with their subject id, or a role or group without one."""

    name: Annotated[Line, StringConstraints(min_length=1)]
    person_id: UUID | None = None


class OwnersBody(Body):
    """Who answers for the service, in IT and in the business."""

    service_owner: PartyBody | None = None
    business_owner: PartyBody | None = None

    def owners(self) -> Owners:
        """Return what the domain works with."""
        return Owners(
            service_owner=_party(self.service_owner),
            business_owner=_party(self.business_owner),
        )


class ListingBody(Body):
    """Lines under a heading."""

    heading: Line = ""
    lines: Lines

    def listing(self) -> Listing:
        """Return what the domain works with."""
        return Listing(heading=self.heading, lines=self.lines)


Listings = Annotated[tuple[ListingBody, ...], Field(max_length=50)]


class FactsBody(Body):
    """What the entry says: the rows of MOF's Appendix A, then the elements of its service portfolio."""

    description: Text = ""
    business_alignment: Text = ""
    qualification: Text = ""
    initiation_contact: Text = ""
    external_dependencies: Lines = ()
    elements: Listings = ()
    included: Listings = ()
    optional: Lines = ()
    users: Lines = ()
    priority: Lines = ()
    lifecycle: Lines = ()
    pricing: Text = ""
    hours: Listings = ()
    assistance: Text = ""
    kind: Kind | None = None
    criticality: Criticality | None = None
    category: Category | None = None
    contribution: Contribution | None = None
    functions: Lines = ()
    sponsor: Line = ""
    relationship_manager: Line = ""
    roadmap: Lines = ()

    def facts(self) -> ServiceFacts:
        """Return what the domain works with."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        for name in ("elements", "included", "hours"):
            fields[name] = tuple(each.listing() for each in fields[name])
        return ServiceFacts(**fields)


class NewService(OwnersBody):
    """A proposal; with `existing` a service in use already, which enters with its gaps listed."""

    name: Line
    facts: FactsBody = FactsBody()
    existing: bool = False
    service_map: Line = Field(default="", description="where its published map stands")
    agreement: Line = Field(default="", description="the agreement signed for it")


class NewOwners(OwnersBody):
    """Both owners as they are from now on."""

    reason: Text


def _party(body: PartyBody | None) -> Party | None:
    return None if body is None else Party(name=body.name, person_id=body.person_id)


class Entries:
    """What can be written into entries."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def register(self, body: NewService, caller: Caller, key: Key) -> Response:
        """Register a service; its id follows from its name, which is taken once."""
        command = commands.RegisterService(
            service_id=service_id_of(body.name),
            name=body.name,
            facts=body.facts.facts(),
            owners=body.owners(),
            existing=body.existing,
            service_map=body.service_map,
            agreement=body.agreement,
            registered_at=self._context.clock.now(),
        )
        step = Step(decider=SERVICE, stream_id=command.service_id, command=command)
        appended = await self._context.commands.execute(caller, step, idempotency=key)
        return answer(appended, status=201, location=f"{PREFIX}/{{id}}")

    async def revise(
        self, service_id: UUID, body: FactsBody, caller: Caller, key: Key, match: Match
    ) -> Response:
        """Replace what the entry says."""
        command = commands.ReviseFacts(facts=body.facts(), revised_at=self._context.clock.now())
        step = Step(decider=SERVICE, stream_id=service_id, command=command, expected_version=match)
        return answer(await self._context.commands.execute(caller, step, idempotency=key))

    async def assign(
        self, service_id: UUID, body: NewOwners, caller: Caller, key: Key, match: Match
    ) -> Response:
        """Say who answers for the service from now on."""
        command = commands.AssignOwners(
            owners=body.owners(), reason=body.reason, assigned_at=self._context.clock.now()
        )
        step = Step(decider=SERVICE, stream_id=service_id, command=command, expected_version=match)
        return answer(await self._context.commands.execute(caller, step, idempotency=key))


def router(context: ServiceContext) -> APIRouter:
    """Return the routes of this module."""
    entries = Entries(context)
    routes = APIRouter(prefix=PREFIX, tags=["services"])
    routes.post("", status_code=201)(entries.register)
    routes.post("/{service_id}/facts")(entries.revise)
    routes.post("/{service_id}/owners")(entries.assign)
    return routes
