"""One request's journey through the four services: demo, tests and `make journey` play it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from services.command_line.access import Access
from shared.runtime.ids import uuid7

PEOPLE: Mapping[str, tuple[str, ...]] = {
    "servicedesk": ("desk_tool", "support_agent"),
    "neil.orint": ("service_level_manager",),
    "chris.change": ("change_manager",),
    "casey.cab": ("cab_member",),
    "robin.cab": ("cab_member",),
    "ivan.it": ("it_manager",),
    "petra.portfolio": ("portfolio_manager",),
    "bea.business": ("advisory_board_member",),
    "ada.advisor": ("advisory_board_member",),
    "max.metrics": ("event_consumer",),
}
_RISK = {
    "service_criticality": "medium",
    "blast_radius": "one_service",
    "window": "maintenance",
    "lead_time": "ample",
    "tested_back_out": "tested",
    "done_before": "never",
    "open_incidents": "none",
}
_CLOCK_SECONDS = 2
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.1


class Listener(Protocol):
    """An independent client of the events, begun before the journey: it knows only topics and CloudEvents."""

    async def heard(self, kind: str, subject: str) -> Mapping[str, Any]:
        """Return the event of that `ce_type` and `ce_subject` once it has come: `headers` and `data`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that happened: who did it, what, and the facts worth showing."""

    who: str
    what: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Stuck(Exception):
    """What should have followed did not, in a minute."""


class Journey:
    """The play. `access_of` gives each person their own access, so four eyes are four eyes."""

    def __init__(self, access_of: Callable[[str], Access], listener: Listener) -> None:
        self._access_of = access_of
        self._listener = listener
        self._service = f"Online Statements {uuid7().hex[-6:]}"
        self._people: dict[str, Access] = {}
        self.request_id = self.rfc_id = self.concept_id = ""

    async def play(self) -> AsyncIterator[Told]:
        """Play it step by step; raises `Refused` or `Stuck` where it does not go on."""
        async with AsyncExitStack() as stack:
            for name in PEOPLE:
                self._people[name] = await stack.enter_async_context(self._access_of(name))
            for act in (self._promise, self._ask, self._change, self._board, self._project, self._breach):
                async for told in act():
                    yield told

    async def _promise(self) -> AsyncIterator[Told]:
        agreement_id = str(uuid7())
        neil = self._people["neil.orint"]
        target = {
            "name": "answer",
            "words": f"A request is decided within {_CLOCK_SECONDS} seconds (so that you can watch it fail).",
            "start": [{"fact": "request.submitted"}],
            "stop": [{"fact": "request.fulfilled"}],
            "cancel": [],
            "seconds": _CLOCK_SECONDS,
        }
        body = {
            "agreement_id": agreement_id,
            "kind": "sla",
            "title": f"{self._service} SLA",
            "provider": "IT",
            "customer": "Commercial Banking",
            "services": [self._service],
            "in_force_from": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
            "targets": [target],
        }
        await neil.post("sla", "/v1/agreements", body)
        for party in ("provider", "customer"):
            await neil.post("sla", f"/v1/agreements/{agreement_id}/signatures", {"party": party, "by": party})
        await neil.post("sla", f"/v1/agreements/{agreement_id}/entry-into-force", {})
        yield Told(who="neil.orint", what="puts an agreement in force", facts={"service": self._service})

    async def _ask(self) -> AsyncIterator[Told]:
        desk = self._people["servicedesk"]
        body = {
            "kind": "business_request",
            "title": "Online statements for business customers",
            "requester": {"name": "Commercial Banking", "address": "commercial@woodgrovebank.com"},
            "business_unit": "Commercial Banking",
            "channel": "api",
            "service": self._service,
            "impact": "high",
            "urgency": "medium",
        }
        answer = await desk.post("intake", "/v1/requests", body, key=f"journey-{uuid7()}")
        self.request_id = answer["id"]
        yield Told(who="servicedesk", what="posts a request, and it is durable", facts=answer)
        clock = await self._eventually(self._first_clock, "sla starts no clock for the request")
        yield Told(who="sla", what="starts the clock that the agreement promises", facts=clock)
        steps = f"/v1/requests/{self.request_id}"
        triage = {"service": self._service, "category": "New service", "impact": "high", "urgency": "high"}
        await desk.post("intake", f"{steps}/triage", triage)
        yield Told(who="servicedesk", what="triages it", facts=triage)

    async def _change(self) -> AsyncIterator[Told]:
        desk, chris = self._people["servicedesk"], self._people["chris.change"]
        rfc = {
            "title": "Introduce online statements",
            "business_impact": "Customers fetch statements day and night; the branches stop printing.",
            "service": self._service,
            "risk_of_not_accepting": "Customers move to banks that have it.",
            "reason": "Asked for by Commercial Banking.",
            "implementation_plan": "Pilot with ten customers, then all.",
            "back_out_plan": "Switch the portal page off; statements are printed as before.",
            "test_plan": "Ten customers compare a month of statements.",
            "affected_components": ["web portal", "statement archive"],
            "window_starts_at": (datetime.now(UTC) + timedelta(days=21)).isoformat(),
            "window_ends_at": (datetime.now(UTC) + timedelta(days=21, hours=4)).isoformat(),
        }
        asked = {"to": "rfc", **rfc}
        answer = await desk.post("intake", f"/v1/requests/{self.request_id}/conversion", asked)
        self.rfc_id = answer["id"]
        yield Told(who="servicedesk", what="turns it into a request for change", facts=answer)
        steps = f"/v1/rfcs/{self.rfc_id}"
        await desk.post("intake", f"{steps}/submission", {})
        classification = {
            "change_type": "normal",
            "service_impact": "high",
            "new_service": True,
            "expected_risk": "medium",
            "initial_resources": "two people for six weeks",
            "impact": "high",
            "urgency": "medium",
            "risk_of_not_accepting": "high",
        }
        await chris.post("intake", f"{steps}/classification", classification)
        heard = await self._listener.heard("plumbline.rfc.classified.v1", self.rfc_id)
        yield Told(who="a CAB workflow", what=f"hears {heard['headers']['ce_type']}", facts=heard["data"])

    async def _board(self) -> AsyncIterator[Told]:
        chris = self._people["chris.change"]
        steps = f"/v1/rfcs/{self.rfc_id}"
        await chris.post("intake", f"{steps}/assessment", {"answers": _RISK})
        rfc = await chris.get("intake", steps)
        for member in ("casey.cab", "robin.cab"):
            ballot = {"vote": "approve", "revision": rfc["revision"]}
            await self._people[member].post("intake", f"{steps}/votes", ballot)
        decision = {"decision": "approve", "revision": rfc["revision"], "reason": "The board agrees."}
        await chris.post("intake", f"{steps}/decision", decision)
        yield Told(who="the board", what="approves it", facts={"votes": 2, "revision": rfc["revision"]})

    async def _project(self) -> AsyncIterator[Told]:
        board = await self._people["ivan.it"].post("demand", "/v1/advisory-boards", self._advisory_board())
        petra = self._people["petra.portfolio"]
        answer = await petra.post("demand", "/v1/concepts", self._concept())
        self.concept_id = answer["id"]
        steps = f"/v1/concepts/{self.concept_id}"
        await petra.post("demand", f"{steps}/submission", {})
        await petra.post("demand", f"{steps}/screening", {"reason": "Fits the strategy."})
        await petra.post("demand", f"{steps}/qualification", {"reason": "Complete and worth a decision."})
        yield Told(who="petra.portfolio", what="brings the concept to the advisory board", facts=answer)
        concept = await petra.get("demand", steps)
        judged = {"revision": concept["revision"], "board_id": board["id"]}
        vote = {"vote": "approve", "reason": "Worth doing.", **judged}
        for member in ("bea.business", "ada.advisor"):
            await self._people[member].post("demand", f"{steps}/votes", vote)
        decision = {
            "outcome": "approve",
            **judged,
            "reason": "Approved within the budget.",
            "owner": {"name": "Head of Commercial Banking"},
            "team": "Digital channels",
        }
        await self._people["bea.business"].post("demand", f"{steps}/decision", decision)
        heard = await self._listener.heard("plumbline.project.approved.v1", self.concept_id)
        yield Told(who="the advisory board", what="approves the project", facts=heard["data"])
        found = await self._eventually(self._pipeline_entry, "the service does not appear in the catalog")
        yield Told(who="catalog", what="shows the new service in its pipeline", facts=found)

    async def _breach(self) -> AsyncIterator[Told]:
        heard = await self._listener.heard("plumbline.sla.breached.v1", self.request_id)
        yield Told(who="sla", what="finds the clock run out", facts=heard["data"])
        request = await self._eventually(self._breached_request, "the breach is not shown on the request")
        shown = {"number": request["number"], "breaches": len(request["breaches"])}
        yield Told(who="intake", what="marks the request as breached", facts=shown)

    async def _first_clock(self) -> Any:
        listed = await self._people["neil.orint"].get("sla", "/v1/clocks", record_id=self.request_id)
        return next(iter(listed["items"]), None)

    async def _pipeline_entry(self) -> Any:
        found = await self._people["petra.portfolio"].get("catalog", "/v1/services/match", text=self._service)
        return next((each for each in found["items"] if each["name"] == self._service), None)

    async def _breached_request(self) -> Any:
        request = await self._people["servicedesk"].get("intake", f"/v1/requests/{self.request_id}")
        return request if request["breaches"] else None

    def _advisory_board(self) -> dict[str, Any]:
        return {
            "name": "Woodgrove investment board",
            "members": [
                {"name": "bea.business", "business": True},
                {"name": "ada.advisor", "business": False},
            ],
            "quorum": 2,
            "budget_limit": "250000.00",
            "currency": "USD",
            "reason": "Decides on projects up to its limit.",
        }

    def _concept(self) -> dict[str, Any]:
        return {
            "title": "Online statements",
            "business_unit": "Commercial Banking",
            "facts": {
                "contact": "Head of Commercial Banking",
                "service_or_group": self._service,
                "description_and_benefit": "Customers fetch statements themselves; printing ends.",
                "timeline": "Pilot in six weeks, all customers in twelve.",
                "resources": "Two developers, one tester, the portal team.",
                "risks_assumptions_obstacles": "The archive must answer within two seconds.",
            },
            "designation": "business_strategic",
            "no_initiative_because": "The strategy of the year is not written yet.",
            "new_service": True,
            "budget": "120000.00",
            "currency": "USD",
            "rfc_id": self.rfc_id,
            "request_id": self.request_id,
        }

    async def _eventually(self, ask: Callable[[], Awaitable[Any]], otherwise: str) -> Any:
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while not (found := await ask()):
            if asyncio.get_running_loop().time() > deadline:
                raise Stuck(otherwise)
            await asyncio.sleep(_POLL_SECONDS)
        return found
