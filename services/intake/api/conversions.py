"""A request that goes on as a change or a concept, and a change whose end ends it."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field, model_validator

from services.intake.api.rfcs import Content, NewRfc
from services.intake.domain.request import commands as ask
from services.intake.domain.request.decider import REQUEST
from services.intake.domain.rfc import commands as ask_rfc
from services.intake.domain.rfc.decider import RFC
from services.intake.domain.vocabulary import ChangeOutcome, ChangeType, CloseReason, ConversionTarget
from shared.eventsourcing.command_handler import Actor
from shared.eventsourcing.log import IdempotencyKey, Step
from shared.http.answers import answer
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller, Key, Match
from shared.http.validation import Body
from shared.runtime.ids import uuid7

Words = Annotated[str, Field(min_length=1, max_length=2_000)]


class Conversion(Content):
    """What the request becomes. An RFC is drafted at once; a concept is named by its id in demand.

    The RFC's title is said anew: a request's own title is the requester's personal data, an RFC's is not.
    """

    to: ConversionTarget = Field(description="rfc or concept")
    target_id: UUID | None = Field(default=None, description="the concept's id; only for a concept")
    title: str | None = Field(default=None, min_length=1, max_length=200, description="of the RFC, one line")
    change_type: ChangeType = Field(default=ChangeType.NORMAL, description="of the RFC")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.to is ConversionTarget.CONCEPT and self.target_id is None:
            raise ValueError("a conversion to a concept names its target_id")
        if self.to is ConversionTarget.RFC and (self.title is None or self.target_id is not None):
            raise ValueError("a conversion to an RFC gives it a title and no target_id")
        return self

    def rfc(self) -> NewRfc:
        """Return the RFC to draft."""
        said = {name: getattr(self, name) for name in self.model_fields_set - {"to", "target_id"}}
        return NewRfc(**said)


class Review(Body):
    outcome: ChangeOutcome = Field(description="how it went, judged in review")
    review: str = Field(default="", max_length=20_000, description="what was learnt")


class Cancellation(Body):
    reason: Words = Field(description="why")


def router(context: ServiceContext) -> APIRouter:
    routes = APIRouter(prefix="/v1")

    @routes.post(
        "/requests/{request_id}/conversion",
        status_code=201,
        tags=["requests"],
        summary="Let it go on as an RFC, which is drafted, or as a concept",
        response_class=Response,
    )
    async def convert(request_id: UUID, body: Conversion, actor: Caller, key: Key, match: Match) -> Response:
        if body.to is ConversionTarget.RFC:
            return await _to_rfc(context, request_id, body, actor, key, match)
        command = ask.ConvertRequest(
            occurred_at=context.clock.now(), to=body.to, target_id=body.target_id or request_id
        )
        step = Step(decider=REQUEST, stream_id=request_id, command=command, expected_version=match)
        return answer(await context.commands.execute(actor, step, idempotency=key), status=201)

    @routes.post("/rfcs/{rfc_id}/closure", tags=["rfcs"], summary="End it", response_class=Response)
    async def close(rfc_id: UUID, body: Review, actor: Caller, key: Key, match: Match) -> Response:
        command = ask_rfc.CloseRfc(occurred_at=context.clock.now(), outcome=body.outcome, review=body.review)
        return await _end(context, rfc_id, command, actor, key, match)

    @routes.post(
        "/rfcs/{rfc_id}/cancellation",
        tags=["rfcs"],
        summary="Call it off before it begins",
        response_class=Response,
    )
    async def cancel(rfc_id: UUID, body: Cancellation, actor: Caller, key: Key, match: Match) -> Response:
        command = ask_rfc.CancelRfc(occurred_at=context.clock.now(), reason=body.reason)
        return await _end(context, rfc_id, command, actor, key, match)

    return routes


async def _to_rfc(
    context: ServiceContext,
    request_id: UUID,
    body: Conversion,
    actor: Actor,
    key: IdempotencyKey | None,
    match: int | None,
) -> Response:
    """Draft the RFC and convert the request in one unit: both happen or neither. Answers with the RFC."""
    rfc_id, now = uuid7(), context.clock.now()
    serial = await context.numbers["RFC"].next()
    draft = body.rfc().command(rfc_id, serial, now, actor.name, request_id)
    convert = ask.ConvertRequest(occurred_at=now, to=ConversionTarget.RFC, target_id=rfc_id)
    appended = await context.commands.execute(
        actor,
        Step(decider=RFC, stream_id=rfc_id, command=draft, new=True),
        Step(decider=REQUEST, stream_id=request_id, command=convert, expected_version=match),
        idempotency=key,
        number=serial,
    )
    return answer(appended, status=201, location="/v1/rfcs/{id}", number_prefix="RFC")


async def _end(
    context: ServiceContext,
    rfc_id: UUID,
    command: ask_rfc.CloseRfc | ask_rfc.CancelRfc,
    actor: Actor,
    key: IdempotencyKey | None,
    match: int | None,
) -> Response:
    """End an RFC and, in the same unit, the request that it came from."""
    async with context.database.connection() as conn:
        state, _ = await context.store.load(conn, RFC, rfc_id)
    steps = [Step(decider=RFC, stream_id=rfc_id, command=command, expected_version=match)]
    if state.request_id is not None:
        close = ask.CloseRequest(occurred_at=command.occurred_at, reason=CloseReason.CONVERTED)
        steps.append(Step(decider=REQUEST, stream_id=state.request_id, command=close))
    return answer(await context.commands.execute(actor, *steps, idempotency=key))
