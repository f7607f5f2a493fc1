"""The one layer around every API: tokens, limits, deadlines, problems, headers."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from os import urandom

import structlog
from starlette._utils import get_route_path
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.eventsourcing.log import Appended
from shared.http.answers import Ready
from shared.http.auth import Authenticator
from shared.http.consistency import Consistency
from shared.http.corked import lines_of, write_answer
from shared.http.deadlines import Deadlines
from shared.http.exchange import CURRENT, SCOPE_KEY, Exchange
from shared.http.limits import Disconnected, check_address, check_json, read_limited, replayed
from shared.http.measures import Measures
from shared.http.problems import Problem, problem_of
from shared.http.rates import Rates
from shared.runtime.logging import converse

_LOG = structlog.get_logger(__name__)
_PUBLIC = ("/docs", "/problems/", "/openapi.json")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_CORRELATION = re.compile(rb"[A-Za-z0-9._:\-]{1,64}")
_TRACEPARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_FRAMES = 12
_FEED = "/v1/feed"
_FEED_SECONDS = 30.0
SECURITY_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
_SECURITY = lines_of(SECURITY_HEADERS)
_SECURED = frozenset(name for name, _ in SECURITY_HEADERS)


@dataclass(slots=True)
class Traffic:
    """What is being served right now. While `draining`, answers ask the client to connect elsewhere."""

    draining: bool = False
    in_flight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the gate enforces. `hot` are bare routes answered before any other routing, by method and path.

    `traced` lets FastAPI's own OpenTelemetry spans in, which cost every request a little.
    """

    service: str
    authenticator: Authenticator
    measures: Measures
    rates: Rates | None = None
    consistency: Consistency | None = None
    token_of: Callable[[Appended], str] | None = None
    body_limit: int = 262_144
    seconds: float = 10.0
    most_in_flight: int = 2_000
    traced: bool = False
    traffic: Traffic = field(default_factory=Traffic)
    hot: Mapping[tuple[str, str], Route] = field(default_factory=dict)

    root: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", f"/{self.service}" if self.service else "")


def hot_routes(routes: Iterable[Route]) -> Mapping[tuple[str, str], Route]:
    """Index bare routes for the gate. Raises ValueError for a path with parameters: those need a router."""
    table: dict[tuple[str, str], Route] = {}
    for route in routes:
        if "{" in route.path:
            raise ValueError(f"the hot route {route.path} has parameters")
        table |= {(method, route.path): route for method in route.methods or () if method != "HEAD"}
    return table


class Gate:
    """Pure ASGI; nothing behind it meets an anonymous caller, an oversized body or an unanswered error."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules
        self._deadlines = Deadlines()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        rules, headers = self._rules, dict(scope["headers"])
        scope["root_path"] = rules.root
        about = _exchange(get_route_path(scope), headers, rules)
        scope[SCOPE_KEY] = about
        CURRENT.set(about)
        converse(about.correlation_id)
        reply = _Reply(send, about.correlation_id, rules.traffic)
        rules.traffic.in_flight += 1
        deadline = self._deadlines.begin(_FEED_SECONDS if about.path == _FEED else rules.seconds)
        try:
            with deadline:
                await self._serve(scope, about, receive, reply)
        except Disconnected:
            reply.status = 499
        except Exception as error:  # noqa: BLE001  every error has an answer
            await self._refuse(Problem("timeout") if deadline.expired else error, scope, receive, reply)
        finally:
            rules.traffic.in_flight -= 1
            rules.measures.request(scope, reply.status, time.perf_counter() - started)

    async def _serve(self, scope: Scope, about: Exchange, receive: Receive, reply: _Reply) -> None:
        rules, path, headers = self._rules, about.path, about.headers
        if rules.traffic.in_flight > rules.most_in_flight:
            raise Problem("overloaded")
        check_address(scope)
        if not path.startswith(_PUBLIC):
            authorization = headers.get(b"authorization", b"")
            about.principal = rules.authenticator.remembered(
                authorization
            ) or await rules.authenticator.authenticate(authorization)
            if rules.rates is not None:
                rules.rates.count(about.principal.name)
        if scope["method"] in _WITH_BODY:
            about.body = await read_limited(receive, headers, rules.body_limit)
            check_json(about.body, headers)
            hot = rules.hot.get((scope["method"], path))
            if hot is not None:
                scope["route"] = hot
                response = await hot.endpoint(Request(scope, receive))
                if not reply.at_once(response):
                    await response(scope, receive, reply)
                return
            receive = replayed(about.body, receive)
        elif b"consistency-token" in headers and rules.consistency is not None:
            await rules.consistency.wait(
                headers[b"consistency-token"].decode("latin-1"), headers.get(b"prefer", b"").decode("latin-1")
            )
        await self._app(scope, receive, reply)

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, reply: _Reply) -> None:
        problem = problem_of(error)
        about: Exchange = scope[SCOPE_KEY]
        if problem.kind.status >= 500:
            _LOG.error(
                "request failed",
                code=problem.kind.code,
                method=scope["method"],
                path=scope["path"],
                trace_id=about.correlation_id,
                error=type(error).__name__,
                # Neither its text nor its local variables: both may quote what somebody wrote.
                frames=traceback.format_tb(error.__traceback__)[-_FRAMES:],
            )
        if reply.status:
            raise error  # the answer has begun: the server can only cut the connection
        answer = problem.answer(root=about.root, path=scope["path"], trace_id=about.correlation_id)
        await answer(scope, receive, reply)


class _Reply:
    """The `send` of one exchange: completes the headers, remembers the status."""

    __slots__ = ("_correlation_id", "_send", "_traffic", "status")

    def __init__(self, send: Send, correlation_id: str, traffic: Traffic) -> None:
        self._send = send
        self._correlation_id = correlation_id
        self._traffic = traffic
        self.status = 0

    def at_once(self, response: Response) -> bool:
        """Send an answer that is ready with one write, where the server can."""
        if not isinstance(response, Ready) or self._traffic.draining:
            return False
        own = [*response.raw_headers, (b"x-correlation-id", self._correlation_id.encode())]
        head = lines_of(own) + _SECURITY
        if not write_answer(self._send, response.status_code, head, bytes(response.body)):
            return False
        self.status = response.status_code
        return True

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            present = dict(message["headers"])
            headers = [*message["headers"], (b"x-correlation-id", self._correlation_id.encode())]
            headers += SECURITY_HEADERS if present.keys().isdisjoint(_SECURED) else _missing_of(present)
            if self._traffic.draining and b"connection" not in present:
                headers.append((b"connection", b"close"))
            message["headers"] = headers
        await self._send(message)


def _missing_of(present: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [pair for pair in SECURITY_HEADERS if pair[0] not in present]


def _exchange(path: str, headers: Mapping[bytes, bytes], rules: Rules) -> Exchange:
    traceparent = headers.get(b"traceparent", b"")
    traced = bool(traceparent) and _TRACEPARENT.fullmatch(traceparent) is not None
    correlation = headers.get(b"x-correlation-id", traceparent[3:35] if traced else b"")
    given = correlation and _CORRELATION.fullmatch(correlation)
    return Exchange(
        correlation_id=correlation.decode() if given else urandom(16).hex(),
        path=path,
        headers=headers,
        traceparent=traceparent.decode() if traced else "",
        root=rules.root,
        token_of=rules.token_of,
    )
