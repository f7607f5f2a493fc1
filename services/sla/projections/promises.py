"""What is promised for records: agreements and calendars, looked up in pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.sla.domain.business_time import Calendar, round_the_clock
from services.sla.domain.coverage import Cover, covering
from services.sla.domain.record.commands import Promise, PromisedTarget
from services.sla.domain.terms import AgreementKind, Terms
from services.sla.projections import calendars, covers
from shared.runtime.database import Database

_KEPT = 500
VersionKey = tuple[UUID, int]
Dated = tuple[datetime, Calendar]
"""A calendar version and the instant from which it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """What covers one record; `covered` tells whether an SLA is among it."""

    promises: tuple[Promise, ...]
    covered: bool


class Promises:
    """Looks up what covers a page of records with at most three statements, usually one.

    Versions never change, so their terms and calendars are kept, with what the calendars have worked out.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._terms: dict[VersionKey, Terms] = {}
        self._calendars: dict[VersionKey, Calendar] = {}
        self._always = round_the_clock()

    async def of(self, records: Sequence[Any], known: Sequence[Cover]) -> Mapping[UUID, Promised]:
        """Return what covers promise for each record row (record_id, service, customer, opened_at)."""
        found = {
            row["record_id"]: covering(
                known, service=row["service"], customer=row["customer"], opened_at=row["opened_at"]
            )
            for row in records
        }
        terms = await self._terms_of({(c.agreement_id, c.version) for each in found.values() for c in each})
        hours = await self._hours_of(terms.values())
        opened = {row["record_id"]: row["opened_at"] for row in records}
        return {
            record_id: Promised(
                promises=tuple(
                    self._promise((c.agreement_id, c.version), terms, opened[record_id], hours) for c in each
                ),
                covered=any(cover.kind is AgreementKind.SLA for cover in each),
            )
            for record_id, each in found.items()
        }

    async def promise(self, agreement_id: UUID, version: int, opened_at: datetime) -> Promise | None:
        """Return one agreement version's promise for a record opened then; None if it never counted."""
        key = (agreement_id, version)
        terms = await self._terms_of({key})
        if key not in terms:
            return None
        return self._promise(key, terms, opened_at, await self._hours_of(terms.values()))

    async def calendar(self, calendar_id: UUID, at: datetime) -> Calendar | None:
        """Return the hours that count at an instant; None before any version was published."""
        return _effective((await self._versions({calendar_id})).get(calendar_id, []), at)

    async def _terms_of(self, wanted: set[VersionKey]) -> dict[VersionKey, Terms]:
        known = {key: self._terms[key] for key in wanted & self._terms.keys()}
        if len(known) < len(wanted):
            read = await covers.terms_of(self._database, wanted - known.keys())
            _keep(self._terms, read)
            known |= read
        return known

    async def _hours_of(self, terms: Iterable[Terms]) -> Mapping[UUID, list[Dated]]:
        targets = (target for each in terms for target in each.targets)
        return await self._versions({t.calendar_id for t in targets if t.calendar_id is not None})

    async def _versions(self, calendar_ids: set[UUID]) -> Mapping[UUID, list[Dated]]:
        if not calendar_ids:
            return {}
        rows = await calendars.published(self._database, calendar_ids)
        keys = {(row["calendar_id"], row["version"]) for row in rows}
        known = {key: self._calendars[key] for key in keys & self._calendars.keys()}
        if len(known) < len(keys):
            patterns = await calendars.patterns_of(self._database, keys - known.keys())
            read = {key: Calendar(pattern) for key, pattern in patterns.items()}
            _keep(self._calendars, read)
            known |= read
        found: dict[UUID, list[Dated]] = {}
        for row in rows:
            calendar = known[row["calendar_id"], row["version"]]
            found.setdefault(row["calendar_id"], []).append((row["effective_from"], calendar))
        return found

    def _promise(
        self,
        key: VersionKey,
        terms: Mapping[VersionKey, Terms],
        opened_at: datetime,
        hours: Mapping[UUID, list[Dated]],
    ) -> Promise:
        targets = []
        for target in terms[key].targets:
            calendar: Calendar | None = self._always
            if target.calendar_id is not None:
                calendar = _effective(hours.get(target.calendar_id, []), opened_at)
            if calendar is not None:
                targets.append(PromisedTarget(target=target, calendar=calendar))
        return Promise(agreement_id=key[0], version=key[1], targets=tuple(targets))


def _effective(versions: list[Dated], at: datetime) -> Calendar | None:
    """Return the version in effect, else the earliest one; `versions` stand in the order of their dates."""
    counting = [calendar for starts_at, calendar in versions if starts_at <= at]
    if counting:
        return counting[-1]
    return versions[0][1] if versions else None


def _keep(kept: dict[VersionKey, Any], read: Mapping[VersionKey, Any]) -> None:
    if len(kept) + len(read) > _KEPT:
        kept.clear()
    kept.update(read)
