"""Two services in one process: one says, the other hears, and a token spans both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from shared.eventsourcing.log import Unit
from shared.http.context import ServiceContext, ServiceDefinition
from shared.http.dependencies import Caller
from shared.http.issuer import Issuer
from shared.http.service import Service
from shared.messaging.message import Heard, Subscription
from shared.runtime.provisioning import ServiceDatabases
from tests.shared.http.conftest import NOON
from tests.shared.http.test_service import PARCELS, client_of, settings_of
from tests.support.clock import FixedClock
from tests.support.parcels import TOPIC, migrate


@pytest.fixture(scope="module")
async def databases(fresh_databases) -> Sequence[ServiceDatabases]:
    return [await fresh_databases("parcels", migrate) for _ in range(2)]


def follower(heard: list[Any]) -> ServiceDefinition:
    def record(message: Heard) -> Sequence[Unit]:
        heard.append(message)
        return ()

    def router(_: ServiceContext) -> Sequence[APIRouter]:
        routes = APIRouter(prefix="/v1")

        @routes.get("/heard")
        async def count(actor: Caller) -> dict[str, Any]:
            return {"asked_by": actor.name}

        return [routes]

    return ServiceDefinition(
        name="follower",
        log=PARCELS.log,
        permissions={},
        routers=router,
        subscriptions=(Subscription(source="parcels", topics=(TOPIC,), handle=record),),
    )


@asynccontextmanager
async def a_pair(
    databases: Sequence[ServiceDatabases], issuer: Issuer, **more: object
) -> AsyncIterator[tuple[Service, httpx.AsyncClient, httpx.AsyncClient]]:
    """Run both; yield the one that hears, a client of the one that says, and one of the one that hears."""
    says = Service(PARCELS, settings_of(databases[0], issuer), clock=FixedClock(NOON))
    await says.start()
    assert says.app is not None
    transport = httpx.ASGITransport(app=says.app)
    settings = settings_of(databases[1], issuer, sources={"parcels": "http://parcels.test/parcels"}, **more)
    hears = Service(follower([]), settings, clock=FixedClock(NOON), transport=lambda _: transport)
    await hears.start()
    try:
        async with client_of(says, issuer) as anna, client_of(hears, issuer) as reader:
            yield hears, anna, reader
    finally:
        await hears.stop()
        await says.stop()


async def test_what_one_says_the_other_has_heard_once_its_token_is_shown(
    databases: Sequence[ServiceDatabases], issuer: Issuer
) -> None:
    token = issuer.mint("follower", ["event_consumer"], timedelta(hours=1))
    async with a_pair(databases, issuer, service_token=token) as (hears, anna, reader):
        sent = await anna.post("/v1/parcels", json={"label": "books"})
        headers = {"Consistency-Token": sent.headers["consistency-token"], "Prefer": "wait=5"}
        shown = await reader.get("/v1/heard", headers=headers)
        assert (shown.status_code, shown.text) == (200, '{"asked_by":"anna"}')
        beyond = {"Consistency-Token": f"{TOPIC}/0@999999", "Prefer": "wait=0"}
        late = await reader.get("/v1/heard", headers=beyond)
        assert late.json()["code"] == "projection-lag"
        page = hears.metrics.page().decode()
        assert "plumbline_consumer_messages_total{" in page


async def test_a_token_that_has_expired_is_renewed_in_its_file_without_a_restart(
    databases: Sequence[ServiceDatabases], issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted = tmp_path / "service-token"
    mounted.write_text(issuer.mint("follower", ["event_consumer"], timedelta(hours=-1)))
    monkeypatch.setenv("PLUMBLINE_SERVICE_TOKEN_FILE", str(mounted))
    async with a_pair(databases, issuer) as (_, anna, reader):
        sent = await anna.post("/v1/parcels", json={"label": "books"})
        headers = {"Consistency-Token": sent.headers["consistency-token"], "Prefer": "wait=1"}
        deaf = await reader.get("/v1/heard", headers=headers)
        assert deaf.json()["code"] == "projection-lag"
        mounted.write_text(issuer.mint("follower", ["event_consumer"], timedelta(hours=1)))
        async with asyncio.timeout(60):  # it tries again after pauses that have grown meanwhile
            while (heard := await reader.get("/v1/heard", headers=headers)).status_code != 200:
                assert heard.json()["code"] == "projection-lag"
