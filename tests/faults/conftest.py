"""One deployment for the fault tests that leave it as it was: services, Kafka, clocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults import world
from tests.support.deployment import Deployment, deployed


@pytest.fixture(scope="session")
async def running_deployment(kafka_libraries: Path) -> AsyncIterator[Deployment]:
    """Intake, demand and sla in six processes; every request of the load is late after a second."""
    async with deployed(kafka_libraries, world.SERVICES) as deployment:
        await world.promise(deployment)
        yield deployment


@pytest.fixture
async def deployment(running_deployment: Deployment) -> Deployment:
    """The deployment, ready. Every test asserts at its end that it is sound."""
    await running_deployment.ready()
    return running_deployment
