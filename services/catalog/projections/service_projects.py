"""Which approved projects work on a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.catalog.domain.service import events
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel

TABLE = sa.Table(
    "service_projects_v1",
    sa.MetaData(),
    sa.Column("service_id", sa.Uuid, primary_key=True),
    sa.Column("project_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.String, nullable=False),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("description", sa.String, nullable=False),
    sa.Column("designation", sa.String, nullable=False),
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("team", sa.String, nullable=False),
    sa.Column("new_service", sa.Boolean, nullable=False),
    sa.Column("known_before", sa.Boolean, nullable=False),
    sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
    schema="read",
)


def fold(recorded: Sequence[Recorded], changes: Changes) -> None:
    """Keep one row per service and project."""
    for each in recorded:
        event = each.event
        if isinstance(event, events.ProjectLinked):
            changes.put(
                (each.stream_id, event.project_id),
                number=event.number,
                title=event.title,
                description=event.description,
                designation=event.designation,
                owner=event.owner,
                team=event.team,
                new_service=event.new_service,
                known_before=event.known_before,
                approved_at=event.occurred_at,
            )


SERVICE_PROJECTS = ReadModel(
    name="service_projects", version=1, table=TABLE, follows=(events.ProjectLinked,), fold=fold
)


def projects(service_id: UUID) -> sa.Select[Any]:
    """Select a service's projects, the newest first."""
    return (
        sa.select(TABLE)
        .where(TABLE.c.service_id == service_id)
        .order_by(TABLE.c.approved_at.desc(), TABLE.c.project_id)
    )
