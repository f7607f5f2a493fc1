"""What all hangs on goes away, or only seems to: nobody notices, or is told at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from signal import Signals

import httpx
import pytest

from tests.faults.world import assert_sound, load_on
from tests.support.deployment import Deployment
from tests.support.processes import Process, now, until

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.timeout(600)]
AWAY_SECONDS = 5.0
REFUSED_WITHIN_SECONDS = 3.0
BACK_WITHIN_SECONDS = 5.0
SLACK = 2.0  # the machine may be shared with other tests


async def test_a_broker_that_is_away_costs_nobody_an_error(deployment: Deployment):
    async with load_on(deployment) as load:
        await load.answered(10)
        await asyncio.to_thread(deployment.broker.kill)
        gone = now()
        await asyncio.sleep(AWAY_SECONDS)  # the length of the outage is the test's input
        await asyncio.to_thread(deployment.broker.start)
        during = [answer for answer in load.answers if answer.sent_at >= gone]
        assert len(during) > AWAY_SECONDS, "the load went on"
        await load.answered(10)
    assert set(load.statuses) == {"ok"}
    await assert_sound(deployment)


async def leads(process: Process) -> bool:
    """Tell whether a worker is the relay at this moment."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.get(f"http://127.0.0.1:{process.management_port}/metrics")
    return 'plumbline_relay_leads{service="intake"} 1.0' in answer.text


@pytest.fixture
async def second(deployment: Deployment) -> AsyncIterator[Process]:
    """A second worker of intake beside the first."""
    second = deployment.process("intake", "worker", another="-2").supervised()
    await second.ready()
    yield second
    await second.end()
    del deployment.processes[second.name]


async def test_a_frozen_relay_that_wakes_up_behind_its_successor_only_repeats(
    deployment: Deployment, second: Process
):
    first = deployment.processes["intake-worker"]
    async with load_on(deployment, per_second=30) as load:
        for _ in range(2):
            await load.answered(10)
            leader, other = (first, second) if await leads(first) else (second, first)
            leader.send(Signals.SIGSTOP)
            try:
                await until(lambda other=other: leads(other), "nobody takes the expired lease")
                await load.answered(10)
            finally:
                leader.send(Signals.SIGCONT)
            await until(lambda leader=leader: follows(leader), "two relays lead")
    await assert_sound(deployment)


async def test_two_relays_at_once_only_repeat(deployment: Deployment, second: Process):
    async with load_on(deployment, per_second=30) as load:
        for _ in range(5):
            await deployment.fetch(
                "intake", "UPDATE work.lease SET expires_at = clock_timestamp() WHERE name = 'relay'"
            )
            await load.answered(30)  # the other looks every second, the leader renews every third of ten
    assert second.status is None
    await assert_sound(deployment)


async def follows(process: Process) -> bool:
    return not await leads(process)


async def test_a_database_that_is_away_is_told_at_once_and_forgotten_when_it_is_back(deployment: Deployment):
    async with load_on(deployment, clients=8, per_second=30) as load:
        await load.answered(20)
        await deployment.server.cut()
        gone = now()
        await asyncio.sleep(AWAY_SECONDS)  # the length of the outage is the test's input
        await deployment.server.come_back()
        back = now()
        await load.answered(20)
        first = min(a.sent_at + a.seconds for a in load.answers if a.sent_at > back and a.status == 201)
    refused = [answer for answer in load.answers if answer.status == 503]
    assert refused, "nobody was told"
    assert set(load.statuses) <= {"ok", "503"}
    assert all(answer.retry_after for answer in refused)
    assert max(a.seconds for a in load.answers if gone < a.sent_at < back) < REFUSED_WITHIN_SECONDS * SLACK
    assert first - back < BACK_WITHIN_SECONDS * SLACK
    await deployment.ready()
    await assert_sound(deployment)
