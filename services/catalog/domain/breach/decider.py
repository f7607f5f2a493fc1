"""The rules of noting a breach: it counts once, in its own month, until it is withdrawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date
from typing import assert_never

from services.catalog.domain.breach import commands, events
from shared.eventsourcing.decider import Decider


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """Where the breach counts."""

    target: str
    month: date
    withdrawn: bool = False


def decide(command: commands.Command, state: Breach | None) -> list[events.Event]:
    match command:
        case commands.NoteBreach():
            return _breach(command, state)
        case commands.NoteBreachWithdrawn():
            return _withdrawn(command, state)
        case _:
            assert_never(command)


def evolve(_state: Breach | None, event: events.Event) -> Breach:
    match event:
        case events.BreachNoted():
            return Breach(target=event.target, month=event.month)
        case events.BreachWithdrawalNoted():
            return Breach(target=event.target, month=event.month, withdrawn=True)
        case _:
            assert_never(event)


def _breach(command: commands.NoteBreach, state: Breach | None) -> list[events.Event]:
    if state is not None:
        return []
    return [
        events.BreachNoted(
            agreement_id=command.agreement_id,
            clock_id=command.clock_id,
            target=command.target,
            month=command.breached_at.astimezone(UTC).date().replace(day=1),
            occurred_at=command.breached_at,
            historic=command.historic,
        )
    ]


def _withdrawn(command: commands.NoteBreachWithdrawn, state: Breach | None) -> list[events.Event]:
    if state is None or state.withdrawn:
        return []
    return [
        events.BreachWithdrawalNoted(
            agreement_id=command.agreement_id,
            clock_id=command.clock_id,
            target=state.target,
            month=state.month,
            occurred_at=command.withdrawn_at,
            historic=command.historic,
        )
    ]


BREACH: Decider[commands.Command, Breach | None, events.Event] = Decider(
    stream="breach", initial=None, decide=decide, evolve=evolve
)
