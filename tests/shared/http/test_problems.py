"""Every error is a problem: RFC 9457, a stable code, a remedy, a page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
import structlog

from shared.eventsourcing.command_handler import Forbidden
from shared.eventsourcing.decider import NotFound, Rejected, Unprocessable
from shared.eventsourcing.log import KeyReused, NewerData, OutcomeUnknown, StaleVersion, StoreFork
from shared.http.problems import KINDS, MEDIA_TYPE, kinds
from tests.shared.http.conftest import A_REQUEST, House

TROUBLE = f"/v1/requests/{A_REQUEST}/trouble"


class RequestAlreadyClosed(Rejected):
    """The request is closed."""


class UnknownRequest(NotFound):
    """There is no such request."""


class WindowEndsBeforeItStarts(Unprocessable):
    """A window must end after it starts."""


class ClassifyRfc:
    pass


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE), answer.text
    told: dict[str, object] = answer.json()
    assert (told["code"], told["status"], told["type"]) == (code, status, f"/intake/problems/{code}")
    assert told["title"]
    assert told["detail"]
    assert told["remedy"]
    assert told["trace_id"] == answer.headers["x-correlation-id"]
    return told


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RequestAlreadyClosed("closed on Monday", remedy="reopen it"), 409, "request-already-closed"),
        (UnknownRequest("no REQ-2026-000001"), 404, "unknown-request"),
        (WindowEndsBeforeItStarts("ends early", field="/ends_at"), 422, "window-ends-before-it-starts"),
        (StaleVersion(A_REQUEST, 3, 4), 412, "stale-version"),
        (KeyReused("another body"), 422, "key-reused"),
        (OutcomeUnknown("lost in COMMIT"), 503, "outcome-unknown"),
        (NewerData("RequestSubmitted 9"), 503, "newer-data"),
        (StoreFork("position 9 has another hash"), 409, "store-fork"),
        (Forbidden(ClassifyRfc, frozenset({"change_manager"})), 403, "forbidden"),
        (ConnectionRefusedError("5432"), 503, "database-away"),
        (asyncpg.CannotConnectNowError("starting up"), 503, "database-away"),
        (asyncpg.QueryCanceledError("statement timeout"), 503, "timeout"),
        (ZeroDivisionError("division by zero"), 500, "internal-error"),
    ],
)
async def test_an_error_becomes_its_problem(house: House, error: Exception, status: int, code: str) -> None:
    house.raising[:] = [error]
    told = problem(await house.client.get(TROUBLE), status, code)
    assert "Traceback" not in json.dumps(told)
    assert "division" not in json.dumps(told)


async def test_a_refusal_says_what_to_do_and_which_field_is_to_blame(house: House) -> None:
    house.raising[:] = [WindowEndsBeforeItStarts("it ends early", field="/ends_at", remedy="end it later")]
    told = problem(await house.client.get(TROUBLE), 422, "window-ends-before-it-starts")
    assert told["title"] == "A window must end after it starts"
    assert told["remedy"] == "end it later"
    assert told["errors"] == [
        {
            "in": "body",
            "pointer": "/ends_at",
            "code": "window-ends-before-it-starts",
            "detail": "it ends early",
            "remedy": "end it later",
        }
    ]


@pytest.mark.parametrize("error", [OutcomeUnknown(), OSError(), NewerData()])
async def test_whoever_may_try_again_is_told_when(house: House, error: Exception) -> None:
    house.raising[:] = [error]
    answer = await house.client.get(TROUBLE)
    assert int(answer.headers["retry-after"]) > 0


async def test_an_unknown_outcome_tells_to_retry_with_the_same_key(house: House) -> None:
    house.raising[:] = [OutcomeUnknown()]
    assert "same Idempotency-Key" in (await house.client.get(TROUBLE)).json()["remedy"]


async def test_a_surprise_is_in_the_log_under_the_trace_id_without_what_people_wrote(house: House) -> None:
    house.raising[:] = [ZeroDivisionError("Mrs Miller's printer")]
    with structlog.testing.capture_logs() as lines:
        answer = await house.client.get(TROUBLE)
    [line] = [line for line in lines if line["event"] == "request failed"]
    assert line["trace_id"] == answer.json()["trace_id"]
    assert line["error"] == "ZeroDivisionError"
    assert any("trouble" in frame for frame in line["frames"])
    assert "Miller" not in str(line)


async def test_an_unknown_address_is_a_problem(house: House) -> None:
    problem(await house.client.get("/v1/nowhere"), 404, "not-found")


async def test_a_wrong_method_is_a_problem_that_names_the_right_one(house: House) -> None:
    for path, methods in ((f"/v1/requests/{A_REQUEST}", "GET"), ("/v1/requests", "GET, POST")):
        answer = await house.client.delete(path)
        problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == methods


@pytest.mark.parametrize("path", ["/v1/requests", "/v1/requests/cold"])
async def test_every_wrong_field_is_named_with_what_would_be_right(house: House, path: str) -> None:
    answer = await house.client.post(path, json={"titel": "x", "units": "many", "sent_at": "today"})
    told = problem(answer, 422, "invalid")
    faults = {fault["pointer"]: fault for fault in told["errors"]}  # type: ignore[attr-defined]
    assert {pointer: fault["code"] for pointer, fault in faults.items()} == {
        "/title": "missing",
        "/units": "int_parsing",
        "/sent_at": "datetime_from_date_parsing",
        "/titel": "extra_forbidden",
    }
    assert faults["/units"]["remedy"] == "Send a whole number."
    assert "many" not in answer.text


@pytest.mark.parametrize("path", ["/v1/requests", "/v1/requests/cold"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"title": ', 400, "malformed-json"),
        (b'{"title": "\xff"}', 400, "malformed-json"),
        (b'{"title": "a\\u0000b"}', 400, "nul-character"),
        (b'{"title": "a\x00b"}', 400, "nul-character"),
        (b'{"title": "x", "tags": {"a": ' + b"[" * 20 + b"]" * 20 + b"}}", 400, "too-deep"),
        (b'{"tags": ' + b'["]",' * 20 + b"[]" + b"]" * 20 + b"}", 400, "too-deep"),
        (b'{"tags": ' + b'["\\"]",' * 20 + b"[]" + b"]" * 20 + b"}", 400, "too-deep"),
        (b'{"title": "' + b"x" * 5000 + b'"}', 413, "too-large"),
        (b'{"title": "x", "tags": {"a": "\\ud800"}}', 400, "malformed-json"),
        (b'{"title": "\\udc00', 400, "malformed-json"),
        (b"[]", 422, "invalid"),
        (b'{"title": "x", "units": 1e400}', 422, "invalid"),
    ],
)
async def test_a_body_that_cannot_be_taken(
    house: House, path: str, body: bytes, status: int, code: str
) -> None:
    answer = await house.client.post(path, content=body, headers={"Content-Type": "application/json"})
    problem(answer, status, code)


async def test_brackets_and_escapes_inside_texts_are_only_text(house: House) -> None:
    for title in ("[" * 100 + '"' + "{" * 50, "a\\u0000b"):
        answer = await house.client.post("/v1/requests", json={"title": title})
        assert answer.json()["seen"][0] == title


@pytest.mark.parametrize("address", ["/v1/requests?limit=%00", "/v1/a%00b", "/v1/requests?a%00=1"])
async def test_nul_is_refused_in_addresses(house: House, address: str) -> None:
    problem(await house.client.get(address), 400, "nul-character")


async def test_a_body_without_a_length_is_counted_while_it_comes(house: House) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1000
            yield b"x" * 1000

    answer = await house.client.post(
        "/v1/requests", content=endless(), headers={"Content-Type": "application/json"}
    )
    problem(answer, 413, "too-large")
    assert sent < 20_000
    assert answer.headers["connection"] == "close"


async def test_a_character_escaped_in_two_halves_is_one(house: House) -> None:
    answer = await house.client.post("/v1/requests/cold", json={"title": "\U0001f5a8"})
    assert answer.json()["seen"] == ["\U0001f5a8"]


async def test_other_content_types_are_refused(house: House) -> None:
    for media in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await house.client.post("/v1/requests", content=b"{}", headers={"Content-Type": media})
        problem(answer, 415, "media-type")
    squeezed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    problem(await house.client.post("/v1/requests", content=b"{}", headers=squeezed), 415, "media-type")


async def test_json_with_a_profile_is_json(house: House) -> None:
    for media in ("application/json; charset=utf-8", "application/cloudevents+json"):
        answer = await house.client.post(
            "/v1/requests", content=b'{"title":"x"}', headers={"Content-Type": media}
        )
        assert answer.status_code == 201, answer.text


async def test_what_takes_too_long_is_given_up(house: House) -> None:
    class Slow(Exception):
        pass

    @house.api.get("/v1/slow")
    async def slow() -> None:
        await asyncio.Event().wait()

    object.__setattr__(house.api.rules, "seconds", 0.05)
    answer = await house.client.get("/v1/slow")
    told = problem(answer, 503, "timeout")
    assert "same Idempotency-Key" in str(told["remedy"])


async def test_a_crowd_is_turned_away(house: House) -> None:
    object.__setattr__(house.api.rules, "most_in_flight", 0)
    answer = await house.client.get("/v1/requests")
    problem(answer, 503, "overloaded")


async def test_every_code_has_a_page(house: House) -> None:
    del house.client.headers["Authorization"]
    listed = (await house.client.get("/problems/")).text
    for kind in kinds():
        page = await house.client.get(f"/problems/{kind.code}")
        assert page.status_code == 200, kind.code
        assert kind.code in listed
    assert "request-already-closed" in listed
    assert (await house.client.get("/problems/never-heard-of")).status_code == 404


def test_the_codes_are_kebab_case_and_none_is_listed_twice() -> None:
    codes = [kind.code for kind in kinds()]
    assert len(codes) == len(set(codes)) >= len(KINDS)
    assert all(code == code.lower() and " " not in code and "_" not in code for code in codes)
