"""Requests over HTTP: submit one, list them, read one, its history, its possible steps."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field, model_validator
from starlette.requests import Request
from starlette.responses import Response as PlainResponse
from starlette.routing import Route

from services.intake.api.reading import add_reads, columns, only_of
from services.intake.api.steps import utc
from services.intake.domain.lifecycle import allowed_transitions
from services.intake.domain.people import person_id
from services.intake.domain.request.commands import SubmitRequest
from services.intake.domain.request.decider import REQUEST
from services.intake.domain.vocabulary import (
    Channel,
    Level,
    Nature,
    RequestKind,
    RequestState,
    SourceType,
)
from services.intake.projections import request_list, request_page
from shared.eventsourcing.command_handler import Actor
from shared.eventsourcing.decider import made
from shared.eventsourcing.log import IdempotencyKey, Step
from shared.http.answers import answer
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller, Key, caller, read_body
from shared.http.idempotency import idempotency_key
from shared.http.paging import Page
from shared.http.validation import Body
from shared.runtime.ids import uuid7

Line = Annotated[str, Field(max_length=200)]
Tag = Annotated[str, Field(min_length=1, max_length=50)]


class Person(Body):
    """Who asks. Without `id` it is derived from the address, else from the caller's own name."""

    id: UUID | None = Field(default=None, description="the person's subject id, when the sender has one")
    name: str = Field(default="", max_length=200, description="as people call them")
    address: str = Field(default="", max_length=320, description="where an answer reaches them, mostly mail")


class NewRequest(Body):
    """Something asked of IT. Impact and urgency are what the requester thinks; triage judges again."""

    kind: RequestKind = Field(description="what is asked for")
    title: str = Field(min_length=1, max_length=200, description="one line")
    description: str = Field(default="", max_length=20_000, description="the whole story")
    requester: Person = Field(default_factory=Person, description="who asks; the caller when left out")
    on_behalf_of_id: UUID | None = Field(default=None, description="subject id of the person it is for")
    business_unit: Line = Field(default="", description="as the organisation names it")
    channel: Channel = Field(default=Channel.API, description="how it came")
    source_type: SourceType = Field(default=SourceType.BUSINESS_UNIT, description="where demand comes from")
    source_system: Line | None = Field(default=None, min_length=1, description="the tool it came from")
    external_id: Line | None = Field(
        default=None, min_length=1, description="its id there; submitted once however often it is sent"
    )
    service: Line | None = Field(default=None, min_length=1, description="as the catalog names it")
    category: Line | None = Field(default=None, min_length=1, description="within the service")
    impact: Level = Field(default=Level.MEDIUM, description="how much of the business it touches")
    urgency: Level = Field(default=Level.MEDIUM, description="how soon it must be done")
    needed_by: AwareDatetime | None = Field(default=None, description="when it must be there, RFC 3339")
    complete_outage: bool = Field(default=False, description="incident: nobody can work")
    units: int = Field(default=0, ge=0, le=10_000_000, description="affected units (PCs); 0 when not told")
    portfolio_item: Line | None = Field(default=None, min_length=1, description="the item it belongs to")
    planned: bool | None = Field(default=None, description="foreseen in a plan")
    budgeted: bool | None = Field(default=None, description="money is set aside")
    budget_owner: Line | None = Field(default=None, min_length=1, description="the role that owns the budget")
    nature: Nature | None = Field(default=None, description="business opportunity or IT improvement")
    tags: tuple[Tag, ...] = Field(default=(), max_length=20, description="free words")

    @model_validator(mode="after")
    def _ticket(self) -> NewRequest:
        if (self.source_system is None) is not (self.external_id is None):
            raise ValueError("source_system and external_id go together")
        return self

    def command(self, *, request_id: UUID, serial: int, at: datetime, actor: str) -> SubmitRequest:
        """Return the command; the requester's id depends on nothing but the body and the caller."""
        facts = dict(self.__dict__)  # a model's fields and nothing else
        who = facts.pop("requester")
        facts |= {
            "needed_by": utc(self.needed_by),
            "request_id": request_id,
            "serial": serial,
            "occurred_at": at,
            "requester_id": who.id or (person_id(who.address) if who.address else _named(actor, who.name)),
            "requester_name": who.name or ("" if who.id or who.address else actor),
            "requester_address": who.address,
        }
        return made(SubmitRequest, facts)


def _named(actor: str, name: str) -> UUID:
    """Return the id of somebody known by name only: two senders may mean two people by it."""
    return person_id(actor, name) if name else person_id(actor)


def _ticket_key(body: NewRequest) -> IdempotencyKey | None:
    """Return the natural key of a ticket from elsewhere, kept for ever: an edited copy is still the same."""
    if body.source_system is None or body.external_id is None:
        return None
    scope = f"ticket {body.source_system}"
    digest = hashlib.sha256(f"{scope}\x1f{body.external_id}".encode()).digest()
    return IdempotencyKey(scope=scope, key=body.external_id, request_sha256=digest, for_ever=True)


async def submit(
    context: ServiceContext, body: NewRequest, actor: Actor, key: IdempotencyKey | None
) -> PlainResponse:
    """Record a request: behind the route and behind its bare twin."""
    request_id = uuid7()
    serial = await context.numbers["REQ"].next()
    command = body.command(request_id=request_id, serial=serial, at=context.clock.now(), actor=actor.name)
    appended = await context.commands.execute(
        actor,
        Step(decider=REQUEST, stream_id=request_id, command=command, new=True),
        idempotency=_ticket_key(body) or key,
        number=serial,
    )
    return answer(appended, status=201, location="/v1/requests/{id}", number_prefix="REQ")


def hot_routes(context: ServiceContext) -> list[Route]:
    """Return the bare twin of `POST /v1/requests`: same body, same command, none of the framework between."""

    async def post(request: Request) -> PlainResponse:
        return await submit(
            context, read_body(request, NewRequest), caller(request), idempotency_key(request)
        )

    return [Route("/v1/requests", post, methods=["POST"])]


class RequestFilters(Body):
    """Every filter narrows the list."""

    state: RequestState | None = Field(default=None, description="where it stands")
    kind: RequestKind | None = Field(default=None, description="what is asked for")
    service: Line | None = Field(default=None, description="as the catalog names it")
    priority: int | None = Field(default=None, ge=1, le=9, description="1 is the most pressing")
    business_unit: Line | None = Field(default=None, description="of the requester")
    assignment_group: Line | None = Field(default=None, description="who works on it")
    requester_id: UUID | None = Field(default=None, description="subject id of the requester")
    source_system: Line | None = Field(default=None, description="the tool it came from")
    external_id: Line | None = Field(default=None, description="its id there")
    breached: bool | None = Field(default=None, description="late by a clock of ours or by its source's")
    submitted_from: AwareDatetime | None = Field(default=None, description="from this moment on")
    submitted_before: AwareDatetime | None = Field(default=None, description="before this moment")

    def filters(self, of: UUID | None) -> request_list.Filters:
        """Return the filters, narrowed to the requests of one person where only theirs may be seen."""
        return request_list.Filters(**self.model_dump(exclude={"limit", "cursor"}), of=of)


class ListQuery(RequestFilters):
    """The filters, and the two words of every list."""

    limit: int = Field(default=50, ge=1, le=100, description="rows per page")
    cursor: str | None = Field(default=None, description="`next_cursor` of the page before")


def router(context: ServiceContext) -> APIRouter:
    routes = APIRouter(prefix="/v1/requests", tags=["requests"])

    @routes.post("", status_code=201, summary="Submit a request")
    async def post(body: NewRequest, actor: Caller, key: Key) -> Response:
        return await submit(context, body, actor, key)

    @routes.get("", summary="List requests, newest first")
    async def list_(wanted: Annotated[ListQuery, Query()], actor: Caller) -> Any:
        page = Page(limit=wanted.limit, cursor=wanted.cursor)
        filters = wanted.filters(only_of(actor))
        order = f"requests {filters}"
        after = page.after(order, datetime.fromisoformat, UUID)
        rows = await context.database.rows(request_list.newest(filters, after, page.limit + 1))
        return page.answer(
            rows,
            order,
            lambda row: (row["submitted_at"], row["request_id"]),
            lambda row: columns(row, "request_id"),
        )

    add_reads(routes, context, REQUEST, "request", "request_id", request_page.page, allowed_transitions)
    return routes
