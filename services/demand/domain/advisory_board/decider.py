"""The rules of a board: the business sits on it, and its authority has a limit."""

from __future__ import annotations

from typing import assert_never
from uuid import UUID, uuid5

from services.demand.domain.advisory_board import commands, events
from services.demand.domain.board import Board
from services.demand.domain.finance import is_currency
from shared.eventsourcing.decider import Decider, Unprocessable

BOARDS = UUID("0c0ae1a1-6f7e-5f0d-8f39-0d5b1a5c2e11")


class BusinessMemberMissing(Unprocessable):
    """Nobody on the board speaks for the business."""


class BoardIncomplete(Unprocessable):
    """The board lacks something it cannot decide without."""


def board_id_of(name: str) -> UUID:
    """Derive a board's id from its name, so that a board is appointed anew by naming it."""
    return uuid5(BOARDS, name.strip().casefold())


def decide(command: commands.Command, state: Board | None) -> list[events.Event]:
    match command:
        case commands.AppointBoard():
            return _appoint(command, state)
        case _:
            assert_never(command)


def evolve(_state: Board | None, event: events.Event) -> Board:
    match event:
        case events.BoardAppointed():
            return event.board
        case _:
            assert_never(event)


def _appoint(command: commands.AppointBoard, state: Board | None) -> list[events.Event]:
    _check(command)
    board = Board(
        board_id=board_id_of(command.name),
        version=1 if state is None else state.version + 1,
        name=command.name if state is None else state.name,
        members=command.members,
        quorum=command.quorum,
        budget_limit=command.budget_limit,
        currency=command.currency,
    )
    if state is not None and _same(board, state):
        return []
    return [
        events.BoardAppointed(
            board=board,
            appointed_by=command.appointed_by,
            reason=command.reason,
            occurred_at=command.appointed_at,
        )
    ]


def _check(command: commands.AppointBoard) -> None:
    names = [member.name for member in command.members]
    if not command.name.strip():
        raise BoardIncomplete("the board has no name", field="/name")
    if not any(member.business for member in command.members):
        raise BusinessMemberMissing(
            "no member speaks for the business", remedy="appoint at least one", field="/members"
        )
    if len(set(names)) < len(names) or not all(name.strip() for name in names):
        raise BoardIncomplete("every member has a name of their own", field="/members")
    if not 1 <= command.quorum <= len(names):
        raise BoardIncomplete(f"a quorum of {command.quorum} of {len(names)} members", field="/quorum")
    if not command.budget_limit.is_finite() or command.budget_limit < 0:
        raise BoardIncomplete("the budget limit is an amount of money", field="/budget_limit")
    if not is_currency(command.currency):
        raise BoardIncomplete(f"{command.currency!r} is not an ISO 4217 code", field="/currency")
    if not command.reason.strip():
        raise BoardIncomplete("the reason is blank", field="/reason")


def _same(board: Board, known: Board) -> bool:
    return (board.members, board.quorum, board.budget_limit, board.currency) == (
        known.members,
        known.quorum,
        known.budget_limit,
        known.currency,
    )


ADVISORY_BOARD: Decider[commands.Command, Board | None, events.Event] = Decider(
    stream="advisory_board", initial=None, decide=decide, evolve=evolve
)
