"""Every kind of process is killed under load, at random moments and at the worst ones."""

from __future__ import annotations

import asyncio
import random

import pytest

from shared.runtime.failpoints import EXIT_CODE
from tests.faults.world import assert_sound, load_on
from tests.support.deployment import Deployment

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.timeout(600)]
KILLS = 3


@pytest.mark.parametrize("name", ["intake-api", "intake-worker", "sla-worker", "demand-worker"])
async def test_a_process_killed_at_random_loses_and_doubles_nothing(deployment: Deployment, name: str):
    process = deployment.processes[name]
    async with load_on(deployment) as load:
        await load.answered(10)
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(0, 1.5))  # noqa: S311  the moment of a kill is the test's input
            await process.kill()
            await process.ready()
            await load.answered(10)
    await assert_sound(deployment)


@pytest.mark.parametrize(
    ("failpoint", "name"),
    [
        ("append.before_commit", "intake-api"),
        ("append.after_commit_before_ack", "intake-api"),
        ("relay.mid_round", "intake-worker"),
        ("relay.after_produce_before_checkpoint", "intake-worker"),
        ("consumer.after_apply_before_commit", "sla-worker"),
        ("consumer.after_commit_before_offset", "demand-worker"),
    ],
)
async def test_a_process_that_dies_at_the_worst_moment_loses_and_doubles_nothing(
    deployment: Deployment, failpoint: str, name: str
):
    process = deployment.processes[name]
    async with load_on(deployment) as load:
        for _ in range(KILLS):
            deaths = len(process.deaths)
            await process.kill(armed=f"{failpoint}:{random.randint(1, 6)}")  # noqa: S311
            await process.has_died(deaths + 2)
            assert process.deaths[-1] == EXIT_CODE
            await process.ready()
            await load.answered(5)
    await assert_sound(deployment)


async def test_a_server_that_is_cut_off_comes_back_with_all_that_was_committed(deployment: Deployment):
    async with load_on(deployment) as load:
        for _ in range(KILLS):
            await load.answered(10)
            await deployment.server.cut()
            await deployment.server.come_back()
        await load.answered(10)
    await deployment.ready()
    await assert_sound(deployment)
