"""What is due: new facts, deadlines up to which intake is heard, new agreements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.sla.domain.agreement.commands import ApplyCoverage
from services.sla.domain.agreement.decider import AGREEMENT
from services.sla.domain.record.commands import CheckRecord
from services.sla.domain.record.decider import RECORD
from services.sla.projections.covers import all_covers, cover_of
from services.sla.projections.due import BY_AGREEMENT, BY_DEADLINE, DUE
from services.sla.projections.promises import Promised, Promises
from services.sla.projections.records import coverable, records_of
from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import Meta, Step, Unit
from shared.eventsourcing.timers import Due, TimerPoller
from shared.http.context import ServiceContext
from shared.messaging.lease import Lease
from shared.runtime.clock import Clock
from shared.runtime.database import Database
from shared.runtime.ids import uuid7

ACTOR = "sla timers"
COVERAGE_PAGE = 500


class Checks:
    """Turns a page of due rows into checks, all lookups of the page at once."""

    def __init__(self, database: Database, store: EventStore, clock: Clock) -> None:
        self._database = database
        self._store = store
        self._clock = clock
        self._promises = Promises(database)

    async def issue(self, rows: Sequence[Due]) -> list[Unit]:
        """Return the checks of these rows; a record's rows and an agreement's first page of records."""
        units = await self._of_records([row for row in rows if row.kind != BY_AGREEMENT])
        for row in rows:
            if row.kind == BY_AGREEMENT:
                units += await self._of_agreement(row)
        return units

    async def _of_records(self, rows: Sequence[Due]) -> list[Unit]:
        if not rows:
            return []
        known, records = await asyncio.gather(
            all_covers(self._database), records_of(self._database, [row.subject for row in rows])
        )
        promised = await self._promises.of(list(records.values()), known)
        return [
            # Everything up to a deadline row's moment has been heard, else the row would not have fired.
            self._check(
                row.subject,
                row.seq,
                max(row.due_at, row.attached_at) if row.kind == BY_DEADLINE else None,
                promised[row.subject],
            )
            for row in rows
            if row.subject in records
        ]

    async def _of_agreement(self, row: Due) -> list[Unit]:
        """Look again at a page of the records that were uncovered before this agreement came into force."""
        async with self._database.connection() as conn:
            state, _ = await self._store.load(conn, AGREEMENT, row.subject)
        found: list[Any] = []
        if state.in_force is not None:
            cover = cover_of(row.subject, state.in_force, state.in_force_terms)
            found = await coverable(self._database, cover, state.covered_after, COVERAGE_PAGE)
        promised = await self._promises.of(found, await all_covers(self._database))
        applied = ApplyCoverage(
            seq=row.seq,
            after=found[-1]["record_id"] if found else None,
            done=len(found) < COVERAGE_PAGE,
            applied_at=self._clock.now(),
        )
        checks = [self._check(r["record_id"], r["seq"], None, promised[r["record_id"]]) for r in found]
        return [*checks, _unit(Step(decider=AGREEMENT, stream_id=row.subject, command=applied))]

    def _check(self, record_id: UUID, seq: int, as_of: datetime | None, promised: Promised) -> Unit:
        command = CheckRecord(
            record_id=record_id,
            seq=seq,
            as_of=as_of,
            now=self._clock.now(),
            promises=promised.promises,
            covered=promised.covered,
        )
        return _unit(Step(decider=RECORD, stream_id=record_id, command=command))


def _unit(step: Step) -> Unit:
    return Unit(steps=(step,), meta=Meta(actor=ACTOR, correlation_id=str(uuid7())))


def timers(context: ServiceContext) -> Sequence[TimerPoller]:
    """Return the one poller of this service."""
    return [
        TimerPoller(
            context.database,
            context.store,
            DUE,
            progress=context.progress,
            issue=Checks(context.database, context.store, context.clock).issue,
            lease=Lease(context.database, "timers"),
            metrics=context.metrics,
        )
    ]
