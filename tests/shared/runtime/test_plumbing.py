"""Logs, metrics, failpoints and the HTTP client."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import httpx
import pytest

from shared.runtime.failpoints import EXIT_CODE, VARIABLE
from shared.runtime.http_client import http_client
from shared.runtime.logging import converse, correlation_id
from shared.runtime.metrics import Metrics

LOGGED = """
import contextvars, logging, structlog
from shared.runtime.logging import configure, converse
configure(service="intake", style="json")
def conversation():
    converse("abc")
    structlog.get_logger("one").info("request taken", number="REQ-2026-000001", body="my printer")
    logging.getLogger("two").warning("from a %s", "library")
contextvars.copy_context().run(conversation)
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("three").exception("failed")
structlog.get_logger("four").debug("not at this level")
"""


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )


def test_logs_are_json_lines_with_the_conversation_and_without_payloads() -> None:
    said = python(LOGGED)
    assert said.stderr == ""
    one, two, three = (json.loads(line) for line in said.stdout.splitlines())
    assert one["event"] == "request taken"
    assert one["number"] == "REQ-2026-000001"
    assert one["body"] == "[not logged]"
    assert (two["event"], two["level"], two["logger"]) == ("from a library", "warning", "two")
    assert one["correlation_id"] == two["correlation_id"] == "abc"
    assert "correlation_id" not in three
    assert three["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert one["service"] == two["service"] == three["service"] == "intake"
    assert one["at"].endswith("Z")


def test_an_exception_does_not_carry_local_values_into_the_log() -> None:
    code = (
        "import structlog\n"
        "from shared.runtime.logging import configure\n"
        "configure(service='intake', style='json')\n"
        "def fail(title): raise ValueError('refused')\n"
        "try: fail('my private title')\n"
        "except ValueError: structlog.get_logger().exception('failed')\n"
    )
    printed = json.loads(python(code).stdout)
    assert "locals" not in printed["exception"][0]["frames"][0]
    assert printed["exception"][0]["exc_value"] == "refused"


def test_services_in_one_process_share_a_page_and_keep_their_names() -> None:
    intake = Metrics("intake")
    intake.counter("events_appended", "Events appended to the log.", "stream")("request").inc(3)
    intake.of("sla").counter("events_appended", "Events appended to the log.", "stream")("clock").inc()
    intake.gauge("relay_backlog_events", "Events not yet published.")().set(7)
    with intake.histogram("append_seconds", "Time of an append.")().time():
        pass
    page = intake.page().decode()
    assert 'plumbline_events_appended_total{service="intake",stream="request"} 3.0' in page
    assert 'plumbline_events_appended_total{service="sla",stream="clock"} 1.0' in page
    assert 'plumbline_relay_backlog_events{service="intake"} 7.0' in page
    assert 'plumbline_append_seconds_count{service="intake"} 1.0' in page


FAILING = """
from shared.runtime.failpoints import failpoint
for turn in range(1, 5):
    failpoint("after-append")
    failpoint("before-publish")
    print(turn, flush=True)
"""


@pytest.mark.parametrize(
    ("wish", "code", "turns"),
    [("before-publish:3", EXIT_CODE, 2), ("after-append", EXIT_CODE, 0), ("", 0, 4), ("elsewhere:1", 0, 4)],
)
def test_a_failpoint_kills_at_the_hit_it_was_asked_for(wish: str, code: int, turns: int) -> None:
    ended = python(FAILING, **{VARIABLE: wish})
    assert ended.returncode == code
    assert len(ended.stdout.splitlines()) == turns


class Server:
    """Answers what it was told to, in turn, and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers, self.asked = list(answers), list[httpx.Request]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def send(server: Server, method: str) -> httpx.Response:
    client = http_client("http://sla/sla", token=lambda: "t0", transport=httpx.MockTransport(server))
    async with client:
        return await client.request(method, "/v1/feed")


async def test_a_read_is_repeated_until_it_is_answered() -> None:
    later = httpx.Response(503, headers={"retry-after": "0"})
    server = Server(httpx.ConnectError("refused"), later, httpx.Response(200))
    assert (await send(server, "GET")).status_code == 200
    assert len(server.asked) == 3


async def test_a_read_is_given_up_with_the_last_answer() -> None:
    server = Server(*(httpx.Response(503, headers={"retry-after": "0"}) for _ in range(3)))
    assert (await send(server, "GET")).status_code == 503


@pytest.mark.parametrize("answer", [httpx.Response(503), httpx.Response(409)])
async def test_a_write_goes_through_once(answer: httpx.Response) -> None:
    server = Server(answer)
    assert (await send(server, "POST")).status_code == answer.status_code
    assert len(server.asked) == 1


async def test_a_write_that_failed_on_the_way_is_not_repeated() -> None:
    with pytest.raises(httpx.ConnectError):
        await send(Server(httpx.ConnectError("refused")), "POST")


async def test_requests_carry_the_token_and_the_conversation() -> None:
    server = Server(httpx.Response(200))

    async def talk() -> None:
        converse("req-7")
        assert correlation_id() == "req-7"
        await send(server, "GET")

    await asyncio.create_task(talk())
    assert correlation_id() == ""
    assert server.asked[0].headers["authorization"] == "Bearer t0"
    assert server.asked[0].headers["x-correlation-id"] == "req-7"
    assert str(server.asked[0].url) == "http://sla/sla/v1/feed"
