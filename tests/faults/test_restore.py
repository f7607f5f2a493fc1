"""A service put back from its backup: all notice, and two commands bring it together."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from shared.runtime.provisioning import create_database
from tests.faults import oracles, world
from tests.faults.world import load_on
from tests.support.deployment import Deployment, deployed, jsonl
from tests.support.processes import until

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.timeout(900)]

_TAKEN = """
SELECT split_part(meta->>'causation', '/', 3)::uuid AS life,
    split_part(meta->>'causation', '/', 4)::bigint AS position
FROM log.event WHERE type = $1 AND starts_with(meta->>'causation', '/intake/')
"""
CONSUMERS = ("sla", "demand")
FORK = r'plumbline_consumer_stopped\{[^}]*reason="fork"[^}]*source="intake"[^}]*\} 1'
NO_FORK = FORK[:-1] + "0"


@pytest.fixture
async def deployment(kafka_libraries: Path) -> AsyncIterator[Deployment]:
    """A deployment of its own: this one is not the same afterwards."""
    async with deployed(kafka_libraries, world.SERVICES) as deployment:
        await world.promise(deployment)
        yield deployment


async def copy(deployment: Deployment, wanted: str, template: str) -> None:
    """Copy a database nobody is using, in place of one that is there."""
    conn = await asyncpg.connect(deployment.server.url)
    try:
        await conn.execute(f"DROP DATABASE IF EXISTS {wanted} WITH (FORCE)")
        await create_database(conn, wanted, "intake", template=template)
    finally:
        await conn.close()


async def without_intake(deployment: Deployment, *work: tuple[str, str]) -> None:
    """Copy databases while no process of intake runs."""
    await asyncio.gather(*(deployment.processes[f"intake-{role}"].end() for role in ("api", "worker")))
    for wanted, template in work:
        await copy(deployment, wanted, template)


def intake_again(deployment: Deployment) -> None:
    for role in ("api", "worker"):
        deployment.processes[f"intake-{role}"].supervised()


async def told(deployment: Deployment, process: str, gauge: str) -> bool:
    """Tell whether a process's metrics hold this line."""
    port = deployment.processes[process].management_port
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    except httpx.HTTPError:
        return False
    return re.search(gauge, answer.text) is not None


async def until_both_see(deployment: Deployment, gauge: str) -> None:
    for name in CONSUMERS:
        await until(
            lambda name=name: told(deployment, f"{name}-worker", gauge), f"{name} does not see {gauge}"
        )


async def test_a_restored_store_is_a_fork_until_it_is_reconciled(deployment: Deployment):
    async with load_on(deployment) as load:
        await load.answered(20)
    await world.assert_sound(deployment)
    await without_intake(deployment, ("intake_backup", "intake"))
    intake_again(deployment)
    await deployment.ready()
    async with load_on(deployment) as load:
        await load.answered(20)
    await world.assert_sound(deployment)

    await without_intake(deployment, ("intake", "intake_backup"))
    [kept] = await deployment.fetch("intake", "SELECT max(position) AS position FROM log.event")
    intake_again(deployment)
    stopped = r'plumbline_relay_stopped\{[^}]*reason="StoreFork"[^}]*\} 1'
    await until(lambda: told(deployment, "intake-worker", stopped), "the relay does not see the fork")

    await until_both_see(deployment, FORK)

    await without_intake(deployment)
    said = await deployment.operate("intake", "restored", "intake")
    assert f"begins after position {kept['position']}" in said
    intake_again(deployment)
    await deployment.ready()
    async with load_on(deployment) as load:
        await load.answered(20)
    await until_both_see(deployment, FORK)
    for consumer in CONSUMERS:
        assert "set back to" in await deployment.operate(consumer, "reconcile", consumer, "intake")
        assert "No own event" in await deployment.operate(consumer, "reconcile", consumer, "intake")
    await until(lambda: world.settled(deployment, clocks=False), "nobody follows the restored log", 120)
    await assert_only_what_the_backup_lacks_is_lost(deployment, kept["position"])
    await until_both_see(deployment, NO_FORK)
    async with load_on(deployment) as load:
        await load.answered(20)
    await until(
        lambda: world.settled(deployment, clocks=False), "the restored log is not followed later", 120
    )
    await assert_only_what_the_backup_lacks_is_lost(deployment, kept["position"])


async def assert_only_what_the_backup_lacks_is_lost(deployment: Deployment, kept: int) -> None:
    """Put the oracles to both lives of intake's log: the first up to `kept`, the second behind it."""
    lives = await deployment.fetch("intake", "SELECT id, after FROM log.incarnation ORDER BY ordinal")
    assert [life["after"] for life in lives] == [0, kept]
    wrong: list[Any] = [*oracles.broken_log(await deployment.fetch("intake", world.LOG))]
    for consumer, own, kinds in (
        ("sla", "FactRecorded", ["RequestSubmitted", "RequestTriaged"]),
        ("demand", "RequestHeard", ["RequestSubmitted"]),
    ):
        said = await deployment.fetch("intake", world.SAID, list(world.INTAKE_TOPICS), kinds)
        taken = [
            row["position"]
            for row in await deployment.fetch(consumer, _TAKEN, own)
            if row["life"] == lives[1]["id"] or row["position"] <= kept
        ]
        wrong += oracles.not_applied_once([row["position"] for row in said], taken)
    effects = await world.effects(deployment)
    wrong += oracles.more_than_one_effect(effects)
    lost = {
        each.partition(" ")[0]
        for each in oracles.acknowledged_but_not_stored(await _history(deployment), effects)
    }
    after_the_backup = {
        line["op"] for line in await _history(deployment) if line["type"] == "ok" and line["position"] > kept
    }
    wrong += sorted(lost - after_the_backup)
    assert not wrong, wrong[:20]


async def _history(deployment: Deployment) -> list[dict[str, Any]]:
    return await asyncio.to_thread(jsonl, deployment.folder / "history.jsonl")
