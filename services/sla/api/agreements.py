"""Agreements: drafted, signed by both parties, put in force, ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, Field

from services.sla.api.history import current, history
from services.sla.api.targets import TargetBody, Word
from services.sla.domain.agreement import commands
from services.sla.domain.agreement.decider import AGREEMENT, Agreement, UnknownAgreement, transitions
from services.sla.domain.coverage import rivals
from services.sla.domain.terms import AgreementKind, Party, Terms
from services.sla.projections import agreements, covers
from services.sla.projections.calendars import published
from shared.eventsourcing.log import Step
from shared.http.answers import answer
from shared.http.context import ServiceContext
from shared.http.dependencies import Caller, Key, Match
from shared.http.paging import PageQuery
from shared.http.validation import Body
from shared.runtime.ids import uuid7


class AgreementBody(Body):
    """An agreement's next version. No services or customers named means all of them."""

    agreement_id: UUID | None = Field(default=None, description="chosen: the same id is made only once")
    kind: AgreementKind = AgreementKind.SLA
    title: str = Field(min_length=1, max_length=200)
    revision: str = Field(default="", max_length=50)
    provider: str = Field(default="", max_length=200)
    customer: str = Field(default="", max_length=200)
    services: list[Word] = Field(default=[], max_length=200)
    customers: list[Word] = Field(default=[], max_length=200, description="business units")
    in_force_from: AwareDatetime
    in_force_until: AwareDatetime | None = None
    targets: list[TargetBody] = Field(default=[], max_length=100)
    sections: dict[Word, str] = Field(default={}, max_length=100, description="its words by heading")

    def command(self, at: datetime) -> commands.DraftAgreement:
        until = self.in_force_until
        terms = Terms(
            kind=self.kind,
            title=self.title,
            revision=self.revision,
            provider=self.provider,
            customer=self.customer,
            services=tuple(self.services),
            customers=tuple(self.customers),
            in_force_from=self.in_force_from.astimezone(UTC),
            in_force_until=None if until is None else until.astimezone(UTC),
            targets=tuple(each.target() for each in self.targets),
            sections=self.sections,
        )
        return commands.DraftAgreement(terms=terms, drafted_at=at)


class SignatureBody(Body):
    """Who signs for which party."""

    party: Party
    by: str = Field(min_length=1, max_length=200)


class TerminationBody(Body):
    """When the agreement ends and why."""

    ends_at: AwareDatetime
    reason: str = Field(min_length=1, max_length=2000)


def unknown() -> UnknownAgreement:
    """Make the refusal for an id that nothing is known of."""
    return UnknownAgreement("there is no such agreement", remedy="GET /v1/agreements lists them")


class Agreements:
    """What can be asked about agreements."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def draft(self, body: AgreementBody, actor: Caller, key: Key) -> Response:
        """Write down a new agreement."""
        agreement_id = body.agreement_id or uuid7()
        command = replace(body.command(self._context.clock.now()), new=True)
        step = Step(decider=AGREEMENT, stream_id=agreement_id, command=command)
        appended = await self._context.commands.execute(actor, step, idempotency=key)
        return answer(appended, status=201, location="/v1/agreements/{id}")

    async def redraft(
        self, agreement_id: UUID, body: AgreementBody, actor: Caller, key: Key, match: Match
    ) -> Response:
        """Write down the next version; an unsigned draft is replaced."""
        return await self._execute(agreement_id, body.command(self._context.clock.now()), actor, key, match)

    async def sign(
        self, agreement_id: UUID, body: SignatureBody, actor: Caller, key: Key, match: Match
    ) -> Response:
        """Sign the draft for one party."""
        command = commands.SignAgreement(party=body.party, by=body.by, signed_at=self._context.clock.now())
        return await self._execute(agreement_id, command, actor, key, match)

    async def put_in_force(self, agreement_id: UUID, actor: Caller, key: Key, match: Match) -> Response:
        """Let the signed version count; refused where another agreement covers the same as specifically."""
        self._context.commands.authorise(actor, commands.PutInForce)
        async with self._context.database.connection() as conn:
            state, _ = await self._context.store.load(conn, AGREEMENT, agreement_id)
        command = commands.PutInForce(
            agreement_id=agreement_id,
            rivals=await self._rivals(agreement_id, state),
            without_hours=await self._without_hours(state),
            decided_at=self._context.clock.now(),
        )
        return await self._execute(agreement_id, command, actor, key, match)

    async def terminate(
        self, agreement_id: UUID, body: TerminationBody, actor: Caller, key: Key, match: Match
    ) -> Response:
        """End what is in force before its time."""
        command = commands.TerminateAgreement(
            ends_at=body.ends_at.astimezone(UTC), reason=body.reason, decided_at=self._context.clock.now()
        )
        return await self._execute(agreement_id, command, actor, key, match)

    async def listed(self, page: PageQuery) -> Mapping[str, Any]:
        """List agreements and their versions, the last drafted first."""
        after = page.after("newest", UUID, int)
        found = await agreements.listed(
            self._context.database, page.limit + 1, None if after is None else (after[0], after[1])
        )
        return page.answer(found, "newest", lambda r: (r["agreement_id"], r["version"]), dict)

    async def versions(self, agreement_id: UUID, response: Response) -> Mapping[str, Any]:
        """Show every version of an agreement with its terms, the newest first."""
        await current(self._context, AGREEMENT, agreement_id, response, unknown)
        rows = await agreements.versions_of(self._context.database, agreement_id)
        shown = [{**dict(row), "terms": json.loads(row["terms"])} for row in rows]
        return {"id": agreement_id, "versions": shown}

    async def history(self, agreement_id: UUID) -> Any:
        """Tell everything that happened to an agreement, in order."""
        return await history(self._context, AGREEMENT, agreement_id, unknown)

    async def allowed_transitions(self, agreement_id: UUID, response: Response) -> Mapping[str, Any]:
        """Say what can be done with an agreement now."""
        state = await current(self._context, AGREEMENT, agreement_id, response, unknown)
        return {"state": state.stage, "transitions": transitions(state)}

    async def _execute(
        self, agreement_id: UUID, command: commands.Command, actor: Caller, key: Key, match: Match
    ) -> Response:
        step = Step(decider=AGREEMENT, stream_id=agreement_id, command=command, expected_version=match)
        return answer(await self._context.commands.execute(actor, step, idempotency=key))

    async def _rivals(self, agreement_id: UUID, state: Agreement | None) -> tuple[str, ...]:
        if state is None:
            return ()
        known = await covers.all_covers(self._context.database)
        return rivals(known, covers.cover_of(agreement_id, state.version, state.terms))

    async def _without_hours(self, state: Agreement | None) -> tuple[str, ...]:
        if state is None:
            return ()
        wanted = {t.name: t.calendar_id for t in state.terms.targets if t.calendar_id is not None}
        if not wanted:
            return ()
        rows = await published(self._context.database, set(wanted.values()))
        known = {row["calendar_id"] for row in rows if row["effective_from"] <= state.terms.in_force_from}
        return tuple(name for name, calendar_id in wanted.items() if calendar_id not in known)


def router(context: ServiceContext) -> APIRouter:
    """Return the routes of agreements."""
    routes = APIRouter(prefix="/v1/agreements", tags=["agreements"])
    own = Agreements(context)
    routes.post("", status_code=201, response_model=None)(own.draft)
    routes.post("/{agreement_id}/drafts", response_model=None)(own.redraft)
    routes.post("/{agreement_id}/signatures", response_model=None)(own.sign)
    routes.post("/{agreement_id}/entry-into-force", response_model=None)(own.put_in_force)
    routes.post("/{agreement_id}/termination", response_model=None)(own.terminate)
    routes.get("")(own.listed)
    routes.get("/{agreement_id}")(own.versions)
    routes.get("/{agreement_id}/history")(own.history)
    routes.get("/{agreement_id}/allowed-transitions")(own.allowed_transitions)
    return routes
