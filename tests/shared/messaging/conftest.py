"""A fresh pair of services for every test of the traffic between them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.shared.messaging import depot
from tests.support import parcels
from tests.support.real import FreshDatabases


@pytest.fixture
async def world(fresh_databases: FreshDatabases) -> AsyncIterator[depot.World]:
    topic = f"plumbline.parcels.t{uuid4().hex}s.v1"
    source = await fresh_databases("parcels", parcels.migrate)
    hearing = await fresh_databases("depot", depot.migrate)
    async with depot.a_world(topic, source, hearing) as world:
        yield world
