"""Intake as it runs, with an empty log for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.intake.app import definition
from tests.intake.builders import MONDAY
from tests.support.real import FreshDatabases
from tests.support.running import RunningService, migrated, running

DEFINITION = definition()
PREPARE = migrated(DEFINITION)


@pytest.fixture
async def intake(fresh_databases: FreshDatabases, tmp_path: Path) -> AsyncIterator[RunningService]:
    databases = await fresh_databases("intake", PREPARE)
    async with running(DEFINITION, databases, tmp_path, MONDAY) as service:
        yield service
