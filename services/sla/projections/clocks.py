"""Which clocks run, which are next to breach, and what became of the others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.sla.domain.lifecycle import LIVE, ClockState
from services.sla.domain.record.events import (
    BreachWithdrawn,
    ClockAttached,
    ClockBreached,
    ClockCancelled,
    ClockMet,
    ClockRescheduled,
    ThresholdReached,
)
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel
from shared.runtime.database import Database

TABLE = sa.Table(
    "clocks_v1",
    sa.MetaData(schema="read"),
    sa.Column("clock_id", sa.Uuid, primary_key=True),
    sa.Column("record_id", sa.Uuid, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("agreement_id", sa.Uuid, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("target_version", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("limit_seconds", sa.Integer, nullable=False),
    sa.Column("due_at", sa.DateTime(timezone=True)),
    sa.Column("threshold", sa.Integer, nullable=False),
    sa.Column("breached_at", sa.DateTime(timezone=True)),
    sa.Column("detected_at", sa.DateTime(timezone=True)),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    sa.Column("elapsed_seconds", sa.Integer),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("historic", sa.Boolean, nullable=False),
    sa.Index("clocks_v1_record_id", "record_id"),
    # Breached clocks are no longer at risk, so the next breach is the first entry of this index.
    sa.Index(
        "clocks_v1_at_risk",
        "due_at",
        "clock_id",
        postgresql_where=sa.text("state = 'running' AND breached_at IS NULL"),
    ),
)


def _fold(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        event = recorded.event
        match event:
            case ClockAttached():
                _attach(recorded.stream_id, event, changes)
            case ClockRescheduled():
                changes.set(
                    event.clock_id,
                    state=event.state,
                    due_at=event.due_at,
                    ended_at=None,
                    elapsed_seconds=None,
                )
            case ThresholdReached():
                changes.set(event.clock_id, threshold=event.threshold)
            case ClockBreached():
                changes.set(
                    event.clock_id,
                    breached_at=event.occurred_at,
                    detected_at=event.detected_at,
                    due_at=event.due_at,
                )
            case BreachWithdrawn():
                changes.set(event.clock_id, breached_at=None, detected_at=None)
            case ClockMet():
                changes.set(
                    event.clock_id,
                    state=ClockState.MET,
                    ended_at=event.occurred_at,
                    elapsed_seconds=event.elapsed_seconds,
                )
            case ClockCancelled():
                changes.set(
                    event.clock_id,
                    state=ClockState.CANCELLED,
                    ended_at=event.occurred_at,
                    reason=event.reason,
                )


def _attach(record_id: UUID, event: ClockAttached, changes: Changes) -> None:
    changes.put(
        event.clock_id,
        record_id=record_id,
        record=event.record,
        agreement_id=event.agreement_id,
        target=event.target,
        target_version=event.target_version,
        state=ClockState.RUNNING,
        started_at=event.occurred_at,
        limit_seconds=event.limit_seconds,
        due_at=event.due_at,
        threshold=0,
        breached_at=None,
        detected_at=None,
        ended_at=None,
        elapsed_seconds=None,
        reason="",
        historic=event.historic,
    )


CLOCKS = ReadModel(
    name="clocks",
    version=1,
    table=TABLE,
    follows=(
        ClockAttached,
        ClockRescheduled,
        ThresholdReached,
        ClockBreached,
        BreachWithdrawn,
        ClockMet,
        ClockCancelled,
    ),
    fold=_fold,
)


async def clock_by_id(database: Database, clock_id: UUID) -> Any | None:
    """Return one clock's row."""
    return await database.row(sa.select(TABLE).where(TABLE.c.clock_id == clock_id))


async def of_record(database: Database, record_id: UUID) -> list[Any]:
    """Return all clocks of a record, in the order in which they started."""
    statement = sa.select(TABLE).where(TABLE.c.record_id == record_id)
    return await database.rows(statement.order_by(TABLE.c.started_at, TABLE.c.clock_id))


async def at_risk(database: Database, limit: int, after: tuple[datetime, UUID] | None) -> list[Any]:
    """Return running clocks that are not breached yet, the next to breach first."""
    # Written out, not bound: the partial index serves only a condition that is seen to imply its own.
    statement = sa.select(TABLE).where(sa.text("state = 'running' AND breached_at IS NULL"))
    return await _page(database, statement, limit, after)


async def breached(database: Database, limit: int, after: tuple[datetime, UUID] | None) -> list[Any]:
    """Return live clocks whose time has run out, the longest late first."""
    live = sorted(state.value for state in LIVE)
    statement = sa.select(TABLE).where(TABLE.c.state.in_(live), TABLE.c.breached_at.is_not(None))
    return await _page(database, statement, limit, after)


async def counts(database: Database) -> list[Any]:
    """Count clocks by target and history: attached in all, and what became of them."""
    by = (TABLE.c.agreement_id, TABLE.c.target, TABLE.c.historic)
    broken = TABLE.c.breached_at.is_not(None)
    met = TABLE.c.state == ClockState.MET.value

    def number(condition: sa.ColumnElement[bool], name: str) -> sa.Label[int]:
        return sa.func.count().filter(condition).label(name)

    statement = sa.select(
        *by,
        sa.func.count().label("attached"),
        number(met, "met"),
        number(met & broken, "met_late"),
        number(broken, "breached"),
        number(TABLE.c.state == ClockState.CANCELLED.value, "cancelled"),
        number(TABLE.c.state == ClockState.RUNNING.value, "running"),
        number(TABLE.c.state == ClockState.PAUSED.value, "paused"),
    )
    return await database.rows(statement.group_by(*by).order_by(*by))


async def _page(
    database: Database,
    statement: sa.Select[Any],
    limit: int,
    after: tuple[datetime, UUID] | None,
) -> list[Any]:
    if after is not None:
        order = sa.tuple_(TABLE.c.due_at, TABLE.c.clock_id)
        statement = statement.where(order > sa.tuple_(*map(sa.literal, after)))
    return await database.rows(statement.order_by(TABLE.c.due_at, TABLE.c.clock_id).limit(limit))
