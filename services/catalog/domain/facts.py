"""What an entry says of a service: the sixteen rows of MOF's sample entry, and more."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

SERVICES = UUID("6f1c2f6e-0b53-5c0e-9d2a-3f4b8a1d7c10")


class Kind(StrEnum):
    """Whom a service is for."""

    END_USER = "end_user"
    BUSINESS = "business"
    INTERNAL_IT = "internal_it"


class Criticality(StrEnum):
    """How much hangs on a service, most first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Category(StrEnum):
    """A service's place in the portfolio."""

    CORE_DIFFERENTIATOR = "core_differentiator"
    BUSINESS_FUNCTION = "business_function"
    UTILITY = "utility"


class Contribution(StrEnum):
    """How a service supports the business: MOF's three kinds of value."""

    LOWER_COST = "lower_cost"
    COMPETITIVE_ADVANTAGE = "competitive_advantage"
    REGULATORY = "regulatory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Some lines of an entry under a heading of their own."""

    heading: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody who answers for something: a person with their subject id, or a role or group without one."""

    name: str
    person_id: UUID | None = None

    @property
    def public_name(self) -> str:
        """What other services may be told: never a person's name."""
        return self.name if self.person_id is None else str(self.person_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Who answers for a service: in IT (MOF's "service manager") and in the business. None: nobody yet."""

    service_owner: Party | None = None
    business_owner: Party | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """Everything an entry says, except the two owners, who change by a decision of their own.

    The first fourteen fields and the owners are the rows of MOF 4.0, Business/IT Alignment, Appendix A;
    the others are the elements of its service portfolio.
    """

    description: str = ""
    business_alignment: str = ""
    qualification: str = ""
    initiation_contact: str = ""
    external_dependencies: tuple[str, ...] = ()
    elements: tuple[Listing, ...] = ()
    included: tuple[Listing, ...] = ()
    optional: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    lifecycle: tuple[str, ...] = ()
    pricing: str = ""
    hours: tuple[Listing, ...] = ()
    assistance: str = ""

    kind: Kind | None = None
    criticality: Criticality | None = None
    category: Category | None = None
    contribution: Contribution | None = None
    functions: tuple[str, ...] = ()
    sponsor: str = ""
    relationship_manager: str = ""
    roadmap: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the entry as people read it; no listing means that nobody has stated it yet."""

    title: str
    listings: tuple[Listing, ...]


def rows(facts: ServiceFacts, owners: Owners) -> tuple[Row, ...]:
    """Lay an entry out as the sixteen rows of Appendix A, in its order and with its titles."""
    return (
        _row("Description of service", facts.description),
        _row("Business alignment", facts.business_alignment),
        _row("Business owner", _name(owners.business_owner)),
        _row("Service qualification", facts.qualification),
        _row("Service manager", _name(owners.service_owner)),
        _row("Service initiation contact", facts.initiation_contact),
        _row("External dependencies", *facts.external_dependencies),
        Row(title="Service elements", listings=facts.elements),
        Row(title="Services included", listings=facts.included),
        _row("Optional services", *facts.optional),
        _row("Service users", *facts.users),
        _row("Service priority", *facts.priority),
        _row("Service lifecycle", *facts.lifecycle),
        _row("Service pricing/levels", facts.pricing),
        Row(title="Service hours", listings=facts.hours),
        _row("How to get end-user assistance for this service", facts.assistance),
    )


def unstated(facts: ServiceFacts, owners: Owners) -> tuple[str, ...]:
    """Name the rows that nobody has filled in."""
    return tuple(row.title for row in rows(facts, owners) if not row.listings)


def normal_form(name: str) -> str:
    """Return the form in which two spellings of one service's name are equal."""
    return re.sub(r"\s+", " ", name).strip().casefold()


def service_id_of(name: str) -> UUID:
    """Derive a service's id from its name: a name is taken once, and whoever hears it finds the service."""
    return uuid5(SERVICES, normal_form(name))


def _name(party: Party | None) -> str:
    return "" if party is None else party.name


def _row(title: str, *lines: str) -> Row:
    stated = tuple(line for line in lines if line)
    return Row(title=title, listings=(Listing(heading="", lines=stated),) if stated else ())
