"""Which agreement covers a record: the most specific one in force at its opening."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.sla.domain.terms import AgreementKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What one agreement version covers; no services or customers named means all of them."""

    agreement_id: UUID
    version: int
    title: str
    kind: AgreementKind
    services: frozenset[str]
    customers: frozenset[str]
    starts_at: datetime
    ends_at: datetime | None

    def includes(self, service: str, customer: str, opened_at: datetime) -> bool:
        """Tell whether a record of this service and customer, opened then, is covered."""
        in_force = self.starts_at <= opened_at and (self.ends_at is None or opened_at < self.ends_at)
        served = not self.services or service in self.services
        return in_force and served and (not self.customers or customer in self.customers)

    @property
    def specificity(self) -> tuple[int, int]:
        """How much it names: a customer says more than a service."""
        return int(bool(self.customers)), int(bool(self.services))


def covering(
    covers: Iterable[Cover], *, service: str, customer: str, opened_at: datetime
) -> tuple[Cover, ...]:
    """Return the most specific cover of each kind, the SLA first; without an SLA the record is uncovered."""
    best: dict[AgreementKind, Cover] = {}
    for cover in covers:
        if cover.includes(service, customer, opened_at):
            known = best.get(cover.kind)
            if known is None or _rank(cover) > _rank(known):
                best[cover.kind] = cover
    return tuple(best[kind] for kind in AgreementKind if kind in best)


def rivals(covers: Iterable[Cover], candidate: Cover) -> tuple[str, ...]:
    """Name the other agreements that some record could fall under just as specifically."""
    return tuple(
        sorted(
            cover.title
            for cover in covers
            if cover.agreement_id != candidate.agreement_id
            and cover.kind is candidate.kind
            and cover.specificity == candidate.specificity
            and _overlap(cover, candidate)
        )
    )


def _rank(cover: Cover) -> tuple[tuple[int, int], datetime, UUID]:
    return cover.specificity, cover.starts_at, cover.agreement_id


def _overlap(one: Cover, other: Cover) -> bool:
    services = not one.services or not other.services or bool(one.services & other.services)
    customers = not one.customers or not other.customers or bool(one.customers & other.customers)
    one_ends_first = one.ends_at is not None and one.ends_at <= other.starts_at
    other_ends_first = other.ends_at is not None and other.ends_at <= one.starts_at
    return services and customers and not one_ends_first and not other_ends_first
