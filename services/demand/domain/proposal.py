"""What a concept states about itself, and which of it is still missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from services.demand.domain.finance import CashFlows, faults


class Phase(StrEnum):
    """Where a concept stands."""

    IDEA = "idea"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    SCREENING = "screening"
    QUALIFIED = "qualified"
    APPROVED = "approved"
    DEFERRED = "deferred"
    DECLINED = "declined"
    DELIVERING = "delivering"
    BENEFITS_TRACKED = "benefits_tracked"
    CLOSED = "closed"


class Designation(StrEnum):
    """MOF's five kinds of project (Business/IT Alignment, "Publish portfolio")."""

    IT_STRATEGIC = "it_strategic"  # IT-initiated strategic investment
    BUSINESS_STRATEGIC = "business_strategic"  # business-instantiated strategic investment
    COMPLIANCE = "compliance"  # compliance or regulatory required project
    SUSTAINING = "sustaining"  # sustaining or improvement project
    REACTIVE = "reactive"  # reactive project due to technology or business shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who has a part in a project: a person with their subject id, or a role, group or board without one."""

    name: str
    person_id: UUID | None = None

    @property
    def public_name(self) -> str:
        """What others may be told: never a person's name."""
        return self.name if self.person_id is None else str(self.person_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """MOF's six facts of a project; blank: not stated yet."""

    contact: str = ""
    service_or_group: str = ""
    description_and_benefit: str = ""
    timeline: str = ""
    resources: str = ""
    risks_assumptions_obstacles: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The content of one revision of a concept. `budget` is asked for in `currency`.

    `new_service`: the service that `facts.service_or_group` names does not exist yet. A concept serves an
    initiative of the strategy or states why it serves none.
    """

    title: str
    business_unit: str = ""
    facts: Facts = field(default_factory=Facts)
    designation: Designation | None = None
    initiative_id: UUID | None = None
    no_initiative_because: str = ""
    new_service: bool = False
    budget: Decimal | None = None
    currency: str = ""
    cash_flows: CashFlows | None = None
    rfc_id: UUID | None = None
    request_id: UUID | None = None


SIX_FACTS = (
    "contact",
    "service_or_group",
    "description_and_benefit",
    "timeline",
    "resources",
    "risks_assumptions_obstacles",
)


def missing(proposal: Proposal) -> tuple[str, ...]:
    """Name what a concept must state before it can be submitted."""
    found = [name for name in SIX_FACTS if not getattr(proposal.facts, name).strip()]
    if proposal.designation is None:
        found.append("designation")
    if proposal.initiative_id is None and not proposal.no_initiative_because.strip():
        found.append("initiative_id or no_initiative_because")
    return tuple(found)


def contradictions(proposal: Proposal) -> tuple[str, ...]:
    """Name what cannot stand together, whatever the concept's phase."""
    found = list(faults(proposal.cash_flows)) if proposal.cash_flows is not None else []
    if not proposal.title.strip():
        found.append("a concept needs a title")
    if proposal.initiative_id is not None and proposal.no_initiative_because.strip():
        found.append("it serves an initiative and says why it serves none")
    if proposal.budget is not None and (not proposal.budget.is_finite() or proposal.budget < 0):
        found.append("the budget is an amount of money")
    if proposal.budget is not None and not proposal.currency:
        found.append("the budget has no currency")
    if proposal.cash_flows is not None and proposal.currency not in ("", proposal.cash_flows.currency):
        found.append("budget and cash flows are in two currencies")
    return tuple(found)


def opening_phase(proposal: Proposal) -> Phase:
    """Tell an idea (a title) from a draft (something is said about it)."""
    return Phase.IDEA if len(missing(proposal)) == len(SIX_FACTS) + 2 else Phase.DRAFT
