"""History from other systems over HTTP: whole records in batches, each taken exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.intake.domain.imported import ImportedRecord
from services.intake.domain.request.commands import RecordHistory
from services.intake.domain.request.decider import REQUEST
from services.intake.projections.request_list import known_among
from shared.eventsourcing.command_handler import Actor
from shared.eventsourcing.decider import Unprocessable
from shared.eventsourcing.log import Appended, Step
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller, caller, read_body
from shared.http.validation import Body

Value = Annotated[str, Field(max_length=200)]
Translate = Callable[[str, Sequence[Mapping[str, str]], tzinfo, str], ImportedRecord]


class UnknownZone(Unprocessable):
    """No time zone has this name."""


class ForeignIncident(Body):
    number: str = Field(min_length=1, max_length=50, description="its number at the source")
    rows: tuple[dict[Value, Value], ...] = Field(
        min_length=1, max_length=2_000, description="its audit rows, column name to value, in any order"
    )


class ServiceNowBatch(Body):
    """Whole incidents of an audit export. Sending a batch again, or a longer export, repeats nothing."""

    zone: str = Field(min_length=1, max_length=60, description="IANA zone of the export's local times")
    source: str = Field(default="servicenow", min_length=1, max_length=50, description="which instance")
    incidents: tuple[ForeignIncident, ...] = Field(max_length=1_000, description="all rows of each")


class ImportedRow(Body):
    number: str = Field(description="the record at the source")
    row: int = Field(description="which of its rows, from 1")
    reason: str = Field(description="why it was not taken")


class ImportResult(Body):
    """What became of a batch: `taken` + `unchanged` + `unreadable` = `incidents`."""

    incidents: int = Field(description="records sent")
    taken: int = Field(description="records of which something was new")
    unchanged: int = Field(description="records that were known already")
    unreadable: int = Field(description="records without a readable row")
    events: int = Field(description="events appended")
    rejected: list[ImportedRow] = Field(description="rows that were not taken")


async def take_in(
    context: ServiceContext, translate: Translate, body: ServiceNowBatch, actor: Actor
) -> ImportResult:
    """Take a batch: behind the route and behind its bare twin."""
    context.commands.authorise(actor, RecordHistory)
    zone = _zone(body.zone)
    records = [translate(sent.number, sent.rows, zone, body.source) for sent in body.incidents]
    histories = [record.history for record in records if record.history is not None]
    outcomes = await _take(context, actor, histories)
    events = [len(outcome.events) for outcome in outcomes]
    return ImportResult(
        incidents=len(records),
        taken=sum(1 for count in events if count),
        unchanged=sum(1 for count in events if not count),
        unreadable=len(records) - len(histories),
        events=sum(events),
        rejected=[ImportedRow(**asdict(row)) for record in records for row in record.rejected],
    )


def hot_routes(context: ServiceContext, translate: Translate) -> list[Route]:
    """Return the bare twin of the import: a body of 200 KB is read once, by one parser."""

    async def servicenow(request: Request) -> Response:
        result = await take_in(context, translate, read_body(request, ServiceNowBatch), caller(request))
        return Response(result.model_dump_json(), media_type="application/json")

    return [Route("/v1/imports/servicenow", servicenow, methods=["POST"])]


def router(context: ServiceContext, translate: Translate) -> APIRouter:
    """`translate` turns one record's rows into its history; the composition root chooses it."""
    routes = APIRouter(prefix="/v1/imports", tags=["imports"])

    @routes.post("/servicenow", summary="Take incidents from a ServiceNow audit export")
    async def servicenow(body: ServiceNowBatch, actor: Caller) -> ImportResult:
        return await take_in(context, translate, body, actor)

    return routes


async def _take(context: ServiceContext, actor: Actor, histories: Sequence[RecordHistory]) -> list[Appended]:
    """Append every history, a unit each; what was appended before one fails stays, and is not repeated."""
    known: set[Any] = set()
    if histories:
        ids = [history.opening.request_id for history in histories]
        known = {row["request_id"] for row in await context.database.rows(known_among(ids))}

    steps = []
    for history in histories:
        stream = history.opening.request_id
        # The serial of a request that is known stands in its first event; a new one would be lost.
        serial = 0 if stream in known else await context.numbers["REQ"].next()
        command = RecordHistory(opening=history.opening, rows=history.rows, serial=serial)
        steps.append(Step(decider=REQUEST, stream_id=stream, command=command, new=stream not in known))
    outcomes = await asyncio.gather(
        *(context.commands.execute(actor, step) for step in steps), return_exceptions=True
    )
    appended = [outcome for outcome in outcomes if isinstance(outcome, Appended)]
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return appended


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone(
            f"there is no time zone {name!r}", remedy="use a name such as Europe/Lisbon", field="/zone"
        ) from None
