"""What sla's timers have to do: an agreement, a million clocks that run, records with a chosen deadline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg

from bench.load import WrongAnswer
from bench.stored import Stored
from services.sla.domain.agreement.commands import DraftAgreement, PutInForce, SignAgreement
from services.sla.domain.agreement.decider import AGREEMENT
from services.sla.domain.record.commands import RecordFact
from services.sla.domain.record.decider import RECORD
from services.sla.domain.target import Condition, Limit, RecordKind, Target
from services.sla.domain.terms import AgreementKind, Party, Terms
from shared.eventsourcing.log import Appended, Meta, Step, Unit
from shared.runtime.ids import uuid7

ARMED = 1_000_000
FILLING = Path(__file__).with_name("armed.sql")
_AGREEMENT_ID = uuid7()
_LIMIT = timedelta(hours=2)
_BATCH = 500
_META = Meta(actor="bench", correlation_id="bench")


async def arm(url: str) -> None:
    """Put a million running clocks into sla's read models, as their events would have left them."""
    conn = await asyncpg.connect(url)
    try:
        await conn.execute(FILLING.read_text(), ARMED, _AGREEMENT_ID)
        await conn.execute(
            "VACUUM ANALYZE read.due_v1, read.records_v1, read.clocks_v1"
        )  # as autovacuum does
    finally:
        await conn.close()


async def put_in_force(stored: Stored) -> None:
    """Let an agreement promise fulfilment in less than two hours, round the clock, for everything."""
    now = datetime.now(UTC)
    target = Target(
        name="fulfilment",
        words="Requests are fulfilled in less than two hours.",
        start=(Condition(fact="request.submitted"),),
        stop=(Condition(fact="request.fulfilled"),),
        seconds=int(_LIMIT.total_seconds()),
        limit=Limit.UNDER,
        thresholds=(100,),
    )
    terms = Terms(
        kind=AgreementKind.SLA,
        title="Two hours",
        revision="1",
        provider="IT",
        customer="Everybody",
        in_force_from=now - timedelta(days=365),
        targets=(target,),
    )
    for command in (
        DraftAgreement(terms=terms, drafted_at=now, new=True),
        *(SignAgreement(party=party, by="bench", signed_at=now) for party in Party),
        PutInForce(agreement_id=_AGREEMENT_ID, rivals=(), without_hours=(), decided_at=now),
    ):
        step = Step(decider=AGREEMENT, stream_id=_AGREEMENT_ID, command=command)
        await _append(stored, [Unit(steps=(step,), meta=_META)])


async def submitted(stored: Stored, deadlines: Sequence[datetime]) -> list[UUID]:
    """Record that requests were submitted two hours before these whole seconds; return their ids."""
    units = list(_units(deadlines))
    for begin in range(0, len(units), _BATCH):
        await _append(stored, units[begin : begin + _BATCH])
    return [unit.steps[0].stream_id for unit in units]


def _units(deadlines: Sequence[datetime]) -> Iterator[Unit]:
    for deadline in deadlines:
        record_id = uuid7()
        command = RecordFact(
            key=str(record_id),
            kind="request.submitted",
            record=RecordKind.REQUEST,
            happened_at=deadline - _LIMIT,
            historic=False,
            attributes={"number": "REQ-2026-000001", "kind": "incident", "service": "Service 1"},
        )
        step = Step(decider=RECORD, stream_id=record_id, command=command, new=True)
        yield Unit(steps=(step,), meta=_META)


async def _append(stored: Stored, units: Sequence[Unit]) -> None:
    async with stored.database.transaction() as conn:
        outcomes = await stored.store.append(conn, units)
    refused = [outcome for outcome in outcomes if not isinstance(outcome, Appended)]
    if refused:
        raise WrongAnswer(f"the log refused {refused[0]!r}")
