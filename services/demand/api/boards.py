"""Advisory boards: appointed, and what they do: vote on concepts and decide."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from services.demand.api.proposals import Code, Line, Money, PartyBody, Text
from services.demand.domain.advisory_board.commands import AppointBoard
from services.demand.domain.advisory_board.decider import ADVISORY_BOARD, board_id_of
from services.demand.domain.board import Board, Member, Vote
from services.demand.domain.concept import commands
from services.demand.domain.concept.decider import CONCEPT
from services.demand.domain.proposal import Party
from services.demand.domain.standing import BoardMissing, DateInThePast, OwnerMissing
from services.demand.projections import board_list
from shared.eventsourcing.log import Step
from shared.http.answers import answer
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller, Key, Match
from shared.http.validation import Body


class MemberBody(Body):
    """A member, by the name under which they sign in."""

    name: Line
    business: bool = Field(description="sits there for the business, not for IT")


class NewBoard(Body):
    """A board's composition and authority from now on; the name appoints a known board anew."""

    name: Line
    members: Annotated[tuple[MemberBody, ...], Field(min_length=1, max_length=50)]
    quorum: int = Field(ge=1)
    budget_limit: Money
    currency: Code
    reason: Text


class VoteBody(Body):
    """The caller's vote on the revision they read. `board_id` is needed where several are in office."""

    vote: Vote
    revision: int = Field(ge=1)
    reason: Text
    board_id: UUID | None = None


class Outcome(StrEnum):
    """What a board decides."""

    APPROVE = "approve"
    DEFER = "defer"
    DECLINE = "decline"


class DecisionBody(Body):
    """A decision: approve names revision, owner and team; defer names the day to take it up again."""

    outcome: Outcome
    reason: Text
    revision: int = Field(default=0, ge=0)
    owner: PartyBody | None = None
    team: Line = ""
    until: date | None = None
    policies_consulted: Annotated[tuple[Line, ...], Field(max_length=50)] = ()
    board_id: UUID | None = None


class Boards:
    """What boards are and what they do."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def listed(self) -> dict[str, Any]:
        """List the boards in office."""
        found = await self._context.database.rows(board_list.boards())
        return {
            "items": [
                {
                    "board": board_list.board_of(row),
                    "appointed_by": row["appointed_by"],
                    "appointed_at": row["appointed_at"],
                }
                for row in found
            ]
        }

    async def appoint(self, body: NewBoard, caller: Caller, key: Key) -> Response:
        """Say who sits on a board, what it may grant and how many votes it needs."""
        command = AppointBoard(
            name=body.name,
            members=tuple(Member(name=each.name, business=each.business) for each in body.members),
            quorum=body.quorum,
            budget_limit=body.budget_limit,
            currency=body.currency,
            appointed_by=caller.name,
            reason=body.reason,
            appointed_at=self._context.clock.now(),
        )
        step = Step(decider=ADVISORY_BOARD, stream_id=board_id_of(body.name), command=command)
        return answer(await self._context.commands.execute(caller, step, idempotency=key), status=201)

    async def vote(
        self, concept_id: UUID, body: VoteBody, caller: Caller, key: Key, match: Match
    ) -> Response:
        """Vote, as a member of the board, on the revision read."""
        command = commands.VoteOnConcept(
            member=caller.name,
            vote=body.vote,
            revision=body.revision,
            board=await self._board(body.board_id),
            reason=body.reason,
            voted_at=self._context.clock.now(),
        )
        step = Step(decider=CONCEPT, stream_id=concept_id, command=command, expected_version=match)
        return answer(await self._context.commands.execute(caller, step, idempotency=key))

    async def decide(
        self, concept_id: UUID, body: DecisionBody, caller: Caller, key: Key, match: Match
    ) -> Response:
        """Write the board's decision down; whoever wrote the concept may not."""
        command = await self._decision(body, caller.name)
        step = Step(decider=CONCEPT, stream_id=concept_id, command=command, expected_version=match)
        return answer(await self._context.commands.execute(caller, step, idempotency=key))

    async def _decision(self, body: DecisionBody, decided_by: str) -> commands.Command:
        now = self._context.clock.now()
        match body.outcome:
            case Outcome.APPROVE:
                if body.owner is None:
                    raise OwnerMissing("an approved project needs an owner and a team", field="/owner")
                return commands.ApproveConcept(
                    revision=body.revision,
                    board=await self._board(body.board_id),
                    owner=Party(name=body.owner.name, person_id=body.owner.person_id),
                    team=body.team,
                    decided_by=decided_by,
                    reason=body.reason,
                    policies_consulted=body.policies_consulted,
                    decided_at=now,
                )
            case Outcome.DEFER:
                if body.until is None:
                    raise DateInThePast("a deferral names its day", field="/until")
                return commands.DeferConcept(
                    until=body.until, decided_by=decided_by, reason=body.reason, decided_at=now
                )
            case Outcome.DECLINE:
                board = await self._known_board(body.board_id)
                return commands.DeclineConcept(
                    board=board, decided_by=decided_by, reason=body.reason, decided_at=now
                )

    async def _board(self, board_id: UUID | None) -> Board:
        board = await self._known_board(board_id)
        if board is None:
            raise BoardMissing(
                "no board is meant: none is in office, several are, or the id is unknown",
                remedy="name one of GET /v1/advisory-boards, or appoint one by POST",
                field="/board_id",
            )
        return board

    async def _known_board(self, board_id: UUID | None) -> Board | None:
        """Return the board of that id; without an id the only one in office."""
        found = [board_list.board_of(row) for row in await self._context.database.rows(board_list.boards())]
        meant = [board for board in found if board_id in (None, board.board_id)]
        return meant[0] if len(meant) == 1 else None


def router(context: ServiceContext) -> APIRouter:
    """Return the routes of this module."""
    boards = Boards(context)
    routes = APIRouter(tags=["advisory boards"])
    routes.get("/v1/advisory-boards")(boards.listed)
    routes.post("/v1/advisory-boards", status_code=201)(boards.appoint)
    routes.post("/v1/concepts/{concept_id}/votes")(boards.vote)
    routes.post("/v1/concepts/{concept_id}/decision")(boards.decide)
    return routes
