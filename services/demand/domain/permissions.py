"""Which roles may issue which command; whatever is not listed here, nobody may."""

from __future__ import annotations

from collections.abc import Mapping

from services.demand.domain.advisory_board import commands as board
from services.demand.domain.concept import commands as concept
from services.demand.domain.demand_ledger import commands as ledger

SYSTEM = frozenset({"system"})
PROPOSERS = frozenset(
    {
        "business_customer",
        "account_manager",
        "service_owner",
        "service_level_manager",
        "portfolio_manager",
        "it_manager",
        "it_executive_officer",
    }
)
PORTFOLIO = frozenset({"portfolio_manager", "it_manager", "it_executive_officer"})
BOARD = frozenset({"advisory_board_member"})

PERMISSIONS: Mapping[type, frozenset[str]] = {
    concept.ProposeConcept: PROPOSERS,
    concept.ReviseConcept: PROPOSERS,
    concept.SubmitConcept: PROPOSERS,
    concept.StartScreening: PORTFOLIO,
    concept.QualifyConcept: PORTFOLIO,
    concept.VoteOnConcept: BOARD,
    concept.ApproveConcept: BOARD | PORTFOLIO,
    concept.DeferConcept: BOARD | PORTFOLIO,
    concept.DeclineConcept: BOARD | PORTFOLIO,
    concept.StartDelivery: PORTFOLIO,
    concept.TrackBenefits: PORTFOLIO,
    concept.CloseConcept: PORTFOLIO,
    board.AppointBoard: frozenset({"it_executive_officer", "it_manager"}),
    ledger.HearRequest: SYSTEM,
    ledger.HearRfc: SYSTEM,
    ledger.HearService: SYSTEM,
    ledger.HearBreach: SYSTEM,
    ledger.HearBreachWithdrawn: SYSTEM,
}
