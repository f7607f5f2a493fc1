"""Which agreement version counts when, and for whom."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import JSONB

from services.sla.domain.agreement.events import AgreementInForce, AgreementSuperseded, AgreementTerminated
from services.sla.domain.coverage import Cover
from services.sla.domain.terms import AgreementKind, Terms
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel
from shared.runtime.database import Database

TERMS: TypeAdapter[Terms] = TypeAdapter(Terms)
VersionKey = tuple[UUID, int]

TABLE = sa.Table(
    "covers_v1",
    sa.MetaData(schema="read"),
    sa.Column("agreement_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("services", JSONB, nullable=False),
    sa.Column("customers", JSONB, nullable=False),
    sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ends_at", sa.DateTime(timezone=True)),
    sa.Column("terms", JSONB, nullable=False),
)


def _fold(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        event = recorded.event
        match event:
            case AgreementInForce(terms=terms):
                changes.put(
                    (recorded.stream_id, event.version),
                    kind=terms.kind,
                    title=terms.title,
                    services=list(terms.services),
                    customers=list(terms.customers),
                    starts_at=terms.in_force_from,
                    ends_at=terms.in_force_until,
                    terms=TERMS.dump_python(terms, mode="json"),
                )
            case AgreementSuperseded() | AgreementTerminated():
                changes.set((recorded.stream_id, event.version), ends_at=event.ends_at)


COVERS = ReadModel(
    name="covers",
    version=1,
    table=TABLE,
    follows=(AgreementInForce, AgreementSuperseded, AgreementTerminated),
    fold=_fold,
)


async def all_covers(database: Database) -> tuple[Cover, ...]:
    """Return what every version that ever was in force covers, without its terms."""
    columns = [column for column in TABLE.c if column.name != "terms"]
    return tuple(_cover(row) for row in await database.rows(sa.select(*columns)))


async def terms_of(database: Database, versions: Collection[VersionKey]) -> Mapping[VersionKey, Terms]:
    """Return the terms of these versions, with one statement."""
    key = sa.tuple_(TABLE.c.agreement_id, TABLE.c.version)
    columns = (TABLE.c.agreement_id, TABLE.c.version, TABLE.c.terms)
    rows = await database.rows(sa.select(*columns).where(key.in_(list(versions))))
    return {(row["agreement_id"], row["version"]): TERMS.validate_json(row["terms"]) for row in rows}


def cover_of(agreement_id: UUID, version: int, terms: Terms) -> Cover:
    """Return what these terms would cover."""
    return Cover(
        agreement_id=agreement_id,
        version=version,
        title=terms.title,
        kind=terms.kind,
        services=frozenset(terms.services),
        customers=frozenset(terms.customers),
        starts_at=terms.in_force_from,
        ends_at=terms.in_force_until,
    )


def _cover(row: Any) -> Cover:
    return Cover(
        agreement_id=row["agreement_id"],
        version=row["version"],
        title=row["title"],
        kind=AgreementKind(row["kind"]),
        services=frozenset(json.loads(row["services"])),
        customers=frozenset(json.loads(row["customers"])),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
    )
