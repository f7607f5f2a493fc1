"""Concepts: how to write, revise, hand in, screen, deliver, close and read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic_core import to_jsonable_python
from starlette.responses import Response as Answer

from services.demand.api.proposals import ProposalBody, Text, figures
from services.demand.domain.concept import commands
from services.demand.domain.concept.decider import CONCEPT
from services.demand.domain.proposal import Designation, Phase, missing
from services.demand.domain.standing import STEPS, UnknownConcept
from services.demand.projections import concept_list
from shared.eventsourcing.command_handler import Actor
from shared.eventsourcing.log import IdempotencyKey, Recorded, Step
from shared.http.answers import answer
from shared.http.conditional import etag
from shared.http.context import ServiceContext
from shared.http.dependencies import AsOf, Caller, Key, Match
from shared.http.paging import PageQuery
from shared.http.validation import Body
from shared.runtime.ids import human_number, uuid7

PREFIX = "/v1/concepts"
NUMBERS = "CON"


class Reasoned(Body):
    """A step with its reason."""

    reason: Text


class Concepts:
    """What can be asked of concepts before and after the board."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context

    async def propose(self, body: ProposalBody, caller: Caller, key: Key) -> Answer:
        """Write an idea (a title) or a draft down."""
        serial = await self._context.numbers[NUMBERS].next()
        now = self._context.clock.now()
        command = commands.ProposeConcept(
            concept_id=uuid7(),
            number=human_number(NUMBERS, now, serial),
            proposal=body.proposal(),
            proposed_by=caller.name,
            proposed_at=now,
        )
        step = Step(decider=CONCEPT, stream_id=command.concept_id, command=command, new=True)
        appended = await self._context.commands.execute(caller, step, idempotency=key, number=serial)
        return answer(appended, status=201, location=f"{PREFIX}/{{id}}", number_prefix=NUMBERS)

    async def revise(
        self, concept_id: UUID, body: ProposalBody, caller: Caller, key: Key, match: Match
    ) -> Answer:
        """Replace what the concept says; votes on earlier revisions stop counting."""
        command = commands.ReviseConcept(
            proposal=body.proposal(), revised_by=caller.name, revised_at=self._context.clock.now()
        )
        return await self._step(concept_id, command, caller, key, match)

    async def submit(self, concept_id: UUID, caller: Caller, key: Key, match: Match) -> Answer:
        """Hand a complete draft in; what is missing is named."""
        command = commands.SubmitConcept(submitted_by=caller.name, submitted_at=self._context.clock.now())
        return await self._step(concept_id, command, caller, key, match)

    async def screen(
        self, concept_id: UUID, body: Reasoned, caller: Caller, key: Key, match: Match
    ) -> Answer:
        """Take a submitted or a deferred concept up."""
        command = commands.StartScreening(
            screened_by=caller.name, reason=body.reason, started_at=self._context.clock.now()
        )
        return await self._step(concept_id, command, caller, key, match)

    async def qualify(
        self, concept_id: UUID, body: Reasoned, caller: Caller, key: Key, match: Match
    ) -> Answer:
        """Put a concept before the board."""
        command = commands.QualifyConcept(
            qualified_by=caller.name, reason=body.reason, qualified_at=self._context.clock.now()
        )
        return await self._step(concept_id, command, caller, key, match)

    async def deliver(
        self, concept_id: UUID, body: Reasoned, caller: Caller, key: Key, match: Match
    ) -> Answer:
        """Hand an approved project to its team, which begins with envisioning."""
        command = commands.StartDelivery(
            started_by=caller.name, reason=body.reason, started_at=self._context.clock.now()
        )
        return await self._step(concept_id, command, caller, key, match)

    async def track(self, concept_id: UUID, body: Reasoned, caller: Caller, key: Key, match: Match) -> Answer:
        """Say that it is delivered; from now on it has to show its benefits."""
        command = commands.TrackBenefits(
            reported_by=caller.name, reason=body.reason, delivered_at=self._context.clock.now()
        )
        return await self._step(concept_id, command, caller, key, match)

    async def close(self, concept_id: UUID, body: Reasoned, caller: Caller, key: Key, match: Match) -> Answer:
        """Close the project's story."""
        command = commands.CloseConcept(
            closed_by=caller.name, reason=body.reason, closed_at=self._context.clock.now()
        )
        return await self._step(concept_id, command, caller, key, match)

    async def _step(
        self,
        concept_id: UUID,
        command: commands.Command,
        caller: Actor,
        key: IdempotencyKey | None,
        match: int | None,
    ) -> Answer:
        step = Step(decider=CONCEPT, stream_id=concept_id, command=command, expected_version=match)
        return answer(await self._context.commands.execute(caller, step, idempotency=key))

    async def listed(
        self, page: PageQuery, phase: Phase | None = None, designation: Designation | None = None
    ) -> Mapping[str, Any]:
        """List concepts, the newest first."""
        order = f"newest:{phase}:{designation}"
        found = await self._context.database.rows(
            concept_list.concepts(
                phase=phase, designation=designation, after=page.after(order, UUID), limit=page.limit + 1
            )
        )
        return page.answer(found, order, lambda row: (row["concept_id"],), dict)

    async def read(self, concept_id: UUID, response: Response, as_of: AsOf = None) -> dict[str, Any]:
        """Show one concept: what it says, what is missing, what it is worth and why, how the board voted."""
        recorded = [
            each for each in await self._history(concept_id) if as_of is None or each.recorded_at <= as_of
        ]
        concept = CONCEPT.fold([each.event for each in recorded])
        if concept is None:
            raise UnknownConcept("there was no such concept then")
        if as_of is None:
            response.headers["ETag"] = etag(recorded[-1].version)
        return {
            "id": concept_id,
            "version": recorded[-1].version,
            "number": concept.number,
            "phase": concept.phase,
            "revision": concept.revision,
            "proposal": concept.proposal,
            "missing": missing(concept.proposal),
            "figures": figures(concept.proposal.cash_flows),
            "votes": concept.votes,
            "authors": sorted(concept.authors),
            "transitions": STEPS[concept.phase],
        }

    async def told(self, concept_id: UUID) -> dict[str, Any]:
        """Tell everything that happened to a concept, in order."""
        return {
            "items": [
                {
                    "version": each.version,
                    "what": type(each.event).__name__,
                    "occurred_at": each.occurred_at,
                    "recorded_at": each.recorded_at,
                    "actor": each.meta.actor,
                    "facts": to_jsonable_python(each.event),
                }
                for each in await self._history(concept_id)
            ]
        }

    async def allowed(self, concept_id: UUID) -> dict[str, Any]:
        """Name the steps that the concept's phase allows: each is a POST to that name below the concept."""
        concept = CONCEPT.fold([each.event for each in await self._history(concept_id)])
        if concept is None:
            raise UnknownConcept("there is no such concept")
        return {"phase": concept.phase, "transitions": STEPS[concept.phase]}

    async def _history(self, concept_id: UUID) -> list[Recorded]:
        async with self._context.database.connection() as conn:
            recorded = await self._context.store.history(conn, concept_id)
        if not recorded or recorded[0].stream != CONCEPT.stream:
            raise UnknownConcept("there is no such concept")
        return recorded


def router(context: ServiceContext) -> APIRouter:
    """Return the routes of this module."""
    concepts = Concepts(context)
    routes = APIRouter(prefix=PREFIX, tags=["concepts"])
    routes.get("")(concepts.listed)
    routes.post("", status_code=201)(concepts.propose)
    routes.get("/{concept_id}")(concepts.read)
    routes.get("/{concept_id}/history")(concepts.told)
    routes.get("/{concept_id}/allowed-transitions")(concepts.allowed)
    routes.post("/{concept_id}/revision")(concepts.revise)
    routes.post("/{concept_id}/submission")(concepts.submit)
    routes.post("/{concept_id}/screening")(concepts.screen)
    routes.post("/{concept_id}/qualification")(concepts.qualify)
    routes.post("/{concept_id}/delivery")(concepts.deliver)
    routes.post("/{concept_id}/benefit-tracking")(concepts.track)
    routes.post("/{concept_id}/closing")(concepts.close)
    return routes
