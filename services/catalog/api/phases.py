"""Moves services from phase to phase: one resource per transition."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from services.catalog.api.entries import Line, Text
from services.catalog.api.services import PREFIX
from services.catalog.domain.service import commands
from services.catalog.domain.service.decider import SERVICE, UnknownService
from services.catalog.projections import service_agreements, service_page
from shared.eventsourcing.command_handler import Actor
from shared.eventsourcing.log import IdempotencyKey, Step
from shared.http.answers import answer
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller, Key, Match
from shared.http.validation import Body

PATH = f"{PREFIX}/{{service_id}}"


class Reasoned(Body):
    """A decision with its reason."""

    reason: Text


class GoLive(Reasoned):
    """What stands behind a service that opens; an agreement heard to be in force need not be named."""

    service_map: Line = Field(default="", description="where its published map stands")
    agreement: Line = Field(default="", description="the agreement signed for it, effective by go-live")


class Retirement(Reasoned):
    """What the owner still found: all three must be zero."""

    users: int = Field(ge=0)
    dependents: int = Field(ge=0, description="services that rest on it")
    open_rfcs: int = Field(ge=0)


class Phases:
    """The transitions that services can be asked to take."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def _move(
        self,
        service_id: UUID,
        command: commands.Command,
        caller: Actor,
        key: IdempotencyKey | None,
        match: int | None,
    ) -> Response:
        step = Step(decider=SERVICE, stream_id=service_id, command=command, expected_version=match)
        return answer(await self._context.commands.execute(caller, step, idempotency=key))

    async def _agreements(self, service_id: UUID) -> tuple[str, ...]:
        row = await self._context.database.row(service_page.page(service_id))
        if row is None:
            raise UnknownService("there is no such service")
        found = await self._context.database.rows(
            service_agreements.in_force(self._context.clock.now(), row["name"])
        )
        return tuple(agreement["title"] for agreement in found)

    async def approve(
        self, service_id: UUID, body: Reasoned, caller: Caller, key: Key, match: Match
    ) -> Response:
        """Take a proposal into the plan."""
        command = commands.ApproveService(reason=body.reason, approved_at=self._context.clock.now())
        return await self._move(service_id, command, caller, key, match)

    async def decline(
        self, service_id: UUID, body: Reasoned, caller: Caller, key: Key, match: Match
    ) -> Response:
        """Turn a proposal down."""
        command = commands.DeclineService(reason=body.reason, declined_at=self._context.clock.now())
        return await self._move(service_id, command, caller, key, match)

    async def develop(
        self, service_id: UUID, body: Reasoned, caller: Caller, key: Key, match: Match
    ) -> Response:
        """Begin to build it."""
        command = commands.StartDevelopment(reason=body.reason, started_at=self._context.clock.now())
        return await self._move(service_id, command, caller, key, match)

    async def go_live(
        self, service_id: UUID, body: GoLive, caller: Caller, key: Key, match: Match
    ) -> Response:
        """Open the service to its users, if nothing is missing."""
        in_force = await self._agreements(service_id)
        command = commands.PutInService(
            service_map=body.service_map,
            agreement=in_force[0] if in_force else body.agreement,
            reason=body.reason,
            live_at=self._context.clock.now(),
        )
        return await self._move(service_id, command, caller, key, match)

    async def announce(
        self, service_id: UUID, body: Reasoned, caller: Caller, key: Key, match: Match
    ) -> Response:
        """Queue the service for decommissioning."""
        command = commands.AnnounceRetirement(reason=body.reason, announced_at=self._context.clock.now())
        return await self._move(service_id, command, caller, key, match)

    async def reinstate(
        self, service_id: UUID, body: Reasoned, caller: Caller, key: Key, match: Match
    ) -> Response:
        """Keep a service that was to be retired."""
        command = commands.ReinstateService(reason=body.reason, reinstated_at=self._context.clock.now())
        return await self._move(service_id, command, caller, key, match)

    async def retire(
        self, service_id: UUID, body: Retirement, caller: Caller, key: Key, match: Match
    ) -> Response:
        """End the service, once nobody and nothing rests on it."""
        command = commands.RetireService(
            users=body.users,
            dependents=body.dependents,
            open_rfcs=body.open_rfcs,
            agreements_in_force=await self._agreements(service_id),
            reason=body.reason,
            retired_at=self._context.clock.now(),
        )
        return await self._move(service_id, command, caller, key, match)


def router(context: ServiceContext) -> APIRouter:
    """Return the routes of this module."""
    phases = Phases(context)
    routes = APIRouter(tags=["services"])
    routes.post(f"{PATH}/approval")(phases.approve)
    routes.post(f"{PATH}/refusal")(phases.decline)
    routes.post(f"{PATH}/development")(phases.develop)
    routes.post(f"{PATH}/go-live")(phases.go_live)
    routes.post(f"{PATH}/retirement-notice")(phases.announce)
    routes.post(f"{PATH}/reinstatement")(phases.reinstate)
    routes.post(f"{PATH}/retirement")(phases.retire)
    return routes
