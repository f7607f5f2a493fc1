"""The figures of a project: published vectors, and what must hold for any cash flow."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.demand.domain.finance import (
    RATE_STEP,
    CashFlows,
    Convention,
    Period,
    appraise,
    faults,
    net_present_value,
)


def flows(
    rate: str, *periods: tuple[str, str], convention: Convention = Convention.FIRST_UNDISCOUNTED
) -> CashFlows:
    return CashFlows(
        currency="USD",
        rate=Decimal(rate),
        convention=convention,
        periods=tuple(Period(cost=Decimal(cost), benefit=Decimal(benefit)) for cost, benefit in periods),
    )


TWO_YEARS = flows("0.10", ("10045", "8823"), ("11954", "21176"))
PAID_BACK = flows("0.10", ("1000", "0"), ("0", "600"), ("0", "800"))


@pytest.mark.parametrize(
    ("project", "value"),
    [
        (TWO_YEARS, "7161.64"),
        (flows("0.11", ("180000", "240000"), ("180000", "240000")), "114054.05"),
    ],
)
def test_net_present_value_of_the_published_examples(project: CashFlows, value: str) -> None:
    assert appraise(project).net_present_value == Decimal(value)


def test_end_of_period_discounts_the_first_year_too() -> None:
    project = flows("0.10", ("10045", "8823"), ("11954", "21176"), convention=Convention.END_OF_PERIOD)
    assert appraise(project).net_present_value == Decimal("6510.58")  # 7161.64 / 1.1


def test_dated_flows_count_actual_days_over_365() -> None:
    # The example of Microsoft's and LibreOffice's XNPV documentation.
    dates = [date(2008, 1, 1), date(2008, 3, 1), date(2008, 10, 30), date(2009, 2, 15), date(2009, 4, 1)]
    nets = [-10000, 2750, 4250, 3250, 2750]
    project = CashFlows(
        currency="USD",
        rate=Decimal("0.09"),
        convention=Convention.DATED_ACTUAL_365,
        periods=tuple(
            Period(cost=Decimal(max(-net, 0)), benefit=Decimal(max(net, 0)), on=on)
            for net, on in zip(nets, dates, strict=True)
        ),
    )
    figures = appraise(project)
    assert figures.net_present_value == Decimal("2086.65")
    assert figures.internal_rate_of_return == Decimal("0.373363")  # XIRR of the same example: 37.34 %


def test_the_terms_add_up_to_the_figure() -> None:
    figures = appraise(TWO_YEARS)
    assert [term.present_value for term in figures.terms] == [Decimal("-1222.00"), Decimal("8383.64")]
    assert figures.terms[-1].cumulative == figures.net_present_value


def test_the_internal_rate_of_return_is_found() -> None:
    assert appraise(flows("0.1", ("100", "0"), ("0", "110"))).internal_rate_of_return == Decimal("0.100000")


def test_a_rate_that_does_not_exist_says_why() -> None:
    twice = appraise(flows("0.1", ("100", "0"), ("0", "230"), ("132", "0")))
    assert twice.internal_rate_of_return is None
    assert "2 times" in twice.no_rate_because
    never = appraise(flows("0.1", ("0", "5"), ("0", "5")))
    assert never.no_rate_because == "the cash flow never changes its sign"


def test_payback_is_linear_inside_a_year() -> None:
    assert appraise(PAID_BACK).payback_years == Decimal("1.50")  # 600 after a year, 400 of the next 800
    assert appraise(flows("0.1", ("1000", "0"), ("0", "999"))).payback_years is None


def test_return_on_investment_compares_benefits_with_costs() -> None:
    assert appraise(PAID_BACK).return_on_investment == Decimal("0.400000")
    assert appraise(flows("0.1", ("0", "5"))).return_on_investment is None


def test_unusable_cash_flows_are_named() -> None:
    assert faults(TWO_YEARS) == ()
    bad = CashFlows(currency="usd", rate=Decimal(-1), convention=Convention.DATED_ACTUAL_365, periods=())
    assert len(faults(bad)) == 3
    undated = flows("0.1", ("1", "2"), convention=Convention.DATED_ACTUAL_365)
    assert faults(undated) == ("dated flows need a date each, in rising order",)
    assert faults(flows("0.1", ("-1", "2"))) == ("costs and benefits are stated as positive amounts",)


AMOUNTS = st.decimals(min_value=0, max_value=10**7, places=2)
PROJECTS = st.builds(
    CashFlows,
    currency=st.just("USD"),
    rate=st.decimals(min_value=0, max_value=1, places=3),
    convention=st.sampled_from([Convention.FIRST_UNDISCOUNTED, Convention.END_OF_PERIOD]),
    periods=st.lists(st.builds(Period, cost=AMOUNTS, benefit=AMOUNTS), min_size=1, max_size=6).map(tuple),
)


@given(PROJECTS)
def test_shown_terms_add_up_for_any_project(project: CashFlows) -> None:
    figures = appraise(project)
    assert sum(term.present_value for term in figures.terms) == figures.net_present_value


@given(PROJECTS)
def test_at_the_internal_rate_the_project_is_worth_nothing(project: CashFlows) -> None:
    rate = appraise(project).internal_rate_of_return
    if rate is not None:
        below, above = (net_present_value(project, rate + step) for step in (-RATE_STEP, RATE_STEP))
        assert min(below, above) <= 0 <= max(below, above)


@given(PROJECTS, AMOUNTS)
def test_a_higher_benefit_never_lowers_the_value(project: CashFlows, more: Decimal) -> None:
    first, *others = project.periods
    richer = CashFlows(
        currency=project.currency,
        rate=project.rate,
        convention=project.convention,
        periods=(Period(cost=first.cost, benefit=first.benefit + more), *others),
    )
    assert appraise(richer).net_present_value >= appraise(project).net_present_value
