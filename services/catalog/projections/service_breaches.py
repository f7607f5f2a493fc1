"""How often was each agreement broken, by target and month."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.catalog.domain.breach import events
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel

MONTHS_SHOWN = 24

TABLE = sa.Table(
    "service_breaches_v1",
    sa.MetaData(),
    sa.Column("agreement_id", sa.Uuid, primary_key=True),
    sa.Column("month", sa.Date, primary_key=True),
    sa.Column("target", sa.String, primary_key=True),
    sa.Column("breaches", sa.Integer, nullable=False, default=0),
    schema="read",
)


def fold(recorded: Sequence[Recorded], changes: Changes) -> None:
    """Count up, and down again when a breach is withdrawn."""
    for each in recorded:
        event = each.event
        match event:
            case events.BreachNoted():
                changes.add((event.agreement_id, event.month, event.target), breaches=1)
            case events.BreachWithdrawalNoted():
                changes.add((event.agreement_id, event.month, event.target), breaches=-1)


SERVICE_BREACHES = ReadModel(
    name="service_breaches",
    version=1,
    table=TABLE,
    follows=(events.BreachNoted, events.BreachWithdrawalNoted),
    fold=fold,
)


def breaches(agreements: Iterable[UUID]) -> sa.Select[Any]:
    """Select the counts of these agreements, the latest months first."""
    return (
        sa.select(TABLE)
        .where(TABLE.c.agreement_id.in_(list(agreements)), TABLE.c.breaches > 0)
        .order_by(TABLE.c.month.desc(), TABLE.c.agreement_id, TABLE.c.target)
        .limit(MONTHS_SHOWN * 10)
    )
