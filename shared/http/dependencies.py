"""What routes ask for: the caller, the idempotency key, the version, the moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Query
from pydantic import AwareDatetime, BaseModel, ValidationError
from starlette.requests import Request

from shared.eventsourcing.command_handler import ADMINISTRATOR, Actor
from shared.eventsourcing.log import IdempotencyKey
from shared.http.conditional import matched_version
from shared.http.exchange import exchange
from shared.http.idempotency import idempotency_key
from shared.http.problems import Problem, invalid
from shared.http.validation import faults

BodyT = TypeVar("BodyT", bound=BaseModel)


def caller(request: Request) -> Actor:
    """Return who asks, as the command handler wants to know it; works in bare routes and as a dependency."""
    about = exchange(request)
    if about.principal is None:
        raise Problem("unauthenticated")
    return Actor(
        name=about.principal.name,
        roles=about.principal.roles,
        correlation_id=about.correlation_id,
        traceparent=about.traceparent,
    )


def read_body(request: Request, model: type[BodyT]) -> BodyT:
    """Read the body in a bare route, with the answers that FastAPI's twin gives to wrong input."""
    try:
        return model.model_validate_json(exchange(request).body)
    except ValidationError as error:
        raise invalid(faults(error.errors(include_url=False, include_input=False))) from None


def allow(*roles: str) -> Callable[[Request], None]:
    """Make a dependency that lets only these roles (and the administrator) read a route."""
    wanted = frozenset(roles) | {ADMINISTRATOR}

    def check(request: Request) -> None:
        if wanted.isdisjoint(caller(request).roles):
            raise Problem("forbidden", f"This needs one of the roles {', '.join(sorted(roles))}.")

    return check


def _key(
    request: Request,
    idempotency_key_: Annotated[
        str | None,
        Header(alias="Idempotency-Key", description="repeating a request with the same key changes nothing"),
    ] = None,
) -> IdempotencyKey | None:
    del idempotency_key_  # declared for the documentation; the plain function serves bare routes too
    return idempotency_key(request)


def _match(
    request: Request,
    if_match: Annotated[
        str | None, Header(alias="If-Match", description="the ETag read before: 412 when it has changed")
    ] = None,
) -> int | None:
    del if_match  # declared for the documentation
    return matched_version(request)


def _as_of(
    as_of: Annotated[
        AwareDatetime | None,
        Query(description="show what was recorded at this moment (RFC 3339, with offset)"),
    ] = None,
) -> datetime | None:
    return None if as_of is None else as_of.astimezone(UTC)


Caller = Annotated[Actor, Depends(caller)]
Key = Annotated[IdempotencyKey | None, Depends(_key)]
Match = Annotated[int | None, Depends(_match)]
AsOf = Annotated[datetime | None, Depends(_as_of)]
