"""A concept on its way, for tests: the board, the commands, what follows from them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from services.demand.domain.board import Board, Member, Tally, Vote
from services.demand.domain.concept import commands, events
from services.demand.domain.proposal import Designation, Facts, Party, Phase, Proposal

CONCEPT_ID = UUID("0197c000-0000-7000-8000-000000000001")
RFC = UUID("0197c000-0000-7000-8000-000000000002")
BOARD_ID = UUID("0197c000-0000-7000-8000-000000000003")
NUMBER = "CON-2026-000007"
NOW = datetime(2026, 6, 17, 9, 0, tzinfo=UTC)
ANN, BEN, CAROL, DAVE = "ann", "ben", "carol", "dave"

COMPLETE = Proposal(
    title="A desk that follows people",
    business_unit="Retail Banking",
    facts=Facts(
        contact="Ann Beebe, ext. 4711",
        service_or_group="Desktop Computing",
        description_and_benefit="Staff sign in anywhere; two hours a month saved per clerk",
        timeline="July to December 2026",
        resources="Four engineers",
        risks_assumptions_obstacles="Branches keep their lines",
    ),
    designation=Designation.SUSTAINING,
    no_initiative_because="keeps the lights on",
    budget=Decimal(80000),
    currency="USD",
    rfc_id=RFC,
)
BOARD = Board(
    board_id=BOARD_ID,
    version=1,
    name="Project board",
    members=(
        Member(name=BEN, business=True),
        Member(name=CAROL, business=False),
        Member(name=DAVE, business=False),
    ),
    quorum=2,
    budget_limit=Decimal(100000),
    currency="USD",
)

PROPOSE = commands.ProposeConcept(
    concept_id=CONCEPT_ID, number=NUMBER, proposal=COMPLETE, proposed_by=ANN, proposed_at=NOW
)
SUBMIT = commands.SubmitConcept(submitted_by=ANN, submitted_at=NOW)
QUALIFY = commands.QualifyConcept(qualified_by=CAROL, reason="complete and plausible", qualified_at=NOW)
DEFER = commands.DeferConcept(
    until=date(2026, 9, 1), decided_by=CAROL, reason="after the merger", decided_at=NOW
)
DECLINE = commands.DeclineConcept(board=BOARD, decided_by=CAROL, reason="too dear", decided_at=NOW)
APPROVE = commands.ApproveConcept(
    revision=1,
    board=BOARD,
    owner=Party(name="Retail IT"),
    team="Desktop engineering",
    decided_by=CAROL,
    reason="pays back within a year",
    policies_consulted=("Investment policy 3",),
    decided_at=NOW,
)

PROPOSED = events.ConceptProposed(
    concept_id=CONCEPT_ID,
    number=NUMBER,
    phase=Phase.DRAFT,
    proposal=COMPLETE,
    proposed_by=ANN,
    occurred_at=NOW,
)
SUBMITTED = events.ConceptSubmitted(
    number=NUMBER, revision=1, proposal=COMPLETE, submitted_by=ANN, occurred_at=NOW
)
SCREENED = events.ScreeningStarted(screened_by=CAROL, reason="complete and plausible", occurred_at=NOW)
QUALIFIED = events.ConceptQualified(
    number=NUMBER,
    title=COMPLETE.title,
    revision=1,
    qualified_by=CAROL,
    reason="complete and plausible",
    occurred_at=NOW,
)
APPROVED = events.ConceptApproved(
    concept_id=CONCEPT_ID,
    number=NUMBER,
    revision=1,
    proposal=COMPLETE,
    owner=Party(name="Retail IT"),
    team="Desktop engineering",
    board_id=BOARD_ID,
    board_name="Project board",
    board_version=1,
    tally=Tally(approve=2, decline=0, abstain=0, business=1),
    decided_by=CAROL,
    reason="pays back within a year",
    policies_consulted=("Investment policy 3",),
    occurred_at=NOW,
)
BEFORE_THE_BOARD = (PROPOSED, SUBMITTED, SCREENED, QUALIFIED)


def vote(member: str, choice: Vote = Vote.APPROVE, revision: int = 1) -> commands.VoteOnConcept:
    """Return a member's vote."""
    return commands.VoteOnConcept(
        member=member, vote=choice, revision=revision, board=BOARD, reason="as discussed", voted_at=NOW
    )


def voted(member: str, choice: Vote = Vote.APPROVE, revision: int = 1) -> events.VoteCast:
    """Return what a member's vote leaves behind."""
    return events.VoteCast(
        member=member,
        vote=choice,
        revision=revision,
        business=member == BEN,
        board_id=BOARD_ID,
        board_version=1,
        reason="as discussed",
        occurred_at=NOW,
    )
