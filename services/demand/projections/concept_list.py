"""Which concepts are there, and where do they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from services.demand.domain.concept import events
from services.demand.domain.proposal import Phase, Proposal
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel

TABLE = sa.Table(
    "concept_list_v1",
    sa.MetaData(),
    sa.Column("concept_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.String, nullable=False),
    sa.Column("title", sa.String, nullable=False),
    sa.Column("phase", sa.String, nullable=False),
    sa.Column("phase_since", sa.DateTime(timezone=True), nullable=False),
    sa.Column("designation", sa.String),
    sa.Column("service", sa.String, nullable=False),
    sa.Column("business_unit", sa.String, nullable=False),
    sa.Column("budget", sa.Numeric),
    sa.Column("currency", sa.String, nullable=False),
    sa.Column("owner", sa.String),
    sa.Column("team", sa.String),
    sa.Column("deferred_until", sa.Date),
    sa.Column("rfc_id", sa.Uuid),
    sa.Column("request_id", sa.Uuid),
    sa.Index("concept_list_v1_phase", "phase", "concept_id"),
    schema="read",
)

PHASES = {
    events.ConceptSubmitted: Phase.SUBMITTED,
    events.ScreeningStarted: Phase.SCREENING,
    events.ConceptQualified: Phase.QUALIFIED,
    events.ConceptDeclined: Phase.DECLINED,
    events.DeliveryStarted: Phase.DELIVERING,
    events.BenefitTrackingStarted: Phase.BENEFITS_TRACKED,
    events.ConceptClosed: Phase.CLOSED,
}


def fold(recorded: Sequence[Recorded], changes: Changes) -> None:
    """Keep one row per concept."""
    for each in recorded:
        event, since = each.event, {"phase_since": each.occurred_at}
        match event:
            case events.ConceptProposed():
                changes.put(
                    each.stream_id,
                    number=event.number,
                    phase=event.phase,
                    **since,
                    **_said(event.proposal),
                )
            case events.ConceptRevised():
                changes.set(each.stream_id, phase=event.phase, **_said(event.proposal))
            case events.ConceptDeferred():
                changes.set(each.stream_id, phase=Phase.DEFERRED, deferred_until=event.until, **since)
            case events.ConceptApproved():
                changes.set(
                    each.stream_id,
                    phase=Phase.APPROVED,
                    owner=event.owner.name,
                    team=event.team,
                    **since,
                )
            case _:
                changes.set(each.stream_id, phase=PHASES[type(event)], deferred_until=None, **since)


CONCEPT_LIST = ReadModel(
    name="concept_list",
    version=1,
    table=TABLE,
    follows=(
        events.ConceptProposed,
        events.ConceptRevised,
        events.ConceptApproved,
        events.ConceptDeferred,
        *PHASES,
    ),
    fold=fold,
)


def concepts(
    *, phase: str | None, designation: str | None, after: tuple[Any, ...] | None, limit: int
) -> sa.Select[Any]:
    """Select concepts, the newest first: ids rise with time."""
    chosen = sa.select(TABLE).order_by(TABLE.c.concept_id.desc()).limit(limit)
    if phase is not None:
        chosen = chosen.where(TABLE.c.phase == phase)
    if designation is not None:
        chosen = chosen.where(TABLE.c.designation == designation)
    return chosen if after is None else chosen.where(TABLE.c.concept_id < after[0])


def _said(proposal: Proposal) -> dict[str, Any]:
    return {
        "title": proposal.title,
        "designation": proposal.designation,
        "service": proposal.facts.service_or_group,
        "business_unit": proposal.business_unit,
        "budget": proposal.budget,
        "currency": proposal.currency,
        "rfc_id": proposal.rfc_id,
        "request_id": proposal.request_id,
    }
