"""Every request for change on one board, newest first, and one of them with its timeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.intake.domain.rfc import events as past
from services.intake.domain.vocabulary import RfcState
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel
from shared.runtime.ids import human_number

_moment = sa.DateTime(timezone=True)
METADATA = sa.MetaData(schema="read")
TABLE = sa.Table(
    "rfc_board_v1",
    METADATA,
    sa.Column("rfc_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("change_type", sa.Text, nullable=False),
    sa.Column("service", sa.Text, nullable=False),
    sa.Column("requester_id", sa.Uuid, nullable=False),
    sa.Column("request_id", sa.Uuid),
    sa.Column("category", sa.Text),
    sa.Column("priority", sa.Integer),
    sa.Column("risk_level", sa.Text),
    sa.Column("risk_score", sa.Integer),
    sa.Column("revision", sa.Integer, nullable=False, default=1),
    sa.Column("needed_by", _moment),
    sa.Column("drafted_at", _moment, nullable=False),
    sa.Column("changed_at", _moment, nullable=False),
    sa.Column("deferred_until", _moment),
    sa.Column("starts_at", _moment),
    sa.Column("ends_at", _moment),
    sa.Column("outcome", sa.Text),
    sa.Column("project_id", sa.Uuid),
    sa.Index("rfc_board_v1_newest", sa.text("drafted_at DESC"), sa.text("rfc_id DESC")),
    sa.Index("rfc_board_v1_state", "state", sa.text("drafted_at DESC"), sa.text("rfc_id DESC")),
)


def _now(state: RfcState, *same: str) -> Callable[[Any], dict[str, Any]]:
    """Make the change of an event that moves the RFC to `state` and says the columns `same`."""
    return lambda event: {"state": state, **{name: getattr(event, name) for name in same}}


def _edited(event: past.RfcEdited) -> dict[str, Any]:
    text = event.text
    return {
        "title": text.title,
        "service": text.service,
        "needed_by": text.needed_by,
        "state": event.state,
        "revision": event.revision,
    }


def _drafted(recorded: Recorded, event: past.RfcDrafted) -> dict[str, Any]:
    return {
        "number": human_number("RFC", recorded.recorded_at, event.serial),
        "title": event.text.title,
        "state": RfcState.DRAFT,
        "change_type": event.change_type,
        "service": event.text.service,
        "requester_id": event.requester_id,
        "request_id": event.request_id,
        "needed_by": event.text.needed_by,
        "drafted_at": event.occurred_at,
        "changed_at": event.occurred_at,
    }


_CHANGED: dict[type, Callable[[Any], dict[str, Any]]] = {
    past.RfcEdited: _edited,
    past.RfcSubmitted: _now(RfcState.SUBMITTED),
    past.RfcClassified: _now(RfcState.CLASSIFIED, "change_type", "category", "priority", "revision"),
    past.RiskAssessed: lambda event: {
        "state": RfcState.ASSESSED,
        "risk_level": event.level,
        "risk_score": event.score,
    },
    past.VoteCast: _now(RfcState.AWAITING_APPROVAL),
    past.RfcApproved: lambda _event: {"state": RfcState.APPROVED, "deferred_until": None},
    past.RfcRejected: _now(RfcState.DRAFT, "revision"),
    past.RfcDeferred: lambda event: {"state": RfcState.DEFERRED, "deferred_until": event.until},
    past.RfcReverted: _now(RfcState.DRAFT, "revision"),
    past.RfcScheduled: _now(RfcState.SCHEDULED, "starts_at", "ends_at"),
    past.ImplementationStarted: _now(RfcState.IMPLEMENTING),
    past.RfcImplemented: _now(RfcState.IN_REVIEW, "outcome"),
    past.RfcClosed: _now(RfcState.CLOSED, "outcome"),
    past.RfcCancelled: _now(RfcState.CANCELLED),
    past.RfcProjectLinked: lambda event: {"project_id": event.project_id},
}


def _fold(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        event, key = recorded.event, recorded.stream_id
        if isinstance(event, past.RfcDrafted):
            changes.put(key, **_drafted(recorded, event))
        else:
            changes.set(key, **_CHANGED[type(event)](event), changed_at=event.occurred_at)


RFC_BOARD = ReadModel(
    name="rfc_board", version=1, table=TABLE, follows=(past.RfcDrafted, *_CHANGED), fold=_fold
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which RFCs to show; every filter that is given narrows the board."""

    state: str | None = None
    change_type: str | None = None
    service: str | None = None
    request_id: UUID | None = None
    requester_id: UUID | None = None


def newest(filters: Filters, after: tuple[datetime, UUID] | None, limit: int) -> sa.Select[Any]:
    """Return the statement for one page, newest first, beginning after the row with that key."""
    c = TABLE.c
    names = ("state", "change_type", "service", "request_id", "requester_id")
    wanted = {name: getattr(filters, name) for name in names if getattr(filters, name) is not None}
    statement = sa.select(TABLE).where(*(c[name] == value for name, value in wanted.items()))
    if after is not None:
        statement = statement.where(sa.tuple_(c.drafted_at, c.rfc_id) < sa.tuple_(*after))
    return statement.order_by(c.drafted_at.desc(), c.rfc_id.desc()).limit(limit)
