"""Which hours each calendar keeps, version by version; version 0 is the draft."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import JSONB

from services.sla.domain.calendar.events import CalendarDrafted, CalendarPublished
from services.sla.domain.hours import Pattern
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel
from shared.runtime.database import Database

PATTERN: TypeAdapter[Pattern] = TypeAdapter(Pattern)
DRAFT = 0
VersionKey = tuple[UUID, int]

TABLE = sa.Table(
    "calendars_v1",
    sa.MetaData(schema="read"),
    sa.Column("calendar_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("zone", sa.Text, nullable=False),
    sa.Column("effective_from", sa.DateTime(timezone=True)),
    sa.Column("zone_release", sa.Text, nullable=False),
    sa.Column("pattern", JSONB, nullable=False),
    sa.Column("holiday_source", JSONB, nullable=False),
    sa.Column("maintenance", JSONB, nullable=False),
)


def _fold(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        event = recorded.event
        published = isinstance(event, CalendarPublished)
        changes.put(
            (recorded.stream_id, event.version if published else DRAFT),
            name=event.name,
            zone=event.pattern.zone,
            effective_from=event.effective_from if published else None,
            zone_release=event.zone_release if published else "",
            pattern=PATTERN.dump_python(event.pattern, mode="json"),
            holiday_source=asdict(event.holiday_source),
            maintenance=[asdict(window) for window in event.maintenance],
        )
        if published:
            changes.delete((recorded.stream_id, DRAFT))


CALENDARS = ReadModel(
    name="calendars", version=1, table=TABLE, follows=(CalendarDrafted, CalendarPublished), fold=_fold
)


async def published(database: Database, calendar_ids: Collection[UUID]) -> list[Any]:
    """Return id, version and effective date of these calendars' versions, the earliest first."""
    columns = (TABLE.c.calendar_id, TABLE.c.version, TABLE.c.effective_from)
    statement = sa.select(*columns).where(
        TABLE.c.calendar_id.in_(list(calendar_ids)), TABLE.c.version != DRAFT
    )
    return await database.rows(statement.order_by(TABLE.c.effective_from, TABLE.c.version))


async def patterns_of(database: Database, versions: Collection[VersionKey]) -> Mapping[VersionKey, Pattern]:
    """Return the patterns of these versions, with one statement."""
    key = sa.tuple_(TABLE.c.calendar_id, TABLE.c.version)
    columns = (TABLE.c.calendar_id, TABLE.c.version, TABLE.c.pattern)
    rows = await database.rows(sa.select(*columns).where(key.in_(list(versions))))
    return {(row["calendar_id"], row["version"]): PATTERN.validate_json(row["pattern"]) for row in rows}


async def versions_of(database: Database, calendar_id: UUID) -> list[Any]:
    """Return a calendar's versions, the newest first, the draft last."""
    statement = sa.select(TABLE).where(TABLE.c.calendar_id == calendar_id)
    return await database.rows(statement.order_by(TABLE.c.version.desc()))


async def listed(database: Database, limit: int, after: tuple[str, UUID, int] | None) -> list[Any]:
    """Return every version without its hours, by name."""
    order = (TABLE.c.name, TABLE.c.calendar_id, TABLE.c.version)
    statement = sa.select(*order, TABLE.c.zone, TABLE.c.effective_from, TABLE.c.zone_release)
    if after is not None:
        statement = statement.where(sa.tuple_(*order) > sa.tuple_(*map(sa.literal, after)))
    return await database.rows(statement.order_by(*order).limit(limit))
