"""Whatever is asked of a concept in whatever order, no money is granted against the rules."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.demand.domain.board import Vote, tally
from services.demand.domain.concept import commands, events
from services.demand.domain.concept.decider import CONCEPT
from services.demand.domain.proposal import Proposal, missing
from services.demand.domain.standing import Concept
from shared.eventsourcing.decider import Rejected
from tests.demand.concepts import (
    ANN,
    APPROVE,
    BEN,
    BOARD,
    CAROL,
    COMPLETE,
    DAVE,
    DECLINE,
    DEFER,
    NOW,
    PROPOSE,
    QUALIFY,
    SUBMIT,
    vote,
)

PEOPLE = st.sampled_from([ANN, BEN, CAROL, DAVE])
PROPOSALS = st.sampled_from(
    [COMPLETE, replace(COMPLETE, budget=Decimal(200000)), Proposal(title="idea"), Proposal(title=" ")]
)
REVISIONS = st.integers(1, 3)
COMMANDS: st.SearchStrategy[commands.Command] = st.one_of(
    st.builds(replace, st.just(PROPOSE), proposal=PROPOSALS),
    st.builds(commands.ReviseConcept, proposal=PROPOSALS, revised_by=PEOPLE, revised_at=st.just(NOW)),
    st.just(SUBMIT),
    st.just(commands.StartScreening(screened_by=CAROL, reason="look", started_at=NOW)),
    st.just(QUALIFY),
    st.builds(vote, PEOPLE, st.sampled_from(Vote), REVISIONS),
    st.builds(replace, st.just(APPROVE), revision=REVISIONS, decided_by=PEOPLE),
    st.just(DEFER),
    st.builds(replace, st.just(DECLINE), board=st.sampled_from([None, BOARD])),
    st.just(commands.StartDelivery(started_by=CAROL, reason="go", started_at=NOW)),
    st.just(commands.TrackBenefits(reported_by=CAROL, reason="done", delivered_at=NOW)),
    st.just(commands.CloseConcept(closed_by=CAROL, reason="over", closed_at=NOW)),
)
# Random commands alone rarely get far: start somewhere on the way.
ROUTES = st.sampled_from([[], [PROPOSE, SUBMIT], [PROPOSE, SUBMIT, QUALIFY, vote(BEN), vote(CAROL)]])


@given(ROUTES, st.lists(COMMANDS, max_size=12))
def test_every_command_is_refused_or_followed_and_its_repetition_adds_nothing(
    route: list[commands.Command], steps: list[commands.Command]
) -> None:
    state: Concept | None = None
    for command in [*route, *steps]:
        for repetition in (False, True):
            try:
                decided = CONCEPT.decide(command, state)
            except Rejected:
                continue
            assert not (repetition and decided)
            state = CONCEPT.fold(decided, state)


@given(ROUTES, st.lists(COMMANDS, max_size=12))
def test_what_is_granted_is_complete_voted_for_by_others_and_within_the_limit(
    route: list[commands.Command], steps: list[commands.Command]
) -> None:
    state: Concept | None = None
    for command in [*route, *steps]:
        try:
            decided = CONCEPT.decide(command, state)
        except Rejected:
            continue
        for event in decided:
            if isinstance(event, events.ConceptApproved):
                assert state is not None
                votes = tally(BOARD, state.votes)
                assert votes.carried
                assert votes.cast >= BOARD.quorum
                assert votes.business
                assert not missing(event.proposal)
                assert event.decided_by not in state.authors
                assert not state.authors & state.votes.keys()
                assert event.proposal.budget is None or event.proposal.budget <= BOARD.budget_limit
        state = CONCEPT.fold(decided, state)
