"""What cannot be taken is set aside or refused alone: its neighbours never notice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import pytest

from shared.eventsourcing.projection import ReadModel
from shared.eventsourcing.rebuild import table_hash
from shared.runtime.failpoints import EXIT_CODE, VARIABLE
from tests.faults.world import DEFINITIONS, assert_sound, load_on
from tests.support.deployment import Deployment
from tests.support.processes import finished, until

pytestmark = [pytest.mark.fault, pytest.mark.kafka, pytest.mark.timeout(600)]

_DEFECT = """
CREATE FUNCTION log.defect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'a defect of ours' USING ERRCODE = '22000';
END $$;
CREATE TRIGGER defect BEFORE INSERT ON log.event FOR EACH ROW
WHEN (NEW.payload::text LIKE '%poison%') EXECUTE FUNCTION log.defect();
"""


@asynccontextmanager
async def a_defect(deployment: Deployment, service: str) -> AsyncIterator[None]:
    """Let a service's database refuse every event that contains the word poison."""
    conn = await asyncpg.connect(deployment.databases[service].owner_url)
    try:
        await conn.execute(_DEFECT)
        yield
    finally:
        await conn.execute("DROP TRIGGER defect ON log.event; DROP FUNCTION log.defect()")
        await conn.close()


async def ask(client: httpx.AsyncClient, category: str, path: str = "") -> httpx.Response:
    """Submit a request that is about nothing the load's agreement covers, or judge one anew."""
    about = {"service": "Load", "category": category, "impact": "low", "urgency": "low"}
    body = about if path else {"kind": "service_request", "title": category, **about}
    return await client.post(f"/v1/requests{path}", json=body)


@asynccontextmanager
async def a_client(deployment: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {deployment.token('anna', 'desk_tool', 'support_agent')}"}
    url = deployment.address("intake")
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60) as client:
        yield client


async def test_a_poisoned_command_is_refused_alone(deployment: Deployment):
    async with load_on(deployment) as load, a_client(deployment) as client:
        await load.answered(5)
        async with a_defect(deployment, "intake"):
            names = ["poison" if n % 8 == 3 else "neighbour" for n in range(64)]
            answers = await asyncio.gather(*(ask(client, name) for name in names))
            await load.answered(5)
    told = Counter((name, answer.status_code) for name, answer in zip(names, answers, strict=True))
    assert told == {("neighbour", 201): 56, ("poison", 422): 8}
    assert set(load.statuses) == {"ok"}
    await assert_sound(deployment)


async def parked(deployment: Deployment) -> tuple[int, int]:
    """Return how many messages and keys sla has set aside."""
    [row] = await deployment.fetch(
        "sla",
        "SELECT (SELECT count(*) FROM work.parked_message) AS messages, "
        "(SELECT count(*) FROM work.parked_key) AS keys",
    )
    return row["messages"], row["keys"]


async def test_a_message_that_cannot_be_taken_waits_with_its_key_and_nothing_else(deployment: Deployment):
    worker = deployment.processes["sla-worker"]
    deaths = len(worker.deaths)
    async with a_client(deployment) as client, load_on(deployment) as load:
        async with a_defect(deployment, "sla"):
            await worker.kill(armed="park.mid:1")
            answer = await ask(client, "poison")
            poisoned = answer.json()["id"]
            await worker.has_died(deaths + 2)
            assert worker.deaths[-1] == EXIT_CODE
            await until(lambda: _is(deployment, (1, 1)), "the message is not parked")
            await ask(client, "cured", f"/{poisoned}/triage")
            await until(lambda: _is(deployment, (2, 1)), "its successor is not parked behind it")
            await load.answered(10)
        await unpark(deployment, armed="unpark.mid:1", status=EXIT_CODE)
        assert await parked(deployment) == (2, 1)
        await unpark(deployment)
        assert await parked(deployment) == (0, 0)
    await assert_sound(deployment)


async def _is(deployment: Deployment, wanted: tuple[int, int]) -> bool:
    return await parked(deployment) == wanted


async def unpark(deployment: Deployment, *, armed: str = "", status: int = 0) -> None:
    environment = {**deployment.environment("sla"), **({VARIABLE: armed} if armed else {})}
    await finished("-m", "services", "unpark", "--service", "sla", environment=environment, status=status)


async def hashes(deployment: Deployment, service: str) -> dict[str, str]:
    """Return the hash of every read model's table."""
    models: tuple[ReadModel, ...] = DEFINITIONS[service].log.read_models
    conn = await asyncpg.connect(deployment.databases[service].owner_url)
    try:
        return {model.name: await table_hash(conn, model.table) for model in models}
    finally:
        await conn.close()


@pytest.mark.parametrize("service", ["intake", "sla"])
async def test_a_rebuild_that_dies_changes_nothing_and_one_that_ends_gives_the_same(
    deployment: Deployment, service: str
):
    arguments: Any = ("-m", "services", "rebuild", "--service", service)
    environment = deployment.environment(service)
    async with load_on(deployment) as load:
        await load.answered(10)
        for hit in (1, 2):
            armed = {**environment, VARIABLE: f"rebuild.before_switch:{hit}"}
            await finished(*arguments, environment=armed, status=EXIT_CODE)
        await finished(*arguments, environment=environment)
        await load.answered(10)
    await assert_sound(deployment)
    live = await hashes(deployment, service)
    await finished(*arguments, environment=environment)
    assert await hashes(deployment, service) == live
