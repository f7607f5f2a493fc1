"""What the catalog notes of agreements and breaches: once each, never refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.catalog.domain.agreement import commands as agreement_commands
from services.catalog.domain.agreement.decider import AGREEMENT, Agreement
from services.catalog.domain.breach import commands as breach_commands
from services.catalog.domain.breach.decider import BREACH, Breach
from tests.support.specification import specify

SLA = UUID("0197b000-0000-7000-8000-000000000001")
CLOCK = UUID("0197b000-0000-7000-8000-000000000002")
NOW = datetime(2026, 7, 1, 3, 0, tzinfo=UTC)

IN_FORCE = agreement_commands.NoteInForce(
    agreement_id=SLA,
    version=1,
    kind="sla",
    title="Desktop Computing Service",
    services=("Desktop  Computing",),
    starts_at=NOW,
    ends_at=None,
    noted_at=NOW,
    historic=False,
)
END = agreement_commands.NoteEnd(
    agreement_id=SLA, version=1, ends_at=NOW + timedelta(days=9), noted_at=NOW, historic=False
)
LATE = breach_commands.NoteBreach(
    agreement_id=SLA, clock_id=CLOCK, target="response", breached_at=NOW, historic=False
)
WITHDRAWN = breach_commands.NoteBreachWithdrawn(
    agreement_id=SLA, clock_id=CLOCK, withdrawn_at=NOW + timedelta(days=40), historic=False
)


def test_an_agreement_in_force_is_noted_for_the_services_it_names() -> None:
    (noted,) = specify(AGREEMENT).when(IN_FORCE).events()
    assert noted.services == ("desktop computing",)


def test_hearing_of_an_agreement_twice_changes_nothing() -> None:
    specify(AGREEMENT).when(IN_FORCE, IN_FORCE).then_nothing()


def test_the_end_of_an_old_version_does_not_end_the_new_one() -> None:
    specify(AGREEMENT).when(IN_FORCE, replace(IN_FORCE, version=2), END).then_nothing()


def test_the_end_of_the_version_in_force_is_noted() -> None:
    (ended,) = specify(AGREEMENT).when(IN_FORCE, END).events()
    assert ended.ends_at == NOW + timedelta(days=9)


def test_a_breach_counts_in_its_own_month_in_utc() -> None:
    evening = datetime(2026, 6, 30, 23, 0, tzinfo=timezone(timedelta(hours=-7)))
    (noted,) = specify(BREACH).when(replace(LATE, breached_at=evening)).events()
    assert noted.month == date(2026, 7, 1)


def test_a_withdrawn_breach_leaves_the_month_it_counted_in() -> None:
    (gone,) = specify(BREACH).when(LATE, WITHDRAWN).events()
    assert (gone.target, gone.month) == ("response", date(2026, 7, 1))


AGREEMENTS = st.one_of(
    st.builds(replace, st.just(IN_FORCE), version=st.integers(1, 4), historic=st.booleans()),
    st.builds(replace, st.just(END), version=st.integers(1, 4)),
)


@given(st.lists(AGREEMENTS, max_size=10))
def test_the_newest_version_heard_counts_in_whatever_order(
    heard: list[agreement_commands.Command],
) -> None:
    state = Agreement()
    for command in heard:
        state = AGREEMENT.fold(AGREEMENT.decide(command, state), state)
        assert not AGREEMENT.decide(command, state)
    versions = [c.version for c in heard if isinstance(c, agreement_commands.NoteInForce)]
    assert state.version == max(versions, default=0)


@given(st.lists(st.sampled_from([LATE, WITHDRAWN]), max_size=6))
def test_a_breach_counts_at_most_once(heard: list[breach_commands.Command]) -> None:
    state: Breach | None = None
    counted = 0
    for command in heard:
        decided = BREACH.decide(command, state)
        counted += sum(1 if type(event).__name__ == "BreachNoted" else -1 for event in decided)
        state = BREACH.fold(decided, state)
        assert counted in (0, 1)
        assert not BREACH.decide(command, state)
