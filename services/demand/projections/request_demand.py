"""How much was asked of each service, by which business unit, in which month."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from services.demand.domain.demand_ledger import events
from services.demand.domain.demand_ledger.events import Cell
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel

COUNTERS = ("requests", "incidents", "units", "rfcs", "breaches", "historic")

TABLE = sa.Table(
    "request_demand_v1",
    sa.MetaData(),
    sa.Column("month", sa.Date, primary_key=True),
    sa.Column("service", sa.String, primary_key=True),
    sa.Column("business_unit", sa.String, primary_key=True),
    *(sa.Column(name, sa.BigInteger, nullable=False, default=0) for name in COUNTERS),
    schema="read",
)


def fold(recorded: Sequence[Recorded], changes: Changes) -> None:
    """Add up; `incidents` and `historic` (imported) are parts of `requests`."""
    for each in recorded:
        event = each.event
        match event:
            case events.RequestHeard():
                changes.add(
                    _key(event.cell),
                    requests=1,
                    incidents=int(event.kind == "incident"),
                    units=event.units,
                    historic=int(event.historic),
                )
            case events.RfcHeard():
                changes.add(_key(event.cell), rfcs=1)
            case events.DemandMoved():
                amounts = {
                    "requests": event.requests,
                    "incidents": event.incidents,
                    "units": event.units,
                    "rfcs": event.rfcs,
                    "historic": event.imported,
                }
                changes.add(_key(event.was), **{name: -amount for name, amount in amounts.items()})
                changes.add(_key(event.cell), **amounts)
            case events.BreachCounted():
                changes.add(_key(event.cell), breaches=event.breaches)


REQUEST_DEMAND = ReadModel(
    name="request_demand",
    version=1,
    table=TABLE,
    follows=(events.RequestHeard, events.RfcHeard, events.DemandMoved, events.BreachCounted),
    fold=fold,
)


def demand(
    *,
    service: str | None,
    business_unit: str | None,
    since: date | None,
    until: date | None,
    after: tuple[Any, ...] | None,
    limit: int,
) -> sa.Select[Any]:
    """Select months with anything in them, oldest first; `since` and `until` are months, both included."""
    key = (TABLE.c.month, TABLE.c.service, TABLE.c.business_unit)
    chosen = sa.select(TABLE).order_by(*key).limit(limit)
    chosen = chosen.where(sa.or_(*(TABLE.c[name] != 0 for name in COUNTERS)))
    if service is not None:
        chosen = chosen.where(TABLE.c.service == service)
    if business_unit is not None:
        chosen = chosen.where(TABLE.c.business_unit == business_unit)
    if since is not None:
        chosen = chosen.where(TABLE.c.month >= since)
    if until is not None:
        chosen = chosen.where(TABLE.c.month <= until)
    return chosen if after is None else chosen.where(sa.tuple_(*key) > sa.tuple_(*map(sa.literal, after)))


def _key(cell: Cell) -> tuple[date, str, str]:
    return cell.month, cell.service, cell.business_unit
