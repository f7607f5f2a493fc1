"""What is known of a record for finding its agreement, and whether one covers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.sla.domain.coverage import Cover
from services.sla.domain.record.events import FactRecorded, RecordChecked
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel
from shared.runtime.database import Database

TABLE = sa.Table(
    "records_v1",
    sa.MetaData(schema="read"),
    sa.Column("record_id", sa.Uuid, primary_key=True),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("customer", sa.Text, nullable=False),
    sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("historic", sa.Boolean, nullable=False),
    sa.Column("covered", sa.Boolean),
    sa.Index("records_v1_covered_opened_at", "covered", "opened_at", "record_id"),
)
_OPENING = frozenset({"request.submitted", "rfc.submitted"})
_TOLD = {"number": "number", "service": "service", "customer": "business_unit"}


def _fold(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        event = recorded.event
        match event:
            case FactRecorded(seq=1, attributes=told):
                changes.put(
                    recorded.stream_id,
                    record=event.record,
                    number=told.get("number", ""),
                    service=told.get("service", ""),
                    customer=told.get("business_unit", ""),
                    opened_at=event.occurred_at,
                    seq=1,
                    historic=event.historic,
                    covered=None,
                )
            case FactRecorded():
                told = {c: event.attributes[name] for c, name in _TOLD.items() if name in event.attributes}
                opening = {"opened_at": event.occurred_at} if event.kind in _OPENING else {}
                changes.set(recorded.stream_id, seq=event.seq, **told, **opening)
            case RecordChecked():
                changes.set(recorded.stream_id, seq=event.seq, covered=event.covered)


RECORDS = ReadModel(name="records", version=1, table=TABLE, follows=(FactRecorded, RecordChecked), fold=_fold)


async def records_of(database: Database, record_ids: Sequence[UUID]) -> Mapping[UUID, Any]:
    """Return the rows of these records by id, with one statement."""
    rows = await database.rows(sa.select(TABLE).where(TABLE.c.record_id.in_(record_ids)))
    return {row["record_id"]: row for row in rows}


async def coverable(database: Database, cover: Cover, after: UUID | None, limit: int) -> list[Any]:
    """Return records without an SLA that this cover includes, in the order of their ids."""
    statement = sa.select(TABLE).where(TABLE.c.covered.is_(False), TABLE.c.opened_at >= cover.starts_at)
    if cover.ends_at is not None:
        statement = statement.where(TABLE.c.opened_at < cover.ends_at)
    if cover.services:
        statement = statement.where(TABLE.c.service.in_(sorted(cover.services)))
    if cover.customers:
        statement = statement.where(TABLE.c.customer.in_(sorted(cover.customers)))
    if after is not None:
        statement = statement.where(TABLE.c.record_id > after)
    return await database.rows(statement.order_by(TABLE.c.record_id).limit(limit))


async def uncovered(database: Database, limit: int, after: tuple[datetime, UUID] | None) -> list[Any]:
    """Return records that no SLA covers, the latest opened first."""
    order = sa.tuple_(TABLE.c.opened_at, TABLE.c.record_id)
    statement = sa.select(TABLE).where(TABLE.c.covered.is_(False))
    if after is not None:
        statement = statement.where(order < sa.tuple_(*map(sa.literal, after)))
    return await database.rows(
        statement.order_by(TABLE.c.opened_at.desc(), TABLE.c.record_id.desc()).limit(limit)
    )


async def counts(database: Database) -> list[Any]:
    """Count records by kind, history and coverage (NULL: not looked at yet)."""
    by = (TABLE.c.record, TABLE.c.historic, TABLE.c.covered)
    return await database.rows(sa.select(*by, sa.func.count().label("records")).group_by(*by).order_by(*by))
