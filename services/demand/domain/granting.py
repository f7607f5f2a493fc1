"""What a board's decision needs to count: members, four eyes, a quorum, authority."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from services.demand.domain.board import Board, Member, Tally, Vote, tally
from services.demand.domain.proposal import Proposal
from shared.eventsourcing.decider import Rejected


class NotOnTheBoard(Rejected):
    """Only members of the advisory board vote."""

    status = 403


class SecondPairOfEyesMissing(Rejected):
    """Nobody decides on a concept of their own."""


class QuorumMissing(Rejected):
    """Too few members, or nobody from the business, have voted on this revision."""


class VotesSayOtherwise(Rejected):
    """The decision is not what the board voted for."""


class BeyondTheBoardsAuthority(Rejected):
    """The board may not grant that much."""


def other_than(authors: Collection[str], name: str) -> None:
    """Refuse somebody who wrote or handed in what they now judge."""
    if name in authors:
        raise SecondPairOfEyesMissing(
            f"{name} wrote this concept or handed it in", remedy="let somebody else judge it"
        )


def member_of(board: Board, name: str) -> Member:
    """Return the member; refuse everybody else."""
    for member in board.members:
        if member.name == name:
            return member
    raise NotOnTheBoard(f"{name} does not sit on {board.name}", remedy="appoint them first")


def quorate(board: Board, votes: Mapping[str, Vote]) -> Tally:
    """Count the votes; refuse while too few are in or the business has not spoken."""
    counted = tally(board, votes)
    if counted.cast < board.quorum or not counted.business:
        raise QuorumMissing(
            f"{counted.cast} of the {board.quorum} votes needed are in, {counted.business} from the business",
            remedy="collect votes on this revision",
        )
    return counted


def granted(board: Board, votes: Mapping[str, Vote], proposal: Proposal) -> Tally:
    """Count the votes for a yes; refuse where they do not carry it or the money is not theirs to give."""
    counted = quorate(board, votes)
    if not counted.carried:
        raise VotesSayOtherwise(f"{counted.approve} approve, {counted.decline} decline")
    if proposal.budget is None:
        return counted
    if proposal.currency != board.currency:
        raise BeyondTheBoardsAuthority(
            f"{board.name} grants {board.currency}, not {proposal.currency}",
            remedy="state the budget in its currency",
        )
    if proposal.budget > board.budget_limit:
        raise BeyondTheBoardsAuthority(
            f"{proposal.budget} {proposal.currency} is above the limit of {board.budget_limit}",
            remedy="take it to a board with a higher limit",
        )
    return counted


def refused(board: Board, votes: Mapping[str, Vote]) -> Tally:
    """Count the votes for a no; refuse where the board said yes."""
    counted = quorate(board, votes)
    if counted.carried:
        raise VotesSayOtherwise(f"{counted.approve} approve, {counted.decline} decline")
    return counted
