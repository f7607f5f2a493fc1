"""An advisory board's composition and what its votes on a concept amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class Vote(StrEnum):
    """How a member votes."""

    APPROVE = "approve"
    DECLINE = "decline"
    ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member, by the name under which they sign in; `business`: sits there for the business, not for IT."""

    name: str
    business: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The board as it stood at an appointment. `version` counts its appointments from one."""

    board_id: UUID
    version: int
    name: str
    members: tuple[Member, ...]
    quorum: int
    budget_limit: Decimal
    currency: str

    def has(self, name: str) -> bool:
        """Tell whether somebody sits on the board."""
        return any(member.name == name for member in self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The votes on one revision. Abstentions count for the quorum, not for the outcome."""

    approve: int
    decline: int
    abstain: int
    business: int

    @property
    def cast(self) -> int:
        """How many members have voted."""
        return self.approve + self.decline + self.abstain

    @property
    def carried(self) -> bool:
        """Whether more members approve than decline."""
        return self.approve > self.decline


def tally(board: Board, votes: Mapping[str, Vote]) -> Tally:
    """Count the votes of those who sit on the board now."""
    counted = [(member, votes[member.name]) for member in board.members if member.name in votes]
    return Tally(
        approve=sum(vote is Vote.APPROVE for _, vote in counted),
        decline=sum(vote is Vote.DECLINE for _, vote in counted),
        abstain=sum(vote is Vote.ABSTAIN for _, vote in counted),
        business=sum(member.business for member, _ in counted),
    )
