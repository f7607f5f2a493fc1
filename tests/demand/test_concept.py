"""The way of a concept from an idea to a project with an owner, told as given, when, then."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

from services.demand.domain.board import Vote
from services.demand.domain.concept import commands, events
from services.demand.domain.concept.decider import CONCEPT
from services.demand.domain.finance import CashFlows, Convention
from services.demand.domain.granting import (
    BeyondTheBoardsAuthority,
    NotOnTheBoard,
    QuorumMissing,
    SecondPairOfEyesMissing,
    VotesSayOtherwise,
)
from services.demand.domain.proposal import Facts, Party, Phase, Proposal
from services.demand.domain.standing import (
    BoardMissing,
    ConceptExists,
    ContradictoryConcept,
    DateInThePast,
    FactsMissing,
    OwnerMissing,
    PhaseNotAllowed,
    ReasonMissing,
    RevisionMoved,
    UnknownConcept,
)
from tests.demand.concepts import (
    ANN,
    APPROVE,
    APPROVED,
    BEFORE_THE_BOARD,
    BEN,
    BOARD,
    CAROL,
    COMPLETE,
    DAVE,
    DECLINE,
    DEFER,
    NOW,
    PROPOSE,
    PROPOSED,
    QUALIFIED,
    QUALIFY,
    SCREENED,
    SUBMIT,
    SUBMITTED,
    vote,
    voted,
)
from tests.support.specification import specify

concept = specify(CONCEPT)
before_the_board = concept.given(*BEFORE_THE_BOARD)


def test_a_title_alone_is_an_idea() -> None:
    idea = Proposal(title="Desks that follow people")
    concept.when(replace(PROPOSE, proposal=idea)).then(replace(PROPOSED, phase=Phase.IDEA, proposal=idea))


def test_an_idea_becomes_a_draft_with_the_first_fact() -> None:
    idea = Proposal(title="Desks that follow people")
    draft = replace(idea, facts=Facts(contact="Ann"))
    revise = commands.ReviseConcept(proposal=draft, revised_by=ANN, revised_at=NOW)
    concept.given(replace(PROPOSED, phase=Phase.IDEA, proposal=idea)).when(revise).then(
        events.ConceptRevised(revision=2, phase=Phase.DRAFT, proposal=draft, revised_by=ANN, occurred_at=NOW)
    )


def test_a_concept_is_proposed_once() -> None:
    concept.given(PROPOSED).when(PROPOSE).then_rejected(ConceptExists)


def test_a_complete_draft_is_handed_in() -> None:
    concept.given(PROPOSED).when(SUBMIT).then(SUBMITTED)


def test_everything_missing_is_named_before_submission() -> None:
    bare = replace(PROPOSED, proposal=Proposal(title="Desks", facts=Facts(contact="Ann")))
    refusal = concept.given(bare).when(SUBMIT).then_rejected(FactsMissing)
    assert refusal.detail == (
        "missing: service_or_group, description_and_benefit, timeline, resources, "
        "risks_assumptions_obstacles, designation, initiative_id or no_initiative_because"
    )


def test_a_concept_serves_an_initiative_or_says_why_not_but_never_both() -> None:
    both = replace(COMPLETE, initiative_id=UUID(int=1))
    concept.when(replace(PROPOSE, proposal=both)).then_rejected(ContradictoryConcept)


def test_unusable_cash_flows_are_refused_when_they_are_stated() -> None:
    flows = CashFlows(
        currency="USD", rate=Decimal("0.1"), convention=Convention.FIRST_UNDISCOUNTED, periods=()
    )
    refusal = concept.when(replace(PROPOSE, proposal=replace(COMPLETE, cash_flows=flows))).then_rejected(
        ContradictoryConcept
    )
    assert refusal.detail == "there is no period"


def test_qualifying_at_first_sight_is_screening_too() -> None:
    concept.given(PROPOSED, SUBMITTED).when(QUALIFY).then(SCREENED, QUALIFIED)


def test_a_screened_concept_is_qualified() -> None:
    screen = commands.StartScreening(screened_by=CAROL, reason="first look", started_at=NOW)
    concept.given(PROPOSED, SUBMITTED).when(screen, QUALIFY).then(QUALIFIED)


def test_the_board_approves_with_an_owner_and_a_team() -> None:
    before_the_board.given(voted(BEN), voted(CAROL)).when(APPROVE).then(APPROVED)


def test_only_members_vote() -> None:
    before_the_board.when(vote("eve")).then_rejected(NotOnTheBoard)


def test_authors_do_not_vote_on_their_own_concept() -> None:
    own = replace(PROPOSED, proposed_by=BEN)
    concept.given(own, SUBMITTED, SCREENED, QUALIFIED).when(vote(BEN)).then_rejected(SecondPairOfEyesMissing)


def test_a_vote_is_for_the_revision_that_was_read() -> None:
    before_the_board.when(vote(BEN, revision=2)).then_rejected(RevisionMoved, field="/revision")


def test_the_same_vote_again_changes_nothing() -> None:
    before_the_board.when(vote(BEN), vote(BEN)).then_nothing()
    before_the_board.when(vote(BEN), vote(BEN, Vote.DECLINE)).then(voted(BEN, Vote.DECLINE))


def test_a_revision_before_the_board_makes_earlier_votes_void() -> None:
    changed = replace(COMPLETE, budget=Decimal(90000))
    revise = commands.ReviseConcept(proposal=changed, revised_by=ANN, revised_at=NOW)
    before_the_board.given(voted(BEN), voted(CAROL)).when(revise, replace(APPROVE, revision=2)).then_rejected(
        QuorumMissing
    )


def test_what_is_before_the_board_cannot_be_revised_into_something_incomplete() -> None:
    revise = commands.ReviseConcept(proposal=replace(COMPLETE, facts=Facts()), revised_by=ANN, revised_at=NOW)
    before_the_board.when(revise).then_rejected(FactsMissing)


def test_a_decision_is_for_the_revision_that_was_read() -> None:
    before_the_board.given(voted(BEN), voted(CAROL)).when(replace(APPROVE, revision=2)).then_rejected(
        RevisionMoved
    )


def test_too_few_votes_decide_nothing() -> None:
    before_the_board.given(voted(BEN)).when(APPROVE).then_rejected(QuorumMissing)


def test_without_a_vote_from_the_business_nothing_is_approved() -> None:
    before_the_board.given(voted(CAROL), voted(DAVE)).when(APPROVE).then_rejected(QuorumMissing)


def test_votes_of_those_who_left_the_board_do_not_count() -> None:
    smaller = replace(BOARD, version=2, members=BOARD.members[:2])
    before_the_board.given(voted(BEN), voted(DAVE)).when(replace(APPROVE, board=smaller)).then_rejected(
        QuorumMissing
    )


def test_a_decision_follows_the_votes() -> None:
    against = before_the_board.given(voted(BEN, Vote.DECLINE), voted(CAROL, Vote.ABSTAIN))
    against.when(APPROVE).then_rejected(VotesSayOtherwise)
    (declined,) = against.when(DECLINE).events()
    assert (declined.tally.decline, declined.tally.abstain) == (1, 1)
    before_the_board.given(voted(BEN), voted(CAROL)).when(DECLINE).then_rejected(VotesSayOtherwise)


def test_a_board_grants_no_more_than_its_limit() -> None:
    dear = replace(COMPLETE, budget=Decimal("100000.01"))
    concept.given(
        replace(PROPOSED, proposal=dear), SUBMITTED, SCREENED, QUALIFIED, voted(BEN), voted(CAROL)
    ).when(APPROVE).then_rejected(BeyondTheBoardsAuthority)


def test_a_board_grants_in_its_own_currency() -> None:
    euros = replace(COMPLETE, currency="EUR")
    concept.given(
        replace(PROPOSED, proposal=euros), SUBMITTED, SCREENED, QUALIFIED, voted(BEN), voted(CAROL)
    ).when(APPROVE).then_rejected(BeyondTheBoardsAuthority)


def test_nobody_decides_on_a_concept_of_their_own() -> None:
    before_the_board.given(voted(BEN), voted(CAROL)).when(replace(APPROVE, decided_by=ANN)).then_rejected(
        SecondPairOfEyesMissing
    )


def test_an_approved_project_needs_an_owner() -> None:
    before_the_board.given(voted(BEN), voted(CAROL)).when(
        replace(APPROVE, owner=Party(name=" "))
    ).then_rejected(OwnerMissing, field="/owner")


def test_every_decision_needs_its_reason() -> None:
    before_the_board.given(voted(BEN), voted(CAROL)).when(replace(APPROVE, reason="")).then_rejected(
        ReasonMissing, field="/reason"
    )
    before_the_board.when(replace(DEFER, reason=" ")).then_rejected(ReasonMissing)


def test_a_concept_is_declined_in_screening_without_a_board() -> None:
    (declined,) = concept.given(PROPOSED, SUBMITTED).when(replace(DECLINE, board=None)).events()
    assert declined.tally is None
    before_the_board.when(replace(DECLINE, board=None)).then_rejected(BoardMissing)


def test_a_deferred_concept_is_taken_up_again() -> None:
    screen = commands.StartScreening(screened_by=CAROL, reason="the merger is through", started_at=NOW)
    before_the_board.given(voted(BEN), voted(CAROL)).when(DEFER, screen, QUALIFY, APPROVE).then_rejected(
        QuorumMissing
    )


def test_a_concept_is_deferred_to_a_day_ahead() -> None:
    before_the_board.when(replace(DEFER, until=date(2026, 6, 17))).then_rejected(
        DateInThePast, field="/until"
    )


def test_a_project_is_delivered_tracked_and_closed_in_that_order() -> None:
    start = commands.StartDelivery(started_by=CAROL, reason="envisioning begins", started_at=NOW)
    track = commands.TrackBenefits(reported_by=CAROL, reason="rolled out", delivered_at=NOW)
    close = commands.CloseConcept(closed_by=CAROL, reason="promise kept", closed_at=NOW)
    project = before_the_board.given(APPROVED)
    project.when(track).then_rejected(PhaseNotAllowed)
    project.when(start, track, close).then(
        events.ConceptClosed(closed_by=CAROL, reason="promise kept", occurred_at=NOW)
    )


def test_a_declined_concept_is_not_revised() -> None:
    revise = commands.ReviseConcept(proposal=COMPLETE, revised_by=ANN, revised_at=NOW)
    concept.given(PROPOSED, SUBMITTED).when(replace(DECLINE, board=None), revise).then_rejected(
        PhaseNotAllowed
    )


def test_what_was_never_proposed_cannot_be_handed_in() -> None:
    concept.when(SUBMIT).then_rejected(UnknownConcept)
