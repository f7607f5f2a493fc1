"""What an agreement says: parties, coverage, time targets and other sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.sla.domain.target import Target
from services.sla.domain.target import faults as target_faults


class AgreementKind(StrEnum):
    """Between whom: with a customer, inside IT, or with a supplier."""

    SLA = "sla"
    OLA = "ola"
    UC = "uc"


class Party(StrEnum):
    """Who signs."""

    PROVIDER = "provider"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One version's content. No services or no customers named means all of them.

    `sections` holds the agreement's words under its own headings, such as "Security".
    """

    kind: AgreementKind
    title: str
    revision: str
    provider: str
    customer: str
    services: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    in_force_from: datetime
    in_force_until: datetime | None = None
    targets: tuple[Target, ...] = ()
    sections: Mapping[str, str] = field(default_factory=dict)


def faults(terms: Terms) -> list[str]:
    """Say what is wrong with the terms, in words; empty when clocks can run on them."""
    found = [] if terms.title.strip() else ["an agreement has a title"]
    if terms.in_force_until is not None and terms.in_force_until <= terms.in_force_from:
        found.append("an agreement ends after it begins")
    names = [target.name for target in terms.targets]
    found += [f"two targets are called {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    found += [f"{target.name}: {fault}" for target in terms.targets for fault in target_faults(target)]
    return found
