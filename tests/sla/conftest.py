"""sla as it runs, with an empty log for every test, and Woodgrove's agreement on request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.sla.app import definition
from shared.runtime.provisioning import ServiceDatabases
from tests.support.real import FreshDatabases
from tests.support.running import RunningService, migrated, running

NOW = datetime(2026, 6, 17, 9, 0, tzinfo=UTC)
DEFINITION = definition()
PREPARE = migrated(DEFINITION)
SAMPLE = Path(__file__).parents[2] / "examples" / "woodgrove" / "sla.json"


@pytest.fixture
async def databases(fresh_databases: FreshDatabases) -> ServiceDatabases:
    made: ServiceDatabases = await fresh_databases("sla", PREPARE)
    return made


@pytest.fixture
async def sla(databases: ServiceDatabases, tmp_path: Path) -> AsyncIterator[RunningService]:
    async with running(DEFINITION, databases, tmp_path, NOW) as service:
        yield service


@pytest.fixture
def sample() -> list[dict[str, Any]]:
    """The sample's posts, in order."""
    posts: list[dict[str, Any]] = json.loads(SAMPLE.read_text(encoding="utf-8"))["posts"]
    return posts


@pytest.fixture
async def woodgrove(sla: RunningService, sample: list[dict[str, Any]]) -> RunningService:
    """Run sla with Woodgrove Bank's calendar and agreement in force."""
    for post in sample:
        await sla.post(f"{post['path']}", post["body"])
    return sla
