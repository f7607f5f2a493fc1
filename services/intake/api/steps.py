"""A step of a record as a sub-resource: a table row becomes a route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from services.intake.api.reading import named, refuse_strangers
from shared.eventsourcing.command_handler import Actor
from shared.eventsourcing.decider import AnyDecider
from shared.eventsourcing.log import IdempotencyKey, Step
from shared.http.answers import answer
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller, Key, Match
from shared.http.validation import Body


class Nothing(Body):
    """No facts are needed; the body may be left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a command is made of besides the body: whose it is, when, on which record, under which key."""

    record_id: UUID
    at: datetime
    actor: Actor
    key: IdempotencyKey | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One step: the sub-resource's name, what it means, its body and the command it makes."""

    name: str
    summary: str
    body: type[Body]
    command: Callable[[Any, Asked], Any]
    status: int = 200


def utc(value: Any) -> Any:
    """Return an instant in UTC, anything else as it is."""
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def plain_way(name: str, summary: str, body: type[Body], command: type) -> Way:
    """Return the step whose command has the body's fields and a time."""

    def make(sent: Body | None, asked: Asked) -> Any:
        facts = {} if sent is None else {field: getattr(sent, field) for field in type(sent).model_fields}
        return command(occurred_at=asked.at, **{field: utc(value) for field, value in facts.items()})

    return Way(name=name, summary=summary, body=body, command=make)


def steps_router(
    context: ServiceContext, decider: AnyDecider, tag: str, key: str, ways: Iterable[Way]
) -> APIRouter:
    """Return `POST /v1/<tag>/{<key>}/<step>` for every way."""
    routes = APIRouter(prefix=f"/v1/{tag}/{{{key}}}", tags=[tag])
    for way in ways:
        routes.add_api_route(
            f"/{way.name}",
            named(_endpoint(context, decider, way), key),
            methods=["POST"],
            summary=way.summary,
            status_code=way.status,
            response_class=Response,
            name=f"{tag} {way.name}",
        )
    return routes


def _endpoint(context: ServiceContext, decider: AnyDecider, way: Way) -> Callable[..., Awaitable[Response]]:
    async def take(record_id: UUID, actor: Caller, key: Key, match: Match, body: Any) -> Response:
        command = way.command(body, Asked(record_id=record_id, at=context.clock.now(), actor=actor, key=key))
        context.commands.authorise(actor, type(command))
        await refuse_strangers(context, actor, decider, record_id)
        step = Step(decider=decider, stream_id=record_id, command=command, expected_version=match)
        appended = await context.commands.execute(actor, step, idempotency=key)
        return answer(appended, status=way.status)

    async def take_bare(
        record_id: UUID, actor: Caller, key: Key, match: Match, body: Nothing | None = None
    ) -> Response:
        return await take(record_id, actor, key, match, body)

    if way.body is Nothing:
        return take_bare
    take.__annotations__["body"] = way.body  # FastAPI reads it as if it were written above
    return take
