"""Who may sit on an advisory board and what makes it able to decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.demand.domain.advisory_board.commands import AppointBoard
from services.demand.domain.advisory_board.decider import (
    ADVISORY_BOARD,
    BoardIncomplete,
    BusinessMemberMissing,
)
from services.demand.domain.board import Board, Member
from shared.eventsourcing.decider import Rejected
from tests.support.specification import specify

APPOINT = AppointBoard(
    name="Project board",
    members=(Member(name="ben", business=True), Member(name="carol", business=False)),
    quorum=2,
    budget_limit=Decimal(100000),
    currency="USD",
    appointed_by="the executive",
    reason="new budget year",
    appointed_at=datetime(2026, 1, 5, tzinfo=UTC),
)
board = specify(ADVISORY_BOARD)


def test_a_board_is_appointed_with_its_authority() -> None:
    (appointed,) = board.when(APPOINT).events()
    assert appointed.board.version == 1
    assert appointed.board.budget_limit == Decimal(100000)


def test_appointing_it_anew_is_its_next_version() -> None:
    (appointed,) = board.when(APPOINT, replace(APPOINT, quorum=1)).events()
    assert (appointed.board.version, appointed.board.quorum) == (2, 1)


def test_the_same_composition_again_changes_nothing() -> None:
    board.when(APPOINT, replace(APPOINT, reason="again")).then_nothing()


def test_the_business_sits_on_every_board() -> None:
    board.when(replace(APPOINT, members=APPOINT.members[1:], quorum=1)).then_rejected(
        BusinessMemberMissing, field="/members"
    )


@pytest.mark.parametrize(
    ("lacking", "field"),
    [
        (replace(APPOINT, name=" "), "/name"),
        (replace(APPOINT, quorum=3), "/quorum"),
        (replace(APPOINT, quorum=0), "/quorum"),
        (replace(APPOINT, members=(*APPOINT.members, APPOINT.members[0])), "/members"),
        (replace(APPOINT, budget_limit=Decimal(-1)), "/budget_limit"),
        (replace(APPOINT, currency="dollars"), "/currency"),
        (replace(APPOINT, reason=""), "/reason"),
    ],
)
def test_a_board_that_could_not_decide_is_refused(lacking: AppointBoard, field: str) -> None:
    board.when(lacking).then_rejected(BoardIncomplete, field=field)


MEMBERS = st.lists(
    st.builds(Member, name=st.sampled_from(["a", "b", " "]), business=st.booleans()), max_size=3
).map(tuple)


@given(st.lists(st.builds(replace, st.just(APPOINT), members=MEMBERS, quorum=st.integers(0, 3)), max_size=6))
def test_every_board_in_office_can_decide_and_hears_the_business(asked: list[AppointBoard]) -> None:
    state: Board | None = None
    for command in asked:
        try:
            state = ADVISORY_BOARD.fold(ADVISORY_BOARD.decide(command, state), state)
        except Rejected:
            continue
        assert state is not None
        assert state.quorum <= len(state.members)
        assert any(member.business for member in state.members)
        assert not ADVISORY_BOARD.decide(command, state)
