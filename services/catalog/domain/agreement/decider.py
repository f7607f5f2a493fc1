"""The rules of noting an agreement: the newest version counts, and nothing is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from services.catalog.domain.agreement import commands, events
from services.catalog.domain.facts import normal_form
from shared.eventsourcing.decider import Decider


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """The newest version heard of (0: none yet) and whether its end is known."""

    version: int = 0
    ended: bool = False


def decide(command: commands.Command, state: Agreement) -> list[events.Event]:
    match command:
        case commands.NoteInForce():
            return _in_force(command, state)
        case commands.NoteEnd():
            return _end(command, state)
        case _:
            assert_never(command)


def evolve(state: Agreement, event: events.Event) -> Agreement:
    match event:
        case events.AgreementNoted():
            return Agreement(version=event.version)
        case events.AgreementEndNoted():
            return Agreement(version=state.version, ended=True)
        case _:
            assert_never(event)


def _in_force(command: commands.NoteInForce, state: Agreement) -> list[events.Event]:
    if command.version <= state.version:
        return []
    return [
        events.AgreementNoted(
            agreement_id=command.agreement_id,
            version=command.version,
            kind=command.kind,
            title=command.title,
            services=tuple(normal_form(name) for name in command.services),
            starts_at=command.starts_at,
            ends_at=command.ends_at,
            occurred_at=command.noted_at,
            historic=command.historic,
        )
    ]


def _end(command: commands.NoteEnd, state: Agreement) -> list[events.Event]:
    """Note the end of the version in force; an earlier one ended by being replaced."""
    if state.ended or command.version != state.version:
        return []
    return [
        events.AgreementEndNoted(
            agreement_id=command.agreement_id,
            version=command.version,
            ends_at=command.ends_at,
            occurred_at=command.noted_at,
            historic=command.historic,
        )
    ]


AGREEMENT: Decider[commands.Command, Agreement, events.Event] = Decider(
    stream="agreement", initial=Agreement(), decide=decide, evolve=evolve
)
