"""What has been agreed with whom, and how far each agreement's newest version has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from services.sla.domain.agreement.events import (
    AgreementDrafted,
    AgreementInForce,
    AgreementPartySigned,
    AgreementSigned,
    AgreementSuperseded,
    AgreementTerminated,
)
from services.sla.domain.terms import Party
from services.sla.projections.covers import TERMS
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel
from shared.runtime.database import Database

TABLE = sa.Table(
    "agreements_v1",
    sa.MetaData(schema="read"),
    sa.Column("agreement_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("revision", sa.Text, nullable=False),
    sa.Column("signed_by_provider", sa.Text, nullable=False),
    sa.Column("signed_by_customer", sa.Text, nullable=False),
    sa.Column("in_force_from", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ends_at", sa.DateTime(timezone=True)),
    sa.Column("terms", JSONB, nullable=False),
)


def _fold(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        event = recorded.event
        key = (recorded.stream_id, event.version)
        match event:
            case AgreementDrafted(terms=terms):
                changes.put(
                    key,
                    stage="draft",
                    kind=terms.kind,
                    title=terms.title,
                    revision=terms.revision,
                    signed_by_provider="",
                    signed_by_customer="",
                    in_force_from=terms.in_force_from,
                    ends_at=terms.in_force_until,
                    terms=TERMS.dump_python(terms, mode="json"),
                )
            case AgreementPartySigned(party=Party.PROVIDER):
                changes.set(key, signed_by_provider=event.by)
            case AgreementPartySigned():
                changes.set(key, signed_by_customer=event.by)
            case AgreementSigned():
                changes.set(key, stage="signed")
            case AgreementInForce():
                changes.set(key, stage="in_force")
            case AgreementSuperseded():
                changes.set(key, stage="superseded", ends_at=event.ends_at)
            case AgreementTerminated():
                changes.set(key, stage="terminated", ends_at=event.ends_at)


AGREEMENTS = ReadModel(
    name="agreements",
    version=1,
    table=TABLE,
    follows=(
        AgreementDrafted,
        AgreementPartySigned,
        AgreementSigned,
        AgreementInForce,
        AgreementSuperseded,
        AgreementTerminated,
    ),
    fold=_fold,
)


async def versions_of(database: Database, agreement_id: UUID) -> list[Any]:
    """Return an agreement's versions, the newest first."""
    statement = sa.select(TABLE).where(TABLE.c.agreement_id == agreement_id)
    return await database.rows(statement.order_by(TABLE.c.version.desc()))


async def listed(database: Database, limit: int, after: tuple[UUID, int] | None) -> list[Any]:
    """Return every version without its terms, the agreement last drafted first."""
    columns = [column for column in TABLE.c if column.name != "terms"]
    statement = sa.select(*columns)
    if after is not None:
        key = sa.tuple_(TABLE.c.agreement_id, TABLE.c.version)
        statement = statement.where(key < sa.tuple_(*map(sa.literal, after)))
    return await database.rows(
        statement.order_by(TABLE.c.agreement_id.desc(), TABLE.c.version.desc()).limit(limit)
    )
