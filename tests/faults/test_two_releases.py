"""Release n and n+1 append side by side: no read model of either loses a row."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.eventsourcing import rebuild
from shared.eventsourcing.catch_up import CatchUp
from shared.runtime.provisioning import ServiceDatabases
from tests.support import parcels
from tests.support.processes import Process, clean_environment, until
from tests.support.real import FreshDatabases

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
MORE = 60
KILLS = 3


def release(databases: ServiceDatabases, version: int, folder: Path) -> Process:
    arguments = ["-m", "tests.faults.release_process", json.dumps(asdict(databases)), str(version)]
    return Process(f"release {version}", arguments, clean_environment(), folder / f"{version}.log")


async def scalar(databases: ServiceDatabases, statement: str) -> Any:
    conn = await asyncpg.connect(databases.owner_url)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


async def wrote(databases: ServiceDatabases, *versions: int) -> None:
    """Wait until each of these releases has taken many parcels more."""
    for version in versions:
        count = (
            f"SELECT count(*) FROM log.event WHERE type = 'ParcelWeighed' AND payload->>'grams' = '{version}'"
        )
        before = await scalar(databases, count)

        async def enough(count: str = count, before: int = before) -> bool:
            return await scalar(databases, count) >= before + MORE

        await until(enough, f"release {version} appends nothing")


async def assert_nothing_is_missing(databases: ServiceDatabases, version: int) -> None:
    """Bring the read model to the head as its release would, and compare it with one made anew."""
    model = parcels.parcel_list(version)
    async with parcels.opened(databases, model) as opened:
        catch_up = CatchUp(opened.database, opened.store)
        catch_up.start()
        position = await scalar(databases, "SELECT max(position) FROM log.event")
        await until(lambda: catch_up.caught_up_to(position), f"version {version} is not caught up")
        await catch_up.stop()
    owner = ServiceDatabases(
        url=databases.owner_url,
        keys_url=databases.keys_owner_url,
        owner_url=databases.owner_url,
        keys_owner_url=databases.keys_owner_url,
    )
    async with parcels.opened(owner, model) as opened, opened.database.connection() as conn:
        live = await rebuild.table_hash(conn, model.table)
        await rebuild.rebuild(opened.database, opened.store, model)
        assert await rebuild.table_hash(conn, model.table) == live
    rows = await scalar(databases, f"SELECT count(*) FROM {model.table.fullname}")
    assert rows == await scalar(databases, "SELECT count(*) FROM log.event WHERE type = 'ParcelSent'")


async def test_a_rolling_upgrade_and_its_roll_back_lose_no_row(
    fresh_databases: FreshDatabases, tmp_path: Path
):
    databases = await fresh_databases("parcels", parcels.migrate)
    old, new = release(databases, 1, tmp_path), release(databases, 2, tmp_path)
    old.start()
    await wrote(databases, 1)
    new.start()
    await wrote(databases, 1, 2)
    assert await old.end() == 0
    await wrote(databases, 2)
    old.start()
    await wrote(databases, 1, 2)
    assert await old.end() == 0
    assert await new.end() == 0
    for version in (1, 2):
        await assert_nothing_is_missing(databases, version)


async def test_a_release_that_is_killed_beside_the_other_leaves_no_hole(
    fresh_databases: FreshDatabases, tmp_path: Path
):
    databases = await fresh_databases("parcels", parcels.migrate)
    old, new = release(databases, 1, tmp_path).supervised(), release(databases, 2, tmp_path).supervised()
    for _ in range(KILLS):
        await wrote(databases, 1, 2)
        await old.kill()
        await wrote(databases, 2)
        await new.kill()
    await wrote(databases, 1, 2)
    await old.end()
    await new.end()
    for version in (1, 2):
        await assert_nothing_is_missing(databases, version)
