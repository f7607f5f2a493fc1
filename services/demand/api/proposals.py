"""What a caller says of a concept, and how its figures are shown with their terms."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from services.demand.domain.finance import Appraisal, CashFlows, Convention, Period, appraise
from services.demand.domain.proposal import Designation, Facts, Party, Proposal
from shared.http.validation import Body

Line = Annotated[str, StringConstraints(max_length=200)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=2)]
Code = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]


class PartyBody(Body):
    """A person with their subject id, or a role or group without one."""

    name: Annotated[Line, StringConstraints(min_length=1)]
    person_id: UUID | None = None

    def party(self) -> Party:
        """Return what the domain works with."""
        return Party(name=self.name, person_id=self.person_id)


class FactsBody(Body):
    """MOF's six facts of a project."""

    contact: Text = ""
    service_or_group: Line = ""
    description_and_benefit: Text = ""
    timeline: Text = ""
    resources: Text = ""
    risks_assumptions_obstacles: Text = ""


class PeriodBody(Body):
    """Cost and benefit of one year, both positive."""

    cost: Money
    benefit: Money
    on: date | None = Field(default=None, description="needed for dated flows only")


class CashFlowsBody(Body):
    """The money of a project: nominal, in one currency, without costs already sunk."""

    currency: Code
    rate: Decimal = Field(max_digits=9, decimal_places=6, description="per year: 0.1 is 10 %")
    convention: Convention = Convention.FIRST_UNDISCOUNTED
    periods: Annotated[tuple[PeriodBody, ...], Field(min_length=1, max_length=60)]

    def flows(self) -> CashFlows:
        """Return what the domain works with."""
        return CashFlows(
            currency=self.currency,
            rate=self.rate,
            convention=self.convention,
            periods=tuple(Period(cost=each.cost, benefit=each.benefit, on=each.on) for each in self.periods),
        )


class ProposalBody(Body):
    """What a concept says; everything but the title may still be missing in an idea or a draft."""

    title: Annotated[Line, StringConstraints(min_length=1)]
    business_unit: Line = ""
    facts: FactsBody = FactsBody()
    designation: Designation | None = None
    initiative_id: UUID | None = None
    no_initiative_because: Text = ""
    new_service: bool = Field(default=False, description="service_or_group names a service to come")
    budget: Money | None = None
    currency: Code | None = None
    cash_flows: CashFlowsBody | None = None
    rfc_id: UUID | None = None
    request_id: UUID | None = None

    def proposal(self) -> Proposal:
        """Return what the domain works with."""
        return Proposal(
            title=self.title,
            business_unit=self.business_unit,
            facts=Facts(**self.facts.model_dump()),
            designation=self.designation,
            initiative_id=self.initiative_id,
            no_initiative_because=self.no_initiative_because,
            new_service=self.new_service,
            budget=self.budget,
            currency=self.currency or "",
            cash_flows=None if self.cash_flows is None else self.cash_flows.flows(),
            rfc_id=self.rfc_id,
            request_id=self.request_id,
        )


CONVENTIONS = {
    Convention.FIRST_UNDISCOUNTED: "yearly periods, the first one not discounted",
    Convention.END_OF_PERIOD: "yearly periods, each at its end",
    Convention.DATED_ACTUAL_365: "dated flows, actual days over 365 (XNPV)",
}


def figures(flows: CashFlows | None) -> dict[str, Any] | None:
    """Show what a project is worth, with the terms that add up to it and how it was computed."""
    if flows is None:
        return None
    shown: Appraisal = appraise(flows)
    return {
        "net_present_value": shown.net_present_value,
        "internal_rate_of_return": shown.internal_rate_of_return,
        "internal_rate_of_return_missing_because": shown.no_rate_because or None,
        "payback_years": shown.payback_years,
        "return_on_investment": shown.return_on_investment,
        "currency": shown.currency,
        "explanation": {
            "rate": shown.rate,
            "convention": shown.convention,
            "means": CONVENTIONS[shown.convention],
            "net_present_value": "the present values of the terms add up to it",
            "return_on_investment": "(benefits - costs) / costs, not discounted",
            "payback_years": "until the undiscounted sum stays at or above zero, linear inside a year",
            "terms": shown.terms,
        },
    }
