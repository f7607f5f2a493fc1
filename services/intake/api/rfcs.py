"""Changes over HTTP: draft one, list them, read one, its history, its possible steps."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field

from services.intake.api.reading import add_reads, columns, only_of
from services.intake.api.steps import utc
from services.intake.domain.change_lifecycle import allowed_transitions
from services.intake.domain.people import person_id
from services.intake.domain.rfc.commands import DraftRfc
from services.intake.domain.rfc.decider import RFC
from services.intake.domain.rfc.events import RfcText
from services.intake.domain.vocabulary import ChangeType, RfcState
from services.intake.projections import rfc_board, rfc_page
from shared.eventsourcing.command_handler import Actor
from shared.eventsourcing.log import IdempotencyKey, Step
from shared.http.answers import answer
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller, Key
from shared.http.paging import Page
from shared.http.validation import Body
from shared.runtime.ids import uuid7

Line = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=20_000)]


class Content(Body):
    """What an RFC says. The first four facts are needed before submission, the plans before approval."""

    business_impact: Text = Field(default="", description="what it means for the business")
    service: Line = Field(default="", description="the service to be changed, as the catalog names it")
    risk_of_not_accepting: Text = Field(default="", description="what happens if nothing is changed")
    reason: Text = Field(default="", description="why the change is asked for")
    needed_by: AwareDatetime | None = Field(default=None, description="when it must be there, RFC 3339")
    affected_components: tuple[Line, ...] = Field(default=(), max_length=500, description="what is touched")
    implementation_plan: Text = Field(default="", description="how it will be done")
    back_out_plan: Text = Field(default="", description="how it will be undone")
    test_plan: Text = Field(default="", description="how one knows that it works")
    window_starts_at: AwareDatetime | None = Field(default=None, description="earliest start of the work")
    window_ends_at: AwareDatetime | None = Field(default=None, description="latest end of the work")

    def said(self) -> dict[str, Any]:
        """Return the fields of the RFC's text that were sent, times in UTC."""
        sent = {name: getattr(self, name) for name in self.model_fields_set if name in RfcText.__slots__}
        return {name: utc(value) for name, value in sent.items()}


class NewRfc(Content):
    title: str = Field(min_length=1, max_length=200, description="one line")
    change_type: ChangeType = Field(default=ChangeType.NORMAL, description="how it is governed")
    requester_id: UUID | None = Field(default=None, description="who asks for it; the caller when left out")

    def command(
        self, rfc_id: UUID, serial: int, at: datetime, actor: str, request_id: UUID | None = None
    ) -> DraftRfc:
        """Return the command; without `requester_id` the caller asks for the change."""
        return DraftRfc(
            rfc_id=rfc_id,
            serial=serial,
            occurred_at=at,
            requester_id=self.requester_id or person_id(actor),
            request_id=request_id,
            change_type=self.change_type,
            text=RfcText(**self.said()),
        )


class BoardQuery(Body):
    """The board's filters, and the two words of every list."""

    state: RfcState | None = Field(default=None, description="where it stands")
    change_type: ChangeType | None = Field(default=None, description="how it is governed")
    service: Line | None = Field(default=None, description="as the catalog names it")
    request_id: UUID | None = Field(default=None, description="the request it came from")
    limit: int = Field(default=50, ge=1, le=100, description="rows per page")
    cursor: str | None = Field(default=None, description="`next_cursor` of the page before")

    def filters(self, of: UUID | None) -> rfc_board.Filters:
        """Return the filters, narrowed to the changes one person asked for where only those may be seen."""
        return rfc_board.Filters(**self.model_dump(exclude={"limit", "cursor"}), requester_id=of)


def router(context: ServiceContext) -> APIRouter:
    routes = APIRouter(prefix="/v1/rfcs", tags=["rfcs"])

    @routes.post("", status_code=201, summary="Draft a request for change", response_class=Response)
    async def post(body: NewRfc, actor: Caller, key: Key) -> Response:
        return await _draft(context, body, actor, key)

    @routes.get("", summary="List requests for change, newest first")
    async def list_(wanted: Annotated[BoardQuery, Query()], actor: Caller) -> Any:
        page = Page(limit=wanted.limit, cursor=wanted.cursor)
        filters = wanted.filters(only_of(actor))
        order = f"rfcs {filters}"
        after = page.after(order, datetime.fromisoformat, UUID)
        rows = await context.database.rows(rfc_board.newest(filters, after, page.limit + 1))
        return page.answer(
            rows, order, lambda row: (row["drafted_at"], row["rfc_id"]), lambda row: columns(row, "rfc_id")
        )

    add_reads(routes, context, RFC, "request for change", "rfc_id", rfc_page.page, allowed_transitions)
    return routes


async def _draft(context: ServiceContext, body: NewRfc, actor: Actor, key: IdempotencyKey | None) -> Response:
    rfc_id = uuid7()
    serial = await context.numbers["RFC"].next()
    command = body.command(rfc_id, serial, context.clock.now(), actor.name)
    step = Step(decider=RFC, stream_id=rfc_id, command=command, new=True)
    appended = await context.commands.execute(actor, step, idempotency=key, number=serial)
    return answer(appended, status=201, location="/v1/rfcs/{id}", number_prefix="RFC")
