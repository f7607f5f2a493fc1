"""What is due: records with new facts at once, records with a deadline once intake is heard up to it."""

from __future__ import annotations

from collections.abc import Sequence

from services.sla.domain.record.commands import CheckRecord
from services.sla.domain.record.decider import RECORD
from services.sla.projections.due import BY_DEADLINE, DUE
from services.sla.projections.promises import Promises
from services.sla.projections.records import records_of
from shared.eventsourcing.log import Meta, Step, Unit
from shared.eventsourcing.timers import Due, TimerPoller
from shared.http.context import ServiceContext
from shared.messaging.lease import Lease
from shared.runtime.clock import Clock
from shared.runtime.database import Database
from shared.runtime.ids import uuid7

ACTOR = "sla timers"


class Checks:
    """Turns a page of due rows into checks, all lookups of the page at once."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._promises = Promises(database)

    async def issue(self, rows: Sequence[Due]) -> list[Unit]:
        """Return one unit per row; rows of records that are not shown yet wait for the next poll."""
        records = await records_of(self._database, [row.subject for row in rows])
        promised = await self._promises.of(list(records.values()))
        now = self._clock.now()
        return [
            Unit(
                steps=(
                    Step(
                        decider=RECORD,
                        stream_id=row.subject,
                        command=CheckRecord(
                            record_id=row.subject,
                            seq=row.seq,
                            # Everything up to here has been heard, else the row would not have fired.
                            as_of=max(row.due_at, row.attached_at) if row.kind == BY_DEADLINE else None,
                            now=now,
                            promises=promised[row.subject].promises,
                            covered=promised[row.subject].covered,
                        ),
                    ),
                ),
                meta=Meta(actor=ACTOR, correlation_id=str(uuid7())),
            )
            for row in rows
            if row.subject in records
        ]


def timers(context: ServiceContext) -> Sequence[TimerPoller]:
    """Return the one poller of this service."""
    return [
        TimerPoller(
            context.database,
            context.store,
            DUE,
            progress=context.progress,
            issue=Checks(context.database, context.clock).issue,
            lease=Lease(context.database, "timers"),
        )
    ]
