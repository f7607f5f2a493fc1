"""What does the entry of one service say: all of its facts, as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import JSONB

from services.catalog.domain.facts import Owners, ServiceFacts
from services.catalog.domain.phases import Phase
from services.catalog.domain.service import events
from services.catalog.domain.service.decider import Service
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel

TABLE = sa.Table(
    "service_page_v1",
    sa.MetaData(),
    sa.Column("service_id", sa.Uuid, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("phase", sa.String, nullable=False),
    sa.Column("facts", JSONB, nullable=False),
    sa.Column("owners", JSONB, nullable=False),
    sa.Column("service_map", sa.String, nullable=False),
    sa.Column("agreement", sa.String, nullable=False),
    sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    schema="read",
)
FACTS = TypeAdapter(ServiceFacts)
OWNERS = TypeAdapter(Owners)


def fold(recorded: Sequence[Recorded], changes: Changes) -> None:
    """Keep one row per service, with the version of its stream."""
    for each in recorded:
        event, stamp = each.event, {"version": each.version, "changed_at": each.occurred_at}
        match event:
            case events.ServiceRegistered():
                changes.put(
                    each.stream_id,
                    name=event.name,
                    phase=event.phase,
                    facts=asdict(event.facts),
                    owners=asdict(event.owners),
                    service_map=event.service_map,
                    agreement=event.agreement,
                    **stamp,
                )
            case events.FactsRevised():
                changes.set(each.stream_id, facts=asdict(event.facts), **stamp)
            case events.OwnersAssigned():
                changes.set(each.stream_id, owners=asdict(event.owners), **stamp)
            case events.PhaseChanged():
                changes.set(
                    each.stream_id,
                    phase=event.phase,
                    service_map=event.service_map,
                    agreement=event.agreement,
                    **stamp,
                )
            case events.ProjectLinked():
                changes.set(each.stream_id, **stamp)


SERVICE_PAGE = ReadModel(
    name="service_page",
    version=1,
    table=TABLE,
    follows=(
        events.ServiceRegistered,
        events.FactsRevised,
        events.OwnersAssigned,
        events.PhaseChanged,
        events.ProjectLinked,
    ),
    fold=fold,
)


def page(service_id: UUID) -> sa.Select[Any]:
    """Select one service's row."""
    return sa.select(TABLE).where(TABLE.c.service_id == service_id)


def service_of(row: Any) -> tuple[Service, int, datetime]:
    """Return the service that a row tells of, its version and when it last changed."""
    service = Service(
        name=row["name"],
        phase=Phase(row["phase"]),
        facts=FACTS.validate_json(row["facts"]),
        owners=OWNERS.validate_json(row["owners"]),
        service_map=row["service_map"],
        agreement=row["agreement"],
    )
    return service, row["version"], row["changed_at"]
