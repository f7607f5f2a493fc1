"""What is known about the request being served: who, in which conversation, which body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from shared.eventsourcing.log import Appended

SCOPE_KEY = "plumbline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whom a verified token speaks for; `expires` is the token's `exp`, seconds since 1970."""

    name: str
    roles: frozenset[str]
    expires: float


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One request on its way through the gate; it stands in the ASGI scope under `plumbline`.

    `root` is the prefix that the service answers under (`/intake`), empty at the top; `path` is what
    follows it. Header names are in lower case.
    """

    correlation_id: str
    path: str
    headers: Mapping[bytes, bytes]
    traceparent: str = ""
    root: str = ""
    token_of: Callable[[Appended], str] | None = None
    principal: Principal | None = None
    body: bytes = b""


CURRENT: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


def exchange(request: HTTPConnection) -> Exchange:
    """Return the exchange that the gate began for this request."""
    return request.scope[SCOPE_KEY]  # type: ignore[no-any-return]
