"""A whole service in one process: it starts, answers, is heard and ends in order."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.eventsourcing.log import Step
from shared.http.answers import answer
from shared.http.context import ServiceContext, ServiceDefinition
from shared.http.dependencies import Caller, Key, Match, caller, read_body
from shared.http.idempotency import idempotency_key
from shared.http.issuer import Issuer
from shared.http.management import create_management
from shared.http.migrations import NotMigrated
from shared.http.serve import Host, PortTaken, Prefixes
from shared.http.service import NoKeys, Service
from shared.http.validation import Body
from shared.http.workers import NoAddress
from shared.messaging.message import Subscription
from shared.runtime.ids import uuid7
from shared.runtime.provisioning import ServiceDatabases
from shared.runtime.settings import ServiceSettings
from tests.shared.http.conftest import NOON
from tests.support.clock import FixedClock
from tests.support.parcels import (
    ANNA,
    DECIDER,
    DeliverParcel,
    SendParcel,
    WeighParcel,
    definition,
    migrate,
)


class NewParcel(Body):
    label: str


def router(context: ServiceContext) -> APIRouter:
    parcels = APIRouter(prefix="/v1/parcels")

    @parcels.post("/{parcel_id}/delivery")
    async def deliver(parcel_id: UUID, actor: Caller, key: Key, version: Match) -> Response:
        step = Step(decider=DECIDER, stream_id=parcel_id, command=DeliverParcel(), expected_version=version)
        return answer(await context.commands.execute(actor, step, idempotency=key))

    return parcels


def hot(context: ServiceContext) -> list[Route]:
    async def send(request: Request) -> Response:
        body = read_body(request, NewParcel)
        step = Step(
            decider=DECIDER,
            stream_id=uuid7(),
            command=SendParcel(sender_id=ANNA, label=body.label),
            new=True,
        )
        appended = await context.commands.execute(caller(request), step, idempotency=idempotency_key(request))
        return answer(appended, status=201, location="/v1/parcels/{id}")

    return [Route("/v1/parcels", send, methods=["POST"])]


PARCELS = ServiceDefinition(
    name="parcels",
    log=definition(),
    permissions={
        SendParcel: frozenset({"requester"}),
        DeliverParcel: frozenset({"requester"}),
        WeighParcel: frozenset(),
    },
    routers=lambda context: [router(context)],
    hot_routes=hot,
)


@pytest.fixture(scope="module")
async def databases(fresh_databases) -> ServiceDatabases:
    return await fresh_databases("parcels", migrate)


def settings_of(databases: ServiceDatabases, issuer: Issuer, **more: object) -> ServiceSettings:
    values = {
        "database_url": databases.url,
        "keys_database_url": databases.keys_url,
        "jwks": issuer.jwks(),
        "host": "127.0.0.1",
        "port": 0,
        "management_port": 0,
        "database_wait_seconds": 0.2,
    }
    return ServiceSettings(**{**values, **more})


@pytest.fixture
async def service(databases: ServiceDatabases, issuer: Issuer) -> AsyncIterator[Service]:
    service = Service(PARCELS, settings_of(databases, issuer), clock=FixedClock(NOON))
    await service.start()
    yield service
    await service.stop()


def client_of(service: Service, issuer: Issuer, *roles: str) -> httpx.AsyncClient:
    assert service.app is not None
    token = issuer.mint("anna", roles or ("requester",), timedelta(hours=1))
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=Prefixes({service.name: service.app})),
        base_url=f"http://here.test/{service.name}",
        headers={"Authorization": f"Bearer {token}"},
    )


async def test_one_caller_may_ask_as_often_as_the_settings_say(
    databases: ServiceDatabases, issuer: Issuer
) -> None:
    settings = settings_of(databases, issuer, requests_per_second=0.001)
    service = Service(PARCELS, settings, clock=FixedClock(NOON))
    await service.start()
    async with client_of(service, issuer) as anna:
        sent = [await anna.post("/v1/parcels", json={"label": "a book"}) for _ in range(2)]
        other = {"Authorization": f"Bearer {issuer.mint('bert', ['requester'], timedelta(hours=1))}"}
        sent.append(await anna.post("/v1/parcels", json={"label": "a book"}, headers=other))
    await service.stop()
    assert [answer.status_code for answer in sent] == [201, 429, 201]
    assert int(sent[1].headers["retry-after"]) in range(990, 1001)


async def test_a_parcel_goes_from_the_request_to_the_feed(service: Service, issuer: Issuer) -> None:
    async with client_of(service, issuer) as anna, client_of(service, issuer, "event_consumer") as follower:
        sent = await anna.post("/v1/parcels", json={"label": "books"}, headers={"Idempotency-Key": "k-1"})
        assert sent.status_code == 201, sent.text
        again = await anna.post("/v1/parcels", json={"label": "books"}, headers={"Idempotency-Key": "k-1"})
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json() == sent.json()
        assert again.headers["location"] == sent.headers["location"]
        other = await anna.post("/v1/parcels", json={"label": "shoes"}, headers={"Idempotency-Key": "k-1"})
        assert (other.status_code, other.json()["code"]) == (422, "key-reused")

        own, place = sent.headers["consistency-token"].split(",")
        assert own == f"parcels@{sent.json()['position']}"
        assert place.startswith("plumbline.parcels.parcels.v1/")

        page = (await follower.get("/v1/feed", params={"after": 0})).json()
        item = page["items"][-1]
        assert (item["position"], item["data"]["parcel_id"]) == (page["position"], sent.json()["id"])
        assert f"{item['topic']}/{item['partition']}@{item['position']}" == place
        head = (await follower.get("/v1/feed/head")).json()
        assert (head["position"], head["hash"]) == (page["position"], page["hash"])


async def test_versions_and_rules_are_told_as_problems(service: Service, issuer: Issuer) -> None:
    async with client_of(service, issuer) as anna, client_of(service, issuer, "auditor") as auditor:
        parcel = (await anna.post("/v1/parcels", json={"label": "books"})).json()["id"]
        address = f"/v1/parcels/{parcel}/delivery"
        stale = await anna.post(address, headers={"If-Match": '"7"'})
        assert (stale.status_code, stale.json()["code"]) == (412, "stale-version")
        refused = await auditor.post(address)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert (await anna.post(address, headers={"If-Match": '"1"'})).headers["etag"] == '"2"'
        late = await anna.post(address)
        assert (late.status_code, late.json()["code"]) == (409, "already-delivered")


async def test_a_read_shows_what_was_just_written(service: Service, issuer: Issuer) -> None:
    async with client_of(service, issuer, "requester", "operator") as anna:
        token = (await anna.post("/v1/parcels", json={"label": "books"})).headers["consistency-token"]
        answers = await anna.get("/v1/feed/head", headers={"Consistency-Token": token})
        assert answers.status_code == 200
        ahead = {"Consistency-Token": "parcels@999999", "Prefer": "wait=0"}
        assert (await anna.get("/v1/feed/head", headers=ahead)).json()["code"] == "projection-lag"


async def test_the_feed_is_for_followers_who_know_where_they_are(service: Service, issuer: Issuer) -> None:
    async with client_of(service, issuer) as anna, client_of(service, issuer, "operator") as operator:
        assert (await anna.get("/v1/feed", params={"after": 0})).json()["code"] == "forbidden"
        beyond = await operator.get("/v1/feed", params={"after": 999_999})
        assert (beyond.status_code, beyond.json()["code"]) == (409, "store-fork")
        await anna.post("/v1/parcels", json={"label": "books"})
        wrong = await operator.get("/v1/feed", params={"after": 1, "hash": "0" * 64})
        assert wrong.json()["code"] == "store-fork"
        half = await operator.get("/v1/feed", params={"after": 0, "topic": "x"})
        assert half.json()["code"] == "malformed"


async def test_a_waiting_follower_is_sent_away_when_the_process_ends(
    service: Service, issuer: Issuer
) -> None:
    async with client_of(service, issuer, "operator") as operator:
        head = (await operator.get("/v1/feed/head")).json()["position"]
        waiting = asyncio.create_task(operator.get("/v1/feed", params={"after": head, "wait": 20}))
        await asyncio.sleep(0)
        service.traffic.draining = True
        async with asyncio.timeout(5):
            assert (await waiting).json()["items"] == []


async def test_readiness_says_what_is_missing(databases: ServiceDatabases, issuer: Issuer) -> None:
    service = Service(PARCELS, settings_of(databases, issuer))
    management = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=create_management(service.checks, service.metrics)),
        base_url="http://here.test",
    )
    async with management:
        assert (await management.get("/livez")).text == "ok\n"
        assert (await management.get("/healthz")).status_code == 200
        early = await management.get("/readyz?verbose")
        assert early.status_code == 503
        assert {line["reason"] for line in early.json()["checks"]} == {
            "waiting for its turn to start",
            "not connected yet",
            "not started yet",
        }
        await service.start()
        assert (await management.get("/readyz")).text == "ok\n"
        lines = (await management.get("/readyz?verbose")).json()["checks"]
        assert [line["check"] for line in lines if not line["needed"]] == ["parcels: relay"]
        service.traffic.draining = True
        assert (await management.get("/readyz")).text == "not ready\n"
        page = await management.get("/metrics")
        assert 'service="parcels"' in page.text
        assert page.headers["content-type"].startswith("text/plain")
        await service.stop()
        assert (await management.get("/readyz")).status_code == 503
        assert (await management.get("/livez")).status_code == 200, "a dead database is no reason to restart"


async def test_a_service_waits_for_its_migrations_and_says_so(
    databases: ServiceDatabases, issuer: Issuer, tmp_path: Path
) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "0001_parcel_list.py").touch()
    migrated = ServiceDefinition(
        name="parcels", log=PARCELS.log, permissions={}, routers=lambda _: [], migrations=tmp_path
    )
    with pytest.raises(NotMigrated, match=r"python -m services\.parcels migrate"):
        await Service(migrated, settings_of(databases, issuer)).start()


def test_an_api_without_public_keys_does_not_start(databases: ServiceDatabases, issuer: Issuer) -> None:
    with pytest.raises(NoKeys, match="PLUMBLINE_JWKS"):
        Service(PARCELS, settings_of(databases, issuer, jwks=None))


async def test_a_port_that_is_taken_is_named(databases: ServiceDatabases, issuer: Issuer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = settings_of(databases, issuer, management_port=port)
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port}"):
            await Host([Service(PARCELS, settings)], settings, drain_seconds=0).run()


async def test_a_worker_is_told_which_address_it_lacks(databases: ServiceDatabases, issuer: Issuer) -> None:
    hears = Subscription(source="intake", topics=("plumbline.intake.requests.v1",), handle=lambda _: ())
    deaf = replace(PARCELS, subscriptions=(hears,))
    with pytest.raises(NoAddress, match="PLUMBLINE_SOURCES__INTAKE"):
        await Service(deaf, settings_of(databases, issuer)).start()
    silent = Service(deaf, settings_of(databases, issuer), roles=frozenset({"api"}))
    await silent.start()
    await silent.stop()


async def test_a_process_serves_its_ports_until_it_is_ended(
    databases: ServiceDatabases, issuer: Issuer
) -> None:
    settings = settings_of(databases, issuer)
    service = Service(PARCELS, settings, clock=FixedClock(NOON))
    host, started = Host([service], settings, drain_seconds=0), asyncio.Event()
    running = asyncio.create_task(host.run(started.set))
    async with asyncio.timeout(20):
        await started.wait()
        async with httpx.AsyncClient() as client:
            api, management = f"http://127.0.0.1:{host.port}", f"http://127.0.0.1:{host.management_port}"
            assert (await client.get(f"{management}/readyz")).status_code == 200
            token = issuer.mint("anna", ["requester"], timedelta(hours=1))
            sent = await client.post(
                f"{api}/parcels/v1/parcels",
                content=json.dumps({"label": "books"}),
                headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            )
            assert sent.status_code == 201
            assert "server" not in sent.headers
            lost = await client.get(f"{api}/billing/v1/invoices")
            assert (lost.status_code, lost.json()["code"]) == (404, "not-found")
        host.end()
        await running
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{api}/parcels/docs")
