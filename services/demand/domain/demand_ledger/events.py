"""What the ledger heard of one record, and where it counts; stored for ever.

The facts (`...Heard`) stand as they came. The countings name service, business unit and month, so that a
table of counters needs nothing else. A month is its first day, in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Where something counts: a service, a business unit, a month."""

    service: str
    business_unit: str
    month: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestHeard:
    """A request counts as demand in `cell`."""

    request_id: UUID
    kind: str
    units: int
    cell: Cell
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RfcHeard:
    """An RFC counts as demand in `cell`; its business unit is blank, for RFCs name none."""

    rfc_id: UUID
    request_id: UUID | None
    change_type: str
    cell: Cell
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHeard:
    """The record concerns this service; said before the record itself was heard of."""

    service: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandMoved:
    """What counted in `was` counts in `cell` from now on."""

    requests: int
    incidents: int
    imported: int
    rfcs: int
    units: int
    was: Cell
    cell: Cell
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachHeard:
    """A promise for the record was broken."""

    clock_id: UUID
    target: str
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachWithdrawnHeard:
    """The breach was none."""

    clock_id: UUID
    occurred_at: datetime
    historic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachCounted:
    """A breach counts in `cell`, its own month, once the record is known; `breaches` is 1, withdrawn -1."""

    clock_id: UUID
    breaches: int
    cell: Cell
    occurred_at: datetime
    historic: bool = False


Event = (
    RequestHeard | RfcHeard | ServiceHeard | DemandMoved | BreachHeard | BreachWithdrawnHeard | BreachCounted
)
