"""What a project is worth: present value, rate of return, payback, return on investment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from enum import StrEnum
from itertools import pairwise

CENT = Decimal("0.01")
RATE_STEP = Decimal("0.000001")
LOWEST_RATE = Decimal("-0.99")
HIGHEST_RATE = Decimal(1000)  # 100,000 % a period
# Cash flows may be sums in any currency: enough digits that discounting loses no cent.
PRECISION = Context(prec=40, rounding=ROUND_HALF_EVEN)


class Convention(StrEnum):
    """When the cash flows of a period are taken to fall; recorded with the figures."""

    FIRST_UNDISCOUNTED = "first_undiscounted"
    END_OF_PERIOD = "end_of_period"
    DATED_ACTUAL_365 = "dated_actual_365"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Cost and benefit of one year, both positive and nominal; `on` is needed for dated flows only."""

    cost: Decimal
    benefit: Decimal
    on: date | None = None

    @property
    def net(self) -> Decimal:
        """What the period brings after its cost."""
        return self.benefit - self.cost


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFlows:
    """The money of a project in one currency, without costs already sunk. `rate` per year: 0.1 is 10 %."""

    currency: str
    rate: Decimal
    convention: Convention
    periods: tuple[Period, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One period's share of the net present value; the present values add up to it."""

    cost: Decimal
    benefit: Decimal
    net: Decimal
    years: Decimal
    factor: Decimal
    present_value: Decimal
    cumulative: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Appraisal:
    """The figures with the terms they are made of. What cannot be told is None, with its reason."""

    convention: Convention
    rate: Decimal
    currency: str
    net_present_value: Decimal
    terms: tuple[Term, ...]
    internal_rate_of_return: Decimal | None
    no_rate_because: str
    payback_years: Decimal | None
    return_on_investment: Decimal | None


def is_currency(text: str) -> bool:
    """Tell whether a text has the form of an ISO 4217 code."""
    return re.fullmatch("[A-Z]{3}", text) is not None


def faults(flows: CashFlows) -> tuple[str, ...]:
    """Name what makes cash flows unusable; nothing: they can be appraised."""
    found = []
    if not flows.periods:
        found.append("there is no period")
    if not LOWEST_RATE <= flows.rate <= HIGHEST_RATE:
        found.append(f"the rate {flows.rate} is not a yearly rate such as 0.10")
    if any(not amount.is_finite() or amount < 0 for p in flows.periods for amount in (p.cost, p.benefit)):
        found.append("costs and benefits are stated as positive amounts")
    if not is_currency(flows.currency):
        found.append(f"{flows.currency!r} is not an ISO 4217 currency code")
    if flows.convention is Convention.DATED_ACTUAL_365:
        dates = [period.on for period in flows.periods]
        if None in dates or any(a >= b for a, b in pairwise(d for d in dates if d is not None)):
            found.append("dated flows need a date each, in rising order")
    return tuple(found)


def appraise(flows: CashFlows) -> Appraisal:
    """Compute the figures under the recorded convention; money in cents, rates to a millionth.

    NPV is the sum of net_t / (1 + rate)^years_t, where years_t counts from 0 (first period undiscounted),
    from 1 (end of period), or is actual days / 365 since the first date. ROI is undiscounted:
    (benefits - costs) / costs.
    """
    with localcontext(PRECISION):
        years = years_of(flows)
        terms = _terms(flows, years)
        rate, reason = _internal_rate(flows, years)
        costs = sum((period.cost for period in flows.periods), Decimal(0))
        gain = sum((period.net for period in flows.periods), Decimal(0))
        return Appraisal(
            convention=flows.convention,
            rate=flows.rate,
            currency=flows.currency,
            net_present_value=net_present_value(flows, flows.rate).quantize(CENT),
            terms=terms,
            internal_rate_of_return=rate,
            no_rate_because=reason,
            payback_years=payback(flows, years),
            return_on_investment=(gain / costs).quantize(RATE_STEP) if costs else None,
        )


def years_of(flows: CashFlows) -> tuple[Decimal, ...]:
    """Return how many years from today each period's money falls."""
    if flows.convention is Convention.DATED_ACTUAL_365:
        dates = [period.on for period in flows.periods if period.on is not None]
        return tuple(Decimal((on - dates[0]).days) / 365 for on in dates)
    first = 1 if flows.convention is Convention.END_OF_PERIOD else 0
    return tuple(Decimal(first + number) for number in range(len(flows.periods)))


def net_present_value(flows: CashFlows, rate: Decimal) -> Decimal:
    """Return the unrounded NPV at a rate."""
    with localcontext(PRECISION):
        pairs = zip(flows.periods, years_of(flows), strict=True)
        return sum((period.net / (1 + rate) ** years for period, years in pairs), Decimal(0))


def payback(flows: CashFlows, years: Sequence[Decimal]) -> Decimal | None:
    """Return the years until the undiscounted sum stays at or above zero, linear inside a period.

    None: the money never comes back. Zero: there was never anything to pay back.
    """
    with localcontext(PRECISION):
        total = Decimal(0)
        running = []
        for period in flows.periods:
            total += period.net
            running.append(total)
        if total < 0:
            return None
        below = [index for index, value in enumerate(running) if value < 0]
        if not below:
            return Decimal(0).quantize(CENT)
        last = below[-1]
        share = -running[last] / flows.periods[last + 1].net
        return (years[last] + share * (years[last + 1] - years[last])).quantize(CENT)


def _terms(flows: CashFlows, years: Sequence[Decimal]) -> tuple[Term, ...]:
    """Round cumulatively, so that the shown shares add up to the shown total to the cent."""
    terms = []
    exact = shown = Decimal(0)
    for period, after in zip(flows.periods, years, strict=True):
        factor = 1 / (1 + flows.rate) ** after
        exact += period.net * factor
        cumulative = exact.quantize(CENT)
        terms.append(
            Term(
                cost=period.cost,
                benefit=period.benefit,
                net=period.net,
                years=after.quantize(RATE_STEP),
                factor=factor.quantize(RATE_STEP),
                present_value=cumulative - shown,
                cumulative=cumulative,
            )
        )
        shown = cumulative
    return tuple(terms)


def _internal_rate(flows: CashFlows, years: Sequence[Decimal]) -> tuple[Decimal | None, str]:
    """Find the one rate at which the NPV is zero, by bisection; refuse where it is not the only one."""
    signs = [period.net > 0 for period in flows.periods if period.net]
    changes = sum(a is not b for a, b in pairwise(signs))
    if changes == 0:
        return None, "the cash flow never changes its sign"
    if changes > 1:
        return None, f"the cash flow changes its sign {changes} times, so no single rate exists"
    if len(set(years)) == 1:
        return None, "all money falls at one time"
    low, high = LOWEST_RATE, HIGHEST_RATE
    rising = net_present_value(flows, high) > 0
    if (net_present_value(flows, low) > 0) is rising:
        return None, f"the rate lies outside {LOWEST_RATE} to {HIGHEST_RATE}"
    while high - low > RATE_STEP / 10:
        middle = (low + high) / 2
        if (net_present_value(flows, middle) > 0) is rising:
            high = middle
        else:
            low = middle
    return ((low + high) / 2).quantize(RATE_STEP), ""
