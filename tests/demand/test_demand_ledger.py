"""Every fact heard counts once, where and when it belongs, whatever order facts come in."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.demand.domain.demand_ledger import commands, events
from services.demand.domain.demand_ledger.decider import DEMAND_LEDGER, Entry, month_of
from services.demand.domain.demand_ledger.events import Cell
from tests.support.specification import specify

REQUEST = UUID("0197d000-0000-7000-8000-000000000001")
CLOCK = UUID("0197d000-0000-7000-8000-000000000002")
MAY = datetime(2026, 5, 17, 9, 0, tzinfo=UTC)
JULY = datetime(2026, 7, 2, 9, 0, tzinfo=UTC)
DESKTOP = Cell(service="Desktop Computing", business_unit="Retail Banking", month=date(2026, 5, 1))
MESSAGING = replace(DESKTOP, service="Messaging")

HEAR = commands.HearRequest(
    request_id=REQUEST,
    kind="incident",
    service="Desktop Computing",
    business_unit="Retail Banking",
    units=3,
    submitted_at=MAY,
    historic=False,
)
HEAR_RFC = commands.HearRfc(
    rfc_id=REQUEST,
    request_id=None,
    change_type="normal",
    service="Desktop Computing",
    submitted_at=MAY,
    historic=False,
)
JUDGED = commands.HearService(service="Messaging", judged_at=JULY, historic=False)
LATE = commands.HearBreach(clock_id=CLOCK, target="resolution", breached_at=JULY, historic=False)
WITHDRAWN = commands.HearBreachWithdrawn(clock_id=CLOCK, withdrawn_at=JULY, historic=False)
HEARD = events.RequestHeard(request_id=REQUEST, kind="incident", units=3, cell=DESKTOP, occurred_at=MAY)
ledger = specify(DEMAND_LEDGER)


def test_a_request_counts_in_its_own_month() -> None:
    ledger.when(HEAR).then(HEARD)


def test_the_month_is_that_of_utc() -> None:
    evening = datetime(2026, 4, 30, 22, 0, tzinfo=timezone(timedelta(hours=-7)))
    assert month_of(evening) == date(2026, 5, 1)


def test_imported_history_counts_where_it_happened_and_says_so() -> None:
    old = replace(HEAR, submitted_at=datetime(2016, 2, 29, 1, 16, tzinfo=UTC), historic=True)
    (heard,) = ledger.when(old).events()
    assert (heard.cell.month, heard.historic) == (date(2016, 2, 1), True)


def test_a_request_heard_twice_counts_once() -> None:
    ledger.when(HEAR, HEAR).then_nothing()


def test_an_rfc_counts_without_a_business_unit() -> None:
    (heard,) = ledger.when(HEAR_RFC).events()
    assert heard.cell == replace(DESKTOP, business_unit="")


def test_triage_moves_the_demand_to_the_service_it_is_for() -> None:
    ledger.given(HEARD).when(JUDGED).then(
        events.DemandMoved(
            requests=1,
            incidents=1,
            imported=0,
            rfcs=0,
            units=3,
            was=DESKTOP,
            cell=MESSAGING,
            occurred_at=JULY,
        )
    )
    ledger.given(HEARD).when(JUDGED, JUDGED).then_nothing()


def test_a_service_judged_before_the_request_is_heard_still_counts() -> None:
    (heard,) = ledger.when(JUDGED, HEAR).events()
    assert heard.cell == MESSAGING


def test_a_breach_counts_in_the_month_of_the_breach() -> None:
    _, counted = ledger.given(HEARD).when(LATE).events()
    assert counted.cell == replace(DESKTOP, month=date(2026, 7, 1))


def test_a_breach_heard_before_its_request_counts_once_the_request_is_known() -> None:
    (fact,) = ledger.when(LATE).events()
    assert isinstance(fact, events.BreachHeard)
    _, counted = ledger.when(LATE, HEAR).events()
    assert counted.breaches == 1


def test_a_withdrawn_breach_no_longer_counts() -> None:
    _, uncounted = ledger.given(HEARD).when(LATE, WITHDRAWN).events()
    assert uncounted.breaches == -1
    ledger.when(LATE, WITHDRAWN, HEAR).then(HEARD)


def counts(decided: list[events.Event]) -> Counter[tuple[str, Cell]]:
    """Add up what events say about the counters."""
    total: Counter[tuple[str, Cell]] = Counter()
    for event in decided:
        match event:
            case events.RequestHeard():
                total["requests", event.cell] += 1
            case events.DemandMoved():
                total["requests", event.was] -= event.requests
                total["requests", event.cell] += event.requests
            case events.BreachCounted():
                total["breaches", event.cell] += event.breaches
            case _:
                pass
    return Counter({where: count for where, count in total.items() if count})


FACTS = st.sampled_from([HEAR, JUDGED, LATE, replace(LATE, clock_id=UUID(int=9)), WITHDRAWN])


@given(st.lists(FACTS, max_size=8))
def test_repetition_adds_nothing(facts: list[commands.Command]) -> None:
    state = Entry()
    for fact in facts:
        state = DEMAND_LEDGER.fold(DEMAND_LEDGER.decide(fact, state), state)
        assert not DEMAND_LEDGER.decide(fact, state)


@given(st.permutations([HEAR, JUDGED, LATE, replace(LATE, clock_id=UUID(int=9))]))
def test_topics_may_overtake_each_other(facts: list[commands.Command]) -> None:
    state, decided = Entry(), []
    for fact in facts:
        new = DEMAND_LEDGER.decide(fact, state)
        state = DEMAND_LEDGER.fold(new, state)
        decided += new
    july = replace(MESSAGING, month=date(2026, 7, 1))
    assert counts(decided) == Counter({("requests", MESSAGING): 1, ("breaches", july): 2})
