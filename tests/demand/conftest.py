"""Demand as it runs, with an empty log for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.demand.app import definition
from tests.support.real import FreshDatabases
from tests.support.running import RunningService, migrated, running

NOW = datetime(2026, 6, 17, 9, 0, tzinfo=UTC)
DEFINITION = definition()
PREPARE = migrated(DEFINITION)


@pytest.fixture
async def demand(fresh_databases: FreshDatabases, tmp_path: Path) -> AsyncIterator[RunningService]:
    databases = await fresh_databases("demand", PREPARE)
    async with running(DEFINITION, databases, tmp_path, NOW) as service:
        yield service
