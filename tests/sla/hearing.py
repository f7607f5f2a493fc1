"""Intake's messages as sla's consumer gets them, and timers fired by hand."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

from services.sla.projections.due import DUE
from services.sla.subscribes import hear
from services.sla.timers import Checks
from shared.contracts import intake
from shared.contracts.envelope import Contract, Envelope
from shared.eventsourcing.log import Unit
from shared.eventsourcing.timers import TimerPoller
from shared.messaging.lease import Lease
from shared.messaging.message import Heard
from shared.runtime.ids import uuid7
from tests.support.running import RunningService

INCARNATION = uuid7()
# Monday 18 May 2026, 09:00 at Woodgrove.
MONDAY = datetime(2026, 5, 18, 16, 0, tzinfo=UTC)
_POSITIONS = count(1)


def submission(request_id: UUID, at: datetime = MONDAY, **changes: Any) -> intake.RequestSubmitted:
    told: dict[str, Any] = {
        "request_id": request_id,
        "number": "REQ-2026-000001",
        "kind": "incident",
        "requester_id": uuid7(),
        "business_unit": "Retail Banking",
        "channel": "phone",
        "source_type": "it_department",
        "service": "Desktop Computing Service",
        "impact": "medium",
        "urgency": "medium",
        "priority": 3,
        "complete_outage": False,
        "units": 1,
        "occurred_at": at,
    }
    return intake.RequestSubmitted.model_validate(told | changes)


def heard(contract: Contract, subject: UUID) -> Heard:
    position = next(_POSITIONS)
    envelope = Envelope(
        id=uuid7(),
        source="/intake",
        type=contract.TYPE,
        subject=str(subject),
        time=contract.occurred_at,
        recorded_at=contract.occurred_at,
        topic=contract.TOPIC,
        partition=0,
        position=position,
        prev=position - 1,
        incarnation=INCARNATION,
        hash="0" * 64,
        sequence=1,
        correlationid="correlation",
        actor="anna",
    )
    return Heard(envelope=envelope, contract=contract)


def units(request_id: UUID, *contracts: Contract) -> list[Unit]:
    return [unit for contract in contracts for unit in hear(heard(contract, request_id))]


class Source:
    """How far intake is heard: the twin of the consumer's progress, set by the test."""

    def __init__(self) -> None:
        self.as_of: datetime | None = None
        self.parked: set[UUID] = set()

    async def complete(self, sources: Collection[str]) -> datetime | None:
        assert set(sources) == {"intake"}
        return self.as_of

    async def parked_keys(self, source: str) -> Collection[bytes]:
        assert source == "intake"
        return [str(subject).encode() for subject in self.parked]


class Timers:
    """The service's own poller, fired by hand until nothing is due."""

    def __init__(self, service: RunningService) -> None:
        context = service.context
        self.source = Source()
        self._lease = Lease(context.database, "timers")
        self._poller = TimerPoller(
            context.database,
            context.store,
            DUE,
            progress=self.source,
            issue=Checks(context.database, context.store, context.clock).issue,
            lease=self._lease,
        )

    async def fire(self) -> int:
        assert await self._lease.hold()
        return await self._poller.round()

    async def fire_all(self) -> int:
        fired = 0
        while found := await self.fire():
            fired += found
        return fired
