"""One request's way through four services in one process, which hear each other's feeds."""

from __future__ import annotations

import os
import time
from pathlib import Path
from signal import Signals
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from services.command_line.access import Refused
from services.command_line.brokers import brokers
from services.command_line.demo import access_of
from services.command_line.journey import Journey
from services.command_line.listeners import FeedListener, KafkaListener
from shared.http.issuer import Issuer
from shared.runtime.clock import SystemClock
from tests.journeys.conftest import Launched
from tests.support.processes import until

STEPS = 12
BUDGET_SECONDS = 25.0  # to end in good order


async def played(journey: Journey) -> list[str]:
    """Play it to its end; return what was told."""
    return [f"{told.who} {told.what}" async for told in journey.play()]


async def test_a_request_becomes_a_change_a_project_and_a_breach(launched: Launched):
    async with FeedListener(launched.access_of("max.metrics")) as listener:
        journey = Journey(launched.access_of, listener)
        told = await played(journey)
        heard = await listener.heard("plumbline.rfc.classified.v1", journey.rfc_id)
    assert len(told) == STEPS
    message = KafkaMessage(
        headers={name: value.encode() for name, value in heard["headers"].items()}, key=None, value=b"{}"
    )
    assert from_binary_event(message).get_subject() == journey.rfc_id


async def everything(launched: Launched) -> dict[str, Any]:
    """Read what each service knows; equal before and after a restart."""
    return {
        "requests": await launched.get("intake", "/v1/requests", limit=100),
        "changes": await launched.get("intake", "/v1/rfcs", limit=100),
        "records": await launched.get("sla", "/v1/records/counts"),
        "services": await launched.get("catalog", "/v1/services", limit=100),
        "concepts": await launched.get("demand", "/v1/concepts", limit=100),
    }


async def ask(launched: Launched, title: str) -> str:
    """Submit a request and wait until sla has heard of it."""
    async with launched.access() as access:
        answer = await access.post("intake", "/v1/requests", {"kind": "business_request", "title": title})

        async def known() -> bool:
            try:
                record = await access.get("sla", f"/v1/records/{answer['id']}")
            except Refused:
                return False
            return record["covered"] is not None

        await until(known, "sla has not heard of the request")
    request_id: str = answer["id"]
    return request_id


async def test_ctrl_c_leaves_nothing_running_and_the_next_start_finds_all(
    launched: Launched, record_testsuite_property: Any
):
    await ask(launched, "before Ctrl-C")
    before = await everything(launched)
    began = time.monotonic()
    assert await launched.stop(Signals.SIGINT) == 0
    assert time.monotonic() - began < BUDGET_SECONDS
    assert not launched.servers()

    began = time.monotonic()
    await launched.start()
    record_testsuite_property("seconds of the second start", f"{time.monotonic() - began:.1f}")
    assert await everything(launched) == before


@pytest.mark.fault
async def test_a_killed_launcher_leaves_all_data_to_the_next(launched: Launched):
    await ask(launched, "before kill -9")
    before = await everything(launched)
    assert await launched.stop(Signals.SIGKILL) == -Signals.SIGKILL
    assert launched.servers(), "PostgreSQL outlives its launcher"

    await launched.start()
    assert await everything(launched) == before
    await ask(launched, "after kill -9")


@pytest.mark.deployment
@pytest.mark.timeout(300)
async def test_the_journey_goes_through_a_running_deployment():
    """Needs PLUMBLINE_TEST_URL and PLUMBLINE_TEST_ISSUER_KEY; PLUMBLINE_TEST_KAFKA to listen there."""
    url, key = os.environ.get("PLUMBLINE_TEST_URL"), os.environ.get("PLUMBLINE_TEST_ISSUER_KEY")
    if not url or not key:
        pytest.fail("set PLUMBLINE_TEST_URL and PLUMBLINE_TEST_ISSUER_KEY (a file) to a running deployment's")
    issuer = Issuer.open(Path(key), clock=SystemClock())
    access = access_of(url, issuer)
    kafka = os.environ.get("PLUMBLINE_TEST_KAFKA")
    async with KafkaListener(brokers(kafka)) if kafka else FeedListener(access("max.metrics")) as listener:
        assert len(await played(Journey(access, listener))) == STEPS
