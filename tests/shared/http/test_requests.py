"""What a well-behaved client meets: keys, versions, pages, tokens of consistency, headers."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from fastapi import Depends
from starlette.requests import Request
from starlette.routing import Route

from shared.eventsourcing.log import IdempotencyKey
from shared.http.conditional import etag, unchanged
from shared.http.consistency import Consistency
from shared.http.dependencies import allow
from shared.http.exchange import SCOPE_KEY, Exchange, Principal
from shared.http.gate import hot_routes
from shared.http.idempotency import idempotency_key
from shared.http.paging import Page, cursor
from shared.http.problems import Problem
from tests.shared.http.conftest import A_REQUEST, House

READ = f"/v1/requests/{A_REQUEST}"


async def test_the_hot_route_and_its_twin_answer_alike(house: House) -> None:
    hot = await house.client.post("/v1/requests", json={"title": "Printer"})
    house.api.rules.hot.clear()  # type: ignore[attr-defined]
    cold = await house.client.post("/v1/requests", json={"title": "Printer"})
    assert (hot.status_code, hot.json()) == (cold.status_code, cold.json()) == (201, hot.json())
    assert set(hot.headers) == set(cold.headers)


async def test_a_command_answers_what_it_recorded_and_where(house: House) -> None:
    answer = await house.client.post("/v1/requests", json={"title": "Printer"})
    assert answer.json() == {
        "id": str(A_REQUEST),
        "number": "REQ-2026-000123",
        "version": 1,
        "position": 57,
        "seen": ["Printer", "anna", ""],
    }
    assert answer.headers["location"] == f"/intake/v1/requests/{A_REQUEST}"
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["consistency-token"] == "intake@57"
    assert "idempotency-replayed" not in answer.headers


async def test_a_replayed_answer_says_so(house: House) -> None:
    answer = await house.client.post("/v1/requests/cold", json={"title": "Printer"})
    assert answer.headers["idempotency-replayed"] == "true"


async def test_every_answer_carries_these_headers(house: House) -> None:
    answers = [
        await house.client.get(READ),
        await house.client.get("/v1/nowhere"),
        await house.client.get("/problems/invalid"),
        await house.client.post("/v1/requests", json={"title": "x"}),
        await house.client.get(READ, headers={"Authorization": ""}),
    ]
    for answer in answers:
        told = {name: answer.headers[name] for name in answer.headers if name != "content-security-policy"}
        assert (
            told.items()
            >= {
                "cache-control": "no-store",
                "cross-origin-resource-policy": "same-origin",
                "referrer-policy": "no-referrer",
                "x-content-type-options": "nosniff",
                "x-correlation-id": answer.headers["x-correlation-id"],
            }.items()
        )
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert not {"server", "connection", "x-powered-by"} & set(answer.headers)


async def test_the_headers_of_a_read(house: House) -> None:
    answer = await house.client.get(READ, headers={"X-Correlation-ID": "c-1"})
    assert dict(answer.headers) == {
        "content-length": "58",
        "content-type": "application/json",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-correlation-id": "c-1",
    }


async def test_a_conversation_keeps_its_id(house: House) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    parent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    assert (await house.client.get(READ, headers=parent)).headers["x-correlation-id"] == trace
    for unfit in ("a b", "x" * 65, "", "a\tb"):
        made = (await house.client.get(READ, headers={"X-Correlation-ID": unfit})).headers["x-correlation-id"]
        assert UUID(made)


async def test_a_draining_process_sends_its_clients_elsewhere(house: House) -> None:
    house.traffic.draining = True
    assert (await house.client.get(READ)).headers["connection"] == "close"
    assert house.traffic.in_flight == 0


async def test_every_route_refuses_a_stranger(house: House) -> None:
    del house.client.headers["Authorization"]
    asked = 0
    paths = house.api.openapi()["paths"]
    for path, operations in paths.items():
        for method in operations:
            address = path.replace("{request_id}", str(A_REQUEST))
            answer = await house.client.request(method, address, json={})
            assert answer.status_code == 401, (method, path)
            asked += 1
    assert asked == len([route for route in paths.values() for _ in route]) > 5
    for method, address in house.api.rules.hot:
        assert (await house.client.request(method, address)).status_code == 401
    assert (await house.client.get("/v1/nowhere")).status_code == 401, "strangers learn no addresses"
    assert (await house.client.get("/metrics")).status_code == 401


@pytest.mark.parametrize("given", ["k-1", '"k-1"'])
async def test_a_key_belongs_to_its_sender_method_and_path(house: House, given: str) -> None:
    for base in ("http://intake.test/intake", "http://intake.test"):
        answer = await house.client.post(
            f"{base}/v1/requests", json={"title": "x"}, headers={"Idempotency-Key": given}
        )
        assert answer.json()["seen"][2] == "anna POST /v1/requests"


def test_a_key_remembers_the_body() -> None:
    assert idempotency_key(a_request(b"body", {"idempotency-key": "k-1"})) == IdempotencyKey(
        scope="anna POST /v1/requests", key="k-1", request_sha256=hashlib.sha256(b"body").digest()
    )
    assert idempotency_key(a_request(b"body", {})) is None


def a_request(body: bytes, headers: dict[str, str]) -> Request:
    principal = Principal(name="anna", roles=frozenset(), expires=0)
    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/intake/v1/requests",
            "root_path": "/intake",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            SCOPE_KEY: Exchange(
                correlation_id="c-1",
                path="/v1/requests",
                headers={name.encode(): value.encode() for name, value in headers.items()},
                principal=principal,
                body=body,
            ),
        }
    )


@pytest.mark.parametrize("key", ["", "x" * 201, "with space"])
async def test_an_unfit_key_is_refused(house: House, key: str) -> None:
    answer = await house.client.post("/v1/requests", json={"title": "x"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


@pytest.mark.parametrize(("given", "version"), [('"7"', 7), ("*", None), (None, None)])
async def test_a_version_can_be_demanded(house: House, given: str | None, version: int | None) -> None:
    headers = {} if given is None else {"If-Match": given}
    assert (await house.client.post(f"{READ}/triage", headers=headers)).json() == {"version": version}


@pytest.mark.parametrize("given", ["7", 'W/"7"', '"7", "8"', '"x"', ""])
async def test_what_is_no_version_is_refused(house: House, given: str) -> None:
    answer = await house.client.post(f"{READ}/triage", headers={"If-Match": given})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


def test_a_reader_who_has_the_version_needs_no_body() -> None:
    assert unchanged(a_request(b"", {"if-none-match": f'W/{etag(7)}, "9"'}), 7)
    assert not unchanged(a_request(b"", {}), 7)


async def test_a_list_is_walked_to_its_end(house: House) -> None:
    seen: list[int] = []
    parameters: dict[str, Any] = {"limit": 2}
    while True:
        told = (await house.client.get("/v1/requests", params=parameters)).json()
        seen += [item["number"] for item in told["items"]]
        if told["next_cursor"] is None:
            break
        parameters["cursor"] = told["next_cursor"]
    assert seen == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", "1e9"])
async def test_a_page_has_at_most_a_hundred_rows(house: House, limit: str) -> None:
    answer = await house.client.get("/v1/requests", params={"limit": limit})
    [fault] = answer.json()["errors"]
    assert (answer.status_code, fault["in"], fault["pointer"]) == (422, "query", "/limit")


async def test_a_tampered_cursor_is_a_problem(house: House) -> None:
    good = cursor("newest", (2,))
    for bad in (good[:-1], good[:-3] + "AAA", "x", "", "ÿ", "[]", cursor("oldest", (2,)), "A" * 5000):
        answer = await house.client.get("/v1/requests", params={"cursor": bad})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-cursor"), bad
    for bad in (cursor("newest", ("x",)), cursor("newest", (1, 2)), cursor("newest", ())):
        answer = await house.client.get("/v1/requests", params={"cursor": bad})
        assert answer.json()["code"] == "bad-cursor"


def test_a_cursor_carries_times_and_ids() -> None:
    at = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
    page = Page(limit=2, cursor=cursor("newest", (at, A_REQUEST)))
    assert page.after("newest", datetime.fromisoformat, UUID) == (at, A_REQUEST)
    with pytest.raises(Problem):
        page.after("oldest", datetime.fromisoformat, UUID)


async def test_the_past_is_asked_with_an_offset(house: House) -> None:
    answer = await house.client.get(READ, params={"as_of": "2026-03-02T13:00:00+01:00"})
    assert answer.json()["as_of"] == "2026-03-02T12:00:00Z"
    [fault] = (await house.client.get(READ, params={"as_of": "2026-03-02T13:00:00"})).json()["errors"]
    assert fault["remedy"].startswith("Add the offset")


async def test_a_read_waits_for_what_its_token_names(house: House) -> None:
    headers = {"Consistency-Token": "intake@57", "Prefer": "wait=5"}
    reading = asyncio.create_task(house.client.get(READ, headers=headers))
    while house.traffic.in_flight == 0:  # noqa: ASYNC110  polling for a condition
        await asyncio.sleep(0)
    assert not reading.done()
    house.shown["intake"] = 57
    assert (await reading).status_code == 200


async def test_a_read_that_would_wait_too_long_is_told_to_come_again(house: House) -> None:
    headers = {"Consistency-Token": "intake@57", "Prefer": "wait=0"}
    answer = await house.client.get(READ, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (503, "projection-lag")
    assert answer.headers["retry-after"] == "1"
    stale = await house.client.get(READ, headers={**headers, "Prefer": "return=stale"})
    assert stale.status_code == 200


@pytest.mark.parametrize("token", ["57", "intake@", "intake@-1", "intake@57;x", "INTAKE@5", "intake/x@5", ""])
async def test_a_token_that_nobody_gave_is_refused(house: House, token: str) -> None:
    answer = await house.client.get(READ, headers={"Consistency-Token": token})
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_only_so_many_reads_may_wait() -> None:
    async def never(_: int) -> bool:
        return False

    consistency = Consistency("intake", never, most=1)
    waiting = asyncio.create_task(consistency.wait("intake@1", "wait=5"))
    await asyncio.sleep(0)
    with pytest.raises(Problem, match="Too many"):
        await consistency.wait("intake@1", "wait=5")
    waiting.cancel()


async def test_requests_are_counted_by_route_and_never_by_id(house: House) -> None:
    await house.client.get(READ)
    await house.client.get("/v1/nowhere/else")
    await house.client.request("BREW", READ)
    page = house.metrics.page().decode()
    labels = 'method="GET",route="/v1/requests/{request_id}",service="intake",status="200"'
    assert f"plumbline_http_requests_total{{{labels}}} 1.0" in page
    assert 'method="GET",route="unmatched",service="intake",status="404"' in page
    assert 'method="other"' in page
    assert str(A_REQUEST) not in page
    assert 'plumbline_http_request_duration_seconds_bucket{le="0.005"' in page


def test_a_hot_route_has_no_parameters() -> None:
    with pytest.raises(ValueError, match="parameters"):
        hot_routes([Route("/v1/requests/{id}", endpoint=lambda _: None)])


async def test_a_client_that_leaves_early_is_nobodys_problem(house: House) -> None:
    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        raise AssertionError("there is nobody to answer")

    headers = [(b"authorization", house.client.headers["Authorization"].encode())]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/requests",
        "query_string": b"",
        "headers": headers,
    }
    await house.api(scope, receive, send)
    assert 'status="499"' in house.metrics.page().decode()


async def test_roles_guard_what_is_not_for_everybody(house: House) -> None:
    @house.api.get("/v1/audit", dependencies=[Depends(allow("auditor"))])
    async def audit() -> str:
        return "all is well"

    assert (await house.client.get("/v1/audit")).json()["code"] == "forbidden"
    for role in ("auditor", "administrator"):
        assert (await house.client.get("/v1/audit", headers=house.token(role))).status_code == 200
