"""The same journey as deployed: eight processes, one PostgreSQL, Kafka, settings alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from aiokafka import AIOKafkaConsumer
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event

from services.command_line.journey import PEOPLE, Journey
from shared.contracts.registry import TOPICS
from tests.support.deployment import Deployment, deployed
from tests.support.kafka import Broker
from tests.support.processes import until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]
BUDGET_SECONDS = 25


class Stranger:
    """A client that knows topics and CloudEvents and nothing of ours: official SDK, plain consumer."""

    def __init__(self, servers: str) -> None:
        self.events: dict[tuple[str, str], BaseCloudEvent] = {}
        self._consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=servers, auto_offset_reset="earliest")

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._consumer.stop()

    async def heard(self, kind: str, subject: str) -> Mapping[str, Any]:
        """Return the event once it has come."""

        async def come() -> bool:
            return (kind, subject) in self.events or self._reading.done()

        await until(come, f"{kind} about {subject} did not come")
        event = self.events[kind, subject]
        return {"headers": {"ce_type": event.get_type()}, "data": event.get_data()}

    async def _read(self) -> None:
        async for record in self._consumer:
            event = from_binary_event(
                KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
            )
            self.events[event.get_type(), str(event.get_subject())] = event


@pytest.fixture(scope="module")
async def deployment(kafka_libraries: Path, kafka: Broker) -> AsyncIterator[Deployment]:
    """Everything as deployed, on the session's broker unless that is somebody else's."""
    async with deployed(kafka_libraries, on=kafka if kafka.folder else None) as deployment:
        yield deployment


async def test_a_request_becomes_a_change_a_project_and_a_breach(deployment: Deployment):
    async with Stranger(deployment.broker.bootstrap_servers) as stranger:
        journey = Journey(lambda name: deployment.access(name, *PEOPLE[name]), stranger)
        told = [step.what async for step in journey.play()]
        classified = stranger.events["plumbline.rfc.classified.v1", journey.rfc_id]
        breached = stranger.events["plumbline.sla.breached.v1", journey.request_id]
    assert len(told) == 12
    assert classified.get_source() == "/intake"
    assert classified.get_specversion() == "1.0"
    assert classified.get_data()["impact"] == "high"  # type: ignore[index,call-overload]
    assert breached.get_source() == "/sla"


@pytest.mark.fault
async def test_every_process_ends_in_good_order_and_comes_back(deployment: Deployment):
    began = asyncio.get_running_loop().time()
    assert set((await deployment.end()).values()) == {0}
    assert asyncio.get_running_loop().time() - began < BUDGET_SECONDS
    for process in deployment.processes.values():
        process.supervised()
    await deployment.ready()
