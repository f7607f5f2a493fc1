"""The rules of the ledger: a fact counts once, in its own month, whenever it comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import assert_never
from uuid import UUID

from services.demand.domain.demand_ledger import commands, events
from services.demand.domain.demand_ledger.events import Cell
from shared.eventsourcing.decider import Decider


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A breach heard of; `counted` is where it counts, None while the record is unknown."""

    occurred_at: datetime
    historic: bool
    counted: Cell | None = None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the ledger knows of one record; `cell` is None until the record itself was heard of."""

    cell: Cell | None = None
    service: str | None = None
    requests: int = 0
    incidents: int = 0
    imported: int = 0
    rfcs: int = 0
    units: int = 0
    breaches: Mapping[UUID, Breach] = field(default_factory=dict)


def month_of(moment: datetime) -> date:
    """Return the first day of a moment's month in UTC."""
    return moment.astimezone(UTC).date().replace(day=1)


def decide(command: commands.Command, state: Entry) -> list[events.Event]:
    match command:
        case commands.HearRequest():
            return _request(command, state)
        case commands.HearRfc():
            return _rfc(command, state)
        case commands.HearService():
            return _service(command, state)
        case commands.HearBreach():
            return _breach(command, state)
        case commands.HearBreachWithdrawn():
            return _withdrawn(command, state)
        case _:
            assert_never(command)


def evolve(state: Entry, event: events.Event) -> Entry:
    match event:
        case events.RequestHeard():
            return replace(
                state,
                cell=event.cell,
                service=event.cell.service,
                requests=1,
                incidents=int(event.kind == "incident"),
                imported=int(event.historic),
                units=event.units,
            )
        case events.RfcHeard():
            return replace(state, cell=event.cell, service=event.cell.service, rfcs=1)
        case events.ServiceHeard():
            return replace(state, service=event.service)
        case events.DemandMoved():
            return replace(state, cell=event.cell, service=event.cell.service)
        case events.BreachHeard():
            heard = Breach(occurred_at=event.occurred_at, historic=event.historic)
            known = state.breaches.get(event.clock_id, heard)
            return _with(state, event.clock_id, replace(known, occurred_at=event.occurred_at))
        case events.BreachWithdrawnHeard():
            unheard = Breach(occurred_at=event.occurred_at, historic=event.historic)
            known = state.breaches.get(event.clock_id, unheard)
            return _with(state, event.clock_id, replace(known, withdrawn=True))
        case events.BreachCounted():
            counted = event.cell if event.breaches > 0 else None
            return _with(state, event.clock_id, replace(state.breaches[event.clock_id], counted=counted))
        case _:
            assert_never(event)


def _request(command: commands.HearRequest, state: Entry) -> list[events.Event]:
    if state.cell is not None:
        return []
    cell = Cell(
        service=command.service if state.service is None else state.service,
        business_unit=command.business_unit,
        month=month_of(command.submitted_at),
    )
    heard = events.RequestHeard(
        request_id=command.request_id,
        kind=command.kind,
        units=command.units,
        cell=cell,
        occurred_at=command.submitted_at,
        historic=command.historic,
    )
    return [heard, *_waiting(state, cell)]


def _rfc(command: commands.HearRfc, state: Entry) -> list[events.Event]:
    if state.cell is not None:
        return []
    cell = Cell(
        service=command.service if state.service is None else state.service,
        business_unit="",
        month=month_of(command.submitted_at),
    )
    heard = events.RfcHeard(
        rfc_id=command.rfc_id,
        request_id=command.request_id,
        change_type=command.change_type,
        cell=cell,
        occurred_at=command.submitted_at,
        historic=command.historic,
    )
    return [heard, *_waiting(state, cell)]


def _service(command: commands.HearService, state: Entry) -> list[events.Event]:
    if command.service == state.service:
        return []
    if state.cell is None:
        return [
            events.ServiceHeard(
                service=command.service, occurred_at=command.judged_at, historic=command.historic
            )
        ]
    moved = events.DemandMoved(
        requests=state.requests,
        incidents=state.incidents,
        imported=state.imported,
        rfcs=state.rfcs,
        units=state.units,
        was=state.cell,
        cell=replace(state.cell, service=command.service),
        occurred_at=command.judged_at,
        historic=command.historic,
    )
    return [moved, *_moved_breaches(state, command)]


def _breach(command: commands.HearBreach, state: Entry) -> list[events.Event]:
    known = state.breaches.get(command.clock_id)
    if known is not None:
        return []
    heard = events.BreachHeard(
        clock_id=command.clock_id,
        target=command.target,
        occurred_at=command.breached_at,
        historic=command.historic,
    )
    if state.cell is None:
        return [heard]
    breach = Breach(occurred_at=command.breached_at, historic=command.historic)
    return [heard, _counted(command.clock_id, breach, state.cell)]


def _withdrawn(command: commands.HearBreachWithdrawn, state: Entry) -> list[events.Event]:
    known = state.breaches.get(command.clock_id)
    if known is not None and known.withdrawn:
        return []
    heard = events.BreachWithdrawnHeard(
        clock_id=command.clock_id, occurred_at=command.withdrawn_at, historic=command.historic
    )
    if known is None or known.counted is None:
        return [heard]
    return [heard, _uncounted(command.clock_id, known.counted, command.withdrawn_at, command.historic)]


def _waiting(state: Entry, cell: Cell) -> list[events.Event]:
    """Count the breaches that were heard of before their record."""
    return [
        _counted(clock_id, breach, cell)
        for clock_id, breach in state.breaches.items()
        if not breach.withdrawn
    ]


def _moved_breaches(state: Entry, command: commands.HearService) -> list[events.Event]:
    moved: list[events.Event] = []
    for clock_id, breach in state.breaches.items():
        if breach.counted is not None:
            moved.append(_uncounted(clock_id, breach.counted, command.judged_at, command.historic))
            moved.append(_counted(clock_id, breach, replace(breach.counted, service=command.service)))
    return moved


def _counted(clock_id: UUID, breach: Breach, cell: Cell) -> events.BreachCounted:
    return events.BreachCounted(
        clock_id=clock_id,
        breaches=1,
        cell=replace(cell, month=month_of(breach.occurred_at)),
        occurred_at=breach.occurred_at,
        historic=breach.historic,
    )


def _uncounted(clock_id: UUID, cell: Cell, at: datetime, historic: bool) -> events.BreachCounted:  # noqa: FBT001
    return events.BreachCounted(clock_id=clock_id, breaches=-1, cell=cell, occurred_at=at, historic=historic)


def _with(state: Entry, clock_id: UUID, breach: Breach) -> Entry:
    return replace(state, breaches={**state.breaches, clock_id: breach})


DEMAND_LEDGER: Decider[commands.Command, Entry, events.Event] = Decider(
    stream="demand_ledger", initial=Entry(), decide=decide, evolve=evolve
)
