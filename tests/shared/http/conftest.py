"""A small API behind the real gate, and people with real tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.eventsourcing.log import Appended
from shared.http.answers import answer
from shared.http.app import Api, create_app
from shared.http.auth import TokenAuthenticator
from shared.http.consistency import Consistency, Tokens
from shared.http.dependencies import AsOf, Caller, Key, Match, caller, read_body
from shared.http.exchange import exchange
from shared.http.gate import Rules, Traffic, hot_routes
from shared.http.idempotency import idempotency_key
from shared.http.issuer import Issuer
from shared.http.keyring import KeyRing
from shared.http.measures import Measures
from shared.http.paging import PageQuery
from shared.http.validation import Body
from shared.runtime.metrics import Metrics
from tests.support.clock import FixedClock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
A_REQUEST = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


class NewRequest(Body):
    title: str
    units: int = 1
    sent_at: datetime | None = None
    tags: dict[str, Any] = Field(default_factory=dict)


@dataclass
class House:
    """The API under test with everything a test wants to turn."""

    api: Api
    client: httpx.AsyncClient
    issuer: Issuer
    clock: FixedClock
    metrics: Metrics
    traffic: Traffic
    raising: list[Exception]
    shown: dict[str, int]

    def token(self, *roles: str, name: str = "anna", ttl: timedelta = timedelta(hours=1)) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.issuer.mint(name, roles or ('requester',), ttl)}"}


def appended(*, replayed: bool = False) -> Appended:
    return Appended(
        stream_id=A_REQUEST, version=1, position=57, recorded_at=NOON, number=123, replayed=replayed
    )


def router_of(raising: list[Exception]) -> APIRouter:
    router = APIRouter(prefix="/v1/requests", tags=["requests"])

    @router.post("", status_code=201)
    async def submit(body: NewRequest, actor: Caller, key: Key) -> Response:
        return answer(
            appended(),
            status=201,
            location="/v1/requests/{id}",
            number_prefix="REQ",
            more={"seen": [body.title, actor.name, key.scope if key else ""]},
        )

    @router.post("/cold", status_code=201)
    async def submit_cold(body: NewRequest) -> Response:
        return answer(appended(replayed=True), status=201, more={"seen": [body.title]})

    @router.get("/{request_id}")
    async def read(request_id: UUID, as_of: AsOf) -> dict[str, Any]:
        return {"id": str(request_id), "as_of": as_of}

    @router.get("")
    async def list_(page: PageQuery) -> Any:
        after = page.after("newest", int)
        rows = [n for n in range(1, 6) if after is None or n > after[0]][: page.limit + 1]
        return page.answer(rows, "newest", lambda n: (n,), lambda n: {"number": n})

    @router.post("/{request_id}/triage")
    async def triage(request_id: UUID, version: Match) -> dict[str, Any]:
        return {"version": version}

    @router.get("/{request_id}/trouble")
    async def trouble(request_id: UUID) -> None:
        raise raising[0]

    return router


async def hot_submit(request: Request) -> Response:
    body = read_body(request, NewRequest)
    actor, key = caller(request), idempotency_key(request)
    return answer(
        appended(),
        status=201,
        location="/v1/requests/{id}",
        number_prefix="REQ",
        more={"seen": [body.title, actor.name, key.scope if key else ""]},
    )


async def hot_nothing(request: Request) -> Response:
    return JSONResponse({"bytes": len(exchange(request).body)})


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer.open(tmp_path / "issuer.json", clock=FixedClock(NOON))


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = FixedClock(NOON)
    issuer = Issuer.open(tmp_path / "key.json", clock=clock)
    metrics, traffic, raising, shown = Metrics("intake"), Traffic(), [RuntimeError()], {"intake": 0}
    authenticator = TokenAuthenticator(
        KeyRing(issuer.jwks()),
        issuer="plumbline",
        audience="plumbline",
        now=lambda: clock.now().timestamp(),
    )

    async def shows(position: int) -> bool:
        return shown["intake"] >= position

    rules = Rules(
        service="intake",
        authenticator=authenticator,
        measures=Measures(metrics),
        consistency=Consistency("intake", shows),
        token_of=Tokens("intake", {}, {}).of,
        body_limit=4096,
        seconds=5,
        traffic=traffic,
        hot=hot_routes(
            [
                Route("/v1/requests", hot_submit, methods=["POST"]),
                Route("/v1/nothing", hot_nothing, methods=["POST"]),
            ]
        ),
    )
    api = create_app(rules, [router_of(raising)])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=api), base_url="http://intake.test/intake"
    ) as client:
        client.headers.update(
            {"Authorization": f"Bearer {issuer.mint('anna', ['requester'], timedelta(hours=1))}"}
        )
        yield House(api, client, issuer, clock, metrics, traffic, raising, shown)
