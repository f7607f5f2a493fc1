"""The parcels service's databases and store, new for each test that asks for them."""

from __future__ import annotations

import pytest

from tests.support.parcels import migrate, opened


@pytest.fixture
async def databases(fresh_databases):
    return await fresh_databases("parcels", migrate)


@pytest.fixture
async def parcels(databases):
    async with opened(databases) as parcels:
        yield parcels
