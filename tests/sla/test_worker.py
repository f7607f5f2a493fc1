"""sla's worker by itself: a fact becomes clocks without anybody firing timers by hand."""

from __future__ import annotations

import asyncio
from typing import Any

from services.sla.app import definition
from shared.eventsourcing.log import Appended
from shared.http.service import WORKER, Service
from shared.runtime.ids import uuid7
from tests.sla.hearing import submission, units
from tests.support.running import RunningService

PATIENCE_SECONDS = 20.0


async def clocks_of(service: RunningService, record_id: str) -> Any:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := (await service.get("/v1/clocks", record_id=record_id))["items"]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # another process has no event to wait for
    return found


async def test_a_request_gets_its_clocks_while_intake_is_away(woodgrove: RunningService) -> None:
    worker = Service(definition(), woodgrove.context.settings, roles=frozenset({WORKER}))
    await worker.start()
    try:
        assert worker.context is not None
        request_id = uuid7()
        async with worker.context.database.transaction() as conn:
            outcomes = await worker.context.store.append(conn, units(request_id, submission(request_id)))
        assert all(isinstance(outcome, Appended) for outcome in outcomes)
        clocks = await clocks_of(woodgrove, str(request_id))
        assert {clock["target"] for clock in clocks} == {"contact", "incident-nominal"}
        # Both deadlines have long passed, but whether they were kept only intake knows.
        assert {clock["breached_at"] for clock in clocks} == {None}
        assert b"plumbline_timer_overdue_seconds_count" in worker.metrics.page()
    finally:
        await worker.stop()
