"""Which agreements are in force for a service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from services.catalog.domain.agreement import events
from services.catalog.domain.facts import normal_form
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel

TABLE = sa.Table(
    "service_agreements_v1",
    sa.MetaData(),
    sa.Column("agreement_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("services", JSONB, nullable=False),
    sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ends_at", sa.DateTime(timezone=True)),
    schema="read",
)


def fold(recorded: Sequence[Recorded], changes: Changes) -> None:
    """Keep one row per agreement: its newest version."""
    for each in recorded:
        event = each.event
        match event:
            case events.AgreementNoted():
                changes.put(
                    each.stream_id,
                    version=event.version,
                    kind=event.kind,
                    title=event.title,
                    services=list(event.services),
                    starts_at=event.starts_at,
                    ends_at=event.ends_at,
                )
            case events.AgreementEndNoted():
                changes.set(each.stream_id, ends_at=event.ends_at)


SERVICE_AGREEMENTS = ReadModel(
    name="service_agreements",
    version=1,
    table=TABLE,
    follows=(events.AgreementNoted, events.AgreementEndNoted),
    fold=fold,
)


def in_force(at: datetime, name: str | None = None) -> sa.Select[Any]:
    """Select the agreements that count at a moment, for one service or for all of them."""
    chosen = (
        sa.select(TABLE)
        .where(TABLE.c.starts_at <= at, sa.or_(TABLE.c.ends_at.is_(None), TABLE.c.ends_at > at))
        .order_by(TABLE.c.title, TABLE.c.agreement_id)
    )
    if name is None:
        return chosen
    return chosen.where(sa.func.jsonb_exists(TABLE.c.services, sa.cast(normal_form(name), sa.String)))
