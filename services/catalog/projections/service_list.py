"""Which services are there, in which phase and whose: the portfolio and its search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.catalog.domain.facts import Party, normal_form
from services.catalog.domain.service import events
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel

TABLE = sa.Table(
    "service_list_v1",
    sa.MetaData(),
    sa.Column("service_id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("name_key", sa.String, nullable=False),
    sa.Column("phase", sa.String, nullable=False),
    sa.Column("phase_since", sa.DateTime(timezone=True), nullable=False),
    sa.Column("kind", sa.String),
    sa.Column("criticality", sa.String),
    sa.Column("category", sa.String),
    sa.Column("service_owner", sa.String),
    sa.Column("business_owner", sa.String),
    sa.Column("service_map", sa.String, nullable=False),
    sa.Column("agreement", sa.String, nullable=False),
    sa.Index("service_list_v1_name_key", "name_key"),
    schema="read",
)


def fold(recorded: Sequence[Recorded], changes: Changes) -> None:
    """Keep one row per service."""
    for each in recorded:
        event = each.event
        match event:
            case events.ServiceRegistered():
                changes.put(
                    each.stream_id,
                    name=event.name,
                    name_key=normal_form(event.name),
                    phase=event.phase,
                    phase_since=event.occurred_at,
                    kind=event.facts.kind,
                    criticality=event.facts.criticality,
                    category=event.facts.category,
                    service_owner=_name(event.owners.service_owner),
                    business_owner=_name(event.owners.business_owner),
                    service_map=event.service_map,
                    agreement=event.agreement,
                )
            case events.FactsRevised():
                facts = event.facts
                changes.set(
                    each.stream_id, kind=facts.kind, criticality=facts.criticality, category=facts.category
                )
            case events.OwnersAssigned():
                changes.set(
                    each.stream_id,
                    service_owner=_name(event.owners.service_owner),
                    business_owner=_name(event.owners.business_owner),
                )
            case events.PhaseChanged():
                changes.set(
                    each.stream_id,
                    phase=event.phase,
                    phase_since=event.occurred_at,
                    service_map=event.service_map,
                    agreement=event.agreement,
                )


SERVICE_LIST = ReadModel(
    name="service_list",
    version=1,
    table=TABLE,
    follows=(events.ServiceRegistered, events.FactsRevised, events.OwnersAssigned, events.PhaseChanged),
    fold=fold,
)


def portfolio(
    *, phase: str | None, after: tuple[Any, ...] | None, limit: int, **equal: str | None
) -> sa.Select[Any]:
    """Select services in the order of their names, from the name after the last one seen."""
    chosen = sa.select(TABLE).order_by(TABLE.c.name_key).limit(limit)
    wanted = {"phase": phase, **equal}
    for column, value in wanted.items():
        if value is not None:
            chosen = chosen.where(TABLE.c[column] == value)
    return chosen if after is None else chosen.where(TABLE.c.name_key > after[0])


def matches(text: str, limit: int) -> sa.Select[Any]:
    """Select services whose name is, begins with, contains, or shares a word with the text, best first.

    The score is 100 for the name itself, 80 for its beginning, 60 for a part of it, 40 for the text holding
    the name, else 10 for every word in common, at most 30.
    """
    wanted = normal_form(text)
    key = TABLE.c.name_key
    words = sorted({word for word in wanted.split(" ") if len(word) > 2})
    common = sum(
        (sa.case((key.contains(word, autoescape=True), 10), else_=0) for word in words), sa.literal(0)
    )
    holds = sa.func.strpos(sa.cast(wanted, sa.String), key) > 0
    score = sa.case(
        (key == wanted, 100),
        (key.startswith(wanted, autoescape=True), 80),
        (key.contains(wanted, autoescape=True), 60),
        (holds, 40),
        else_=sa.func.least(common, 30),
    )
    found = sa.select(TABLE.c.service_id, TABLE.c.name, TABLE.c.phase, score.label("score")).subquery()
    return sa.select(found).where(found.c.score > 0).order_by(found.c.score.desc(), found.c.name).limit(limit)


WHY = {100: "the name", 80: "the name begins so", 60: "part of the name", 40: "the text holds the name"}


def reason(score: int) -> str:
    """Say why a service was found."""
    return WHY.get(score, f"{score // 10} word(s) in common")


def _name(party: Party | None) -> str | None:
    return None if party is None else party.name
