"""All requests from every source in one list: filtered, newest first, and counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from services.intake.domain.request import events as past
from services.intake.domain.vocabulary import RequestState
from shared.eventsourcing.codec import ERASED
from shared.eventsourcing.housekeeping import SubjectErased
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel
from shared.runtime.ids import human_number

_moment = sa.DateTime(timezone=True)
METADATA = sa.MetaData(schema="read")
# The order of the list, spelled so that only an index that begins with a filter's column has it. Without this
# PostgreSQL looks for a service that was given up years ago by walking back through everything since.
_NEWEST_OF_ITS_OWN = (sa.text("submitted_at DESC NULLS LAST"), sa.text("request_id DESC NULLS LAST"))
_LED_BY = ("state", "service", "assignment_group", "source_system")
TABLE = sa.Table(
    "request_list_v1",
    METADATA,
    sa.Column("request_id", sa.Uuid, primary_key=True),
    sa.Column("number", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("title", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("hold", sa.Text),
    sa.Column("requester_id", sa.Uuid, nullable=False),
    sa.Column("requester_name", sa.Text),
    sa.Column("business_unit", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("source_type", sa.Text, nullable=False),
    sa.Column("source_system", sa.Text),
    sa.Column("external_id", sa.Text),
    sa.Column("service", sa.Text),
    sa.Column("category", sa.Text),
    sa.Column("impact", sa.Text, nullable=False),
    sa.Column("urgency", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("assignment_group", sa.Text),
    sa.Column("assignee", sa.Text),
    sa.Column("submitted_at", _moment, nullable=False),
    sa.Column("needed_by", _moment),
    sa.Column("changed_at", _moment, nullable=False),
    sa.Column("breaches", sa.Integer, nullable=False, default=0),
    sa.Column("breached_at_source", sa.Boolean, nullable=False, default=False),
    sa.Column("converted_to", sa.Text),
    sa.Column("target_id", sa.Uuid),
    sa.Column("historic", sa.Boolean, nullable=False, default=False),
    sa.Index("request_list_v1_newest", sa.text("submitted_at DESC"), sa.text("request_id DESC")),
    sa.Index("request_list_v1_state", "state", *_NEWEST_OF_ITS_OWN),
    sa.Index("request_list_v1_service", "service", *_NEWEST_OF_ITS_OWN),
    sa.Index(
        "request_list_v1_group",
        "assignment_group",
        *_NEWEST_OF_ITS_OWN,
        postgresql_where=sa.text("assignment_group IS NOT NULL"),
    ),
    sa.Index(
        "request_list_v1_source",
        "source_system",
        *_NEWEST_OF_ITS_OWN,
        postgresql_where=sa.text("source_system IS NOT NULL"),
    ),
    sa.Index(
        "request_list_v1_external",
        "external_id",
        postgresql_using="hash",  # of any length, and asked for as a whole
        postgresql_where=sa.text("external_id IS NOT NULL"),
    ),
    sa.Index("request_list_v1_requester", "requester_id"),
    sa.Index(
        "request_list_v1_late",
        sa.text("submitted_at DESC"),
        sa.text("request_id DESC"),
        postgresql_where=sa.text("breaches > 0 OR breached_at_source"),
    ),
)


def _state(event: Any) -> dict[str, Any]:
    return {"state": event.state, "hold": None}


def _now(state: RequestState) -> Callable[[Any], dict[str, Any]]:
    return lambda _event: {"state": state, "hold": None}


def _weight(event: Any) -> dict[str, Any]:
    return {"impact": event.impact, "urgency": event.urgency, "priority": event.priority}


def _late(event: past.BreachNoted) -> dict[str, Any]:
    """Keep the source's own verdict apart from what our clocks found."""
    return {"breached_at_source": True} if event.clock_id is None else {"breaches": event.breaches}


def _readable(value: Any) -> Any:
    """Return what is shown of a field: of an erased person nothing, live and rebuilt alike."""
    return None if value == ERASED else value


_CHANGED: dict[type, Callable[[Any], dict[str, Any]]] = {
    past.RequesterChanged: lambda event: {
        "requester_id": event.requester_id,
        "requester_name": _readable(event.requester_name),
    },
    past.RequestTriaged: lambda event: {
        **_weight(event),
        "state": event.state,
        "service": event.service,
        "category": event.category,
    },
    past.RequestReprioritised: _weight,
    past.RequestAssigned: lambda event: {
        "assignment_group": event.group,
        "assignee": event.assignee,
        "state": event.state,
    },
    past.RequestAccepted: _state,
    past.RequestHeld: lambda event: {"state": RequestState.ON_HOLD, "hold": event.reason},
    past.RequestResumed: _state,
    past.RequestConverted: lambda event: {
        "state": RequestState.CONVERTED,
        "hold": None,
        "converted_to": event.to,
        "target_id": event.target_id,
    },
    past.RequestRejected: _now(RequestState.REJECTED),
    past.RequestFulfilled: _now(RequestState.FULFILLED),
    past.RequestClosed: _now(RequestState.CLOSED),
    past.RequestWithdrawn: _now(RequestState.WITHDRAWN),
    past.RequestReopened: _now(RequestState.IN_FULFILMENT),
    past.BreachNoted: _late,
    past.BreachWithdrawn: lambda event: {"breaches": event.breaches},
}


def _submitted(recorded: Recorded, event: past.RequestSubmitted, changes: Changes) -> None:
    """Put the whole row; spelled out, because a rebuild does nothing more often."""
    changes.put(
        recorded.stream_id,
        number=human_number("REQ", recorded.recorded_at, event.serial),
        kind=event.kind,
        title=_readable(event.title),
        state=RequestState.SUBMITTED,
        requester_id=event.requester_id,
        requester_name=_readable(event.requester_name),
        business_unit=event.business_unit,
        channel=event.channel,
        source_type=event.source_type,
        source_system=event.source_system,
        external_id=event.external_id,
        service=event.service,
        category=event.category,
        impact=event.impact,
        urgency=event.urgency,
        priority=event.priority,
        submitted_at=event.occurred_at,
        needed_by=event.needed_by,
        changed_at=event.occurred_at,
        historic=event.historic,
    )


def _fold(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        event, key = recorded.event, recorded.stream_id
        match event:
            case past.RequestSubmitted():
                _submitted(recorded, event, changes)
            case SubjectErased(subject_id=subject):
                changes.set_every({"requester_id": subject}, title=None, requester_name=None)
            case _:
                changes.set(key, **_CHANGED[type(event)](event), changed_at=event.occurred_at)


REQUEST_LIST = ReadModel(
    name="request_list",
    version=1,
    table=TABLE,
    follows=(past.RequestSubmitted, *_CHANGED, SubjectErased),
    fold=_fold,
)
_EXACT = (
    "state",
    "kind",
    "service",
    "priority",
    "business_unit",
    "assignment_group",
    "requester_id",
    "source_system",
    "external_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which requests to show; every filter that is given narrows the list.

    `of` is not a wish but a limit: the only person whose requests the caller may see.
    """

    state: str | None = None
    kind: str | None = None
    service: str | None = None
    priority: int | None = None
    business_unit: str | None = None
    assignment_group: str | None = None
    requester_id: UUID | None = None
    source_system: str | None = None
    external_id: str | None = None
    breached: bool | None = None
    submitted_from: datetime | None = None
    submitted_before: datetime | None = None
    of: UUID | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """Return the SQL conditions, all of which a row must meet."""
        c = TABLE.c
        found = [c[name] == getattr(self, name) for name in _EXACT if getattr(self, name) is not None]
        if self.of is not None:
            found.append(c.requester_id == self.of)
        if self.breached is not None:
            late = (c.breaches > sa.literal_column("0")) | c.breached_at_source  # as its index says it
            found.append(late if self.breached else ~late)
        if self.submitted_from is not None:
            found.append(c.submitted_at >= self.submitted_from)
        if self.submitted_before is not None:
            found.append(c.submitted_at < self.submitted_before)
        return found


def newest(filters: Filters, after: tuple[datetime, UUID] | None, limit: int) -> sa.Select[Any]:
    """Return the statement for one page, newest first, beginning after the row with that key."""
    c = TABLE.c
    statement = sa.select(TABLE).where(*filters.conditions())
    if after is not None:
        statement = statement.where(sa.tuple_(c.submitted_at, c.request_id) < sa.tuple_(*after))
    led = any(getattr(filters, name) is not None for name in _LED_BY)
    order = _NEWEST_OF_ITS_OWN if led else (c.submitted_at.desc(), c.request_id.desc())
    return statement.order_by(*order).limit(limit)


def known_among(request_ids: Sequence[UUID]) -> sa.Select[Any]:
    """Return the statement that finds which of these requests exist."""
    given = sa.func.any(sa.bindparam("ids", request_ids, sa.ARRAY(sa.Uuid)))  # one text for any number
    return sa.select(TABLE.c.request_id).where(TABLE.c.request_id == given)
