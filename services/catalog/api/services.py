"""Reads services: the portfolio, an entry with gaps and health, its history, the search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic_core import to_jsonable_python

from services.catalog.domain.facts import Category, Criticality, Kind, Owners, Party, rows, unstated
from services.catalog.domain.phases import Phase, gaps, transitions_from
from services.catalog.domain.service.decider import SERVICE, Service, UnknownService
from services.catalog.projections import (
    service_agreements,
    service_breaches,
    service_list,
    service_page,
    service_projects,
)
from shared.http.conditional import etag
from shared.http.context import ServiceContext
from shared.http.dependencies import AsOf
from shared.http.paging import PageQuery

JsonObject = dict[str, Any]
PREFIX = "/v1/services"
MATCHES = 10
LISTED = (
    "name",
    "phase",
    "phase_since",
    "kind",
    "criticality",
    "category",
    "service_owner",
    "business_owner",
)


class Services:
    """What can be read about services."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def portfolio(
        self,
        page: PageQuery,
        phase: Phase | None = None,
        kind: Kind | None = None,
        criticality: Criticality | None = None,
        category: Category | None = None,
    ) -> Mapping[str, Any]:
        """List services in the order of their names, each with what it lacks for use."""
        order = f"name:{phase}:{kind}:{criticality}:{category}"
        found = await self._context.database.rows(
            service_list.portfolio(
                phase=phase,
                kind=kind,
                criticality=criticality,
                category=category,
                after=page.after(order, str),
                limit=page.limit + 1,
            )
        )
        in_force = await self._context.database.rows(service_agreements.in_force(self._context.clock.now()))
        agreed = {name: row["title"] for row in in_force for name in json.loads(row["services"])}
        return page.answer(
            found,
            order,
            lambda row: (row["name_key"],),
            lambda row: _listed(row, agreed.get(row["name_key"])),
        )

    async def match(self, text: Annotated[str, Query(min_length=1, max_length=500)]) -> JsonObject:
        """Find the services that a text may mean, with a score from 1 to 100 and the reason."""
        found = await self._context.database.rows(service_list.matches(text, MATCHES))
        return {
            "items": [
                {
                    "id": row["service_id"],
                    "name": row["name"],
                    "phase": row["phase"],
                    "score": row["score"],
                    "because": service_list.reason(row["score"]),
                }
                for row in found
            ]
        }

    async def entry(self, service_id: UUID, response: Response, as_of: AsOf = None) -> JsonObject:
        """Show one entry as the sixteen rows of MOF's sample, with gaps, projects and health."""
        if as_of is not None:
            return await _entry_then(self._context, service_id, as_of)
        row = await self._context.database.row(service_page.page(service_id))
        if row is None:
            raise UnknownService("there is no such service")
        service, version, changed_at = service_page.service_of(row)
        response.headers["ETag"] = etag(version)
        in_force = await self._context.database.rows(
            service_agreements.in_force(self._context.clock.now(), service.name)
        )
        projects = await self._context.database.rows(service_projects.projects(service_id))
        breaches = await self._context.database.rows(
            service_breaches.breaches(agreement["agreement_id"] for agreement in in_force)
        )
        return {
            **_shown(service_id, service, version, changed_at, in_force[0]["title"] if in_force else ""),
            "projects": [_without(project, "service_id") for project in projects],
            "health": {
                "agreements": [_without(agreement, "services") for agreement in in_force],
                "breaches": [dict(row) for row in breaches],
            },
        }

    async def history(self, service_id: UUID) -> JsonObject:
        """Tell everything that happened to a service, in order."""
        async with self._context.database.connection() as conn:
            recorded = await self._context.store.history(conn, service_id)
        if not recorded or recorded[0].stream != SERVICE.stream:
            raise UnknownService("there is no such service")
        return {
            "items": [
                {
                    "version": each.version,
                    "what": type(each.event).__name__,
                    "occurred_at": each.occurred_at,
                    "recorded_at": each.recorded_at,
                    "actor": each.meta.actor,
                    "facts": to_jsonable_python(each.event),
                }
                for each in recorded
            ]
        }

    async def allowed_transitions(self, service_id: UUID) -> JsonObject:
        """Name the ways out of the service's phase: each is a POST to that name below the service."""
        row = await self._context.database.row(service_page.page(service_id))
        if row is None:
            raise UnknownService("there is no such service")
        return {"phase": row["phase"], "transitions": transitions_from(Phase(row["phase"]))}


def router(context: ServiceContext) -> APIRouter:
    """Return the routes of this module."""
    services = Services(context)
    routes = APIRouter(prefix=PREFIX, tags=["services"])
    routes.get("")(services.portfolio)
    routes.get("/match")(services.match)
    routes.get("/{service_id}")(services.entry)
    routes.get("/{service_id}/history")(services.history)
    routes.get("/{service_id}/allowed-transitions")(services.allowed_transitions)
    return routes


async def _entry_then(context: ServiceContext, service_id: UUID, as_of: datetime) -> JsonObject:
    """Show the entry as it was recorded at that moment; health is a matter of today."""
    async with context.database.connection() as conn:
        recorded = await context.store.history(conn, service_id)
    known = [each for each in recorded if each.recorded_at <= as_of and each.stream == SERVICE.stream]
    service = SERVICE.fold([each.event for each in known])
    if service is None:
        raise UnknownService("there was no such service then")
    return _shown(service_id, service, known[-1].version, known[-1].occurred_at, "")


def _shown(
    service_id: UUID, service: Service, version: int, changed_at: datetime, agreement: str
) -> JsonObject:
    return {
        "id": service_id,
        "version": version,
        "name": service.name,
        "phase": service.phase,
        "changed_at": changed_at,
        "owners": service.owners,
        "rows": rows(service.facts, service.owners),
        "facts": service.facts,
        "unstated": unstated(service.facts, service.owners),
        "service_map": service.service_map,
        "agreement": agreement or service.agreement,
        "gaps": _gaps(service, agreement),
        "transitions": transitions_from(service.phase),
    }


def _gaps(service: Service, agreement: str) -> tuple[str, ...]:
    """Name what the service lacks for use; an agreement heard to be in force closes that gap by itself."""
    return gaps(service.owners, service_map=service.service_map, agreement=agreement or service.agreement)


def _listed(row: Any, agreement: str | None) -> JsonObject:
    owners = Owners(service_owner=_party(row["service_owner"]), business_owner=_party(row["business_owner"]))
    return {
        "id": row["service_id"],
        **{key: row[key] for key in LISTED},
        "gaps": gaps(owners, service_map=row["service_map"], agreement=agreement or row["agreement"]),
    }


def _party(name: str | None) -> Party | None:
    return None if name is None else Party(name=name)


def _without(row: Any, column: str) -> JsonObject:
    return {key: value for key, value in row.items() if key != column}
