"""Requests over HTTP, on real PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.intake.domain.people import person_id
from services.intake.domain.request.commands import NoteBreach, NoteProject
from services.intake.domain.request.decider import REQUEST
from shared.eventsourcing.log import Meta, Step, Unit
from tests.intake.builders import MONDAY
from tests.support.running import RunningService

PROJECT = UUID("0197c000-0000-7000-8000-000000000001")
MONITOR: dict[str, Any] = {
    "kind": "service_request",
    "title": "A second monitor",
    "description": "For the new desk.",
    "requester": {"name": "Anna Lidman", "address": "anna@woodgrove.example"},
    "business_unit": "Retail banking",
    "service": "Workplace",
}
TRIAGE = {"service": "Workplace", "category": "Hardware", "impact": "low", "urgency": "medium"}


async def test_a_submitted_request_is_read_back_with_every_fact(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", {**MONITOR, "units": 3, "tags": ["desk"]})
    assert made["number"].startswith("REQ-")
    page = await intake.get(f"/v1/requests/{made['id']}")
    assert (page["title"], page["requester_name"], page["units"]) == ("A second monitor", "Anna Lidman", 3)
    assert (page["state"], page["priority"], page["tags"]) == ("submitted", 3, ["desk"])
    assert page["number"] == made["number"]
    assert page["requester_id"] == str(person_id("ANNA@woodgrove.example"))
    assert page["timeline"][0]["event"] == "RequestSubmitted"


async def test_a_request_goes_from_submission_to_closing(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", MONITOR)
    path = f"/v1/requests/{made['id']}"
    await intake.post(f"{path}/triage", TRIAGE)
    await intake.post(f"{path}/acceptance", {})
    await intake.post(f"{path}/assignment", {"group": "Desk", "assignee": "boris"})
    await intake.post(f"{path}/responses", {"channel": "mail"})
    await intake.post(f"{path}/hold", {"reason": "requester"})
    await intake.post(f"{path}/contacts", {"channel": "phone"})
    await intake.post(f"{path}/resumption", {})
    await intake.post(f"{path}/priority", {"impact": "high", "urgency": "high"})
    await intake.post(f"{path}/fulfilment", {})
    await intake.refused(f"{path}/closure", {"reason": "converted"})
    closed = await intake.post(f"{path}/closure", {"reason": "confirmed"})
    assert closed["version"] == 11
    (listed,) = (await intake.get("/v1/requests", state="closed"))["items"]
    assert (listed["priority"], listed["assignee"], listed["hold"]) == (1, "boris", None)
    await intake.post(f"{path}/reopening", {})
    allowed = await intake.get(f"{path}/allowed-transitions")
    assert allowed["state"] == "in_fulfilment"
    assert "fulfilment" in allowed["transitions"]
    told = (await intake.get(f"{path}/history"))["items"]
    assert [line["event"] for line in told][:3] == ["RequestSubmitted", "RequestTriaged", "RequestAccepted"]


async def test_a_request_that_became_a_concept_shows_its_project(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", MONITOR)
    path = f"/v1/requests/{made['id']}"
    await intake.post(f"{path}/conversion", {"to": "concept", "target_id": str(PROJECT)})
    approved = NoteProject(occurred_at=MONDAY, project_id=PROJECT, project_number="PRJ-2026-000001")
    step = Step(decider=REQUEST, stream_id=UUID(made["id"]), command=approved)
    await intake.append([Unit(steps=(step,), meta=Meta(actor="demand", correlation_id="c"))])
    page = await intake.get(path)
    assert page["state"] == "converted"
    assert [each["number"] for each in page["projects"]] == ["PRJ-2026-000001"]
    assert page["timeline"][-1]["event"] == "RequestProjectLinked"


async def test_a_step_without_a_body_is_taken(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", MONITOR)
    answered = await intake.client.post(
        f"/v1/requests/{made['id']}/withdrawal", headers=intake.token("anna", "requester")
    )
    assert answered.status_code == 200
    problem = await intake.refused(f"/v1/requests/{made['id']}/fulfilment", {})
    assert problem["code"] == "not-possible-now"


async def test_the_same_ticket_from_elsewhere_is_one_request_for_ever(intake: RunningService) -> None:
    ticket = {**MONITOR, "source_system": "zammad", "external_id": "4711"}
    first = await intake.post("/v1/requests", ticket)
    again = await intake.post("/v1/requests", {**ticket, "title": "Edited since"})
    assert (again["id"], again["number"]) == (first["id"], first["number"])
    assert len((await intake.get("/v1/requests", external_id="4711"))["items"]) == 1


async def test_the_same_key_answers_the_same(intake: RunningService) -> None:
    headers = {**intake.token("anna", "requester"), "Idempotency-Key": "k-1"}
    first = await intake.client.post("/v1/requests", json=MONITOR, headers=headers)
    again = await intake.client.post("/v1/requests", json=MONITOR, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_the_list_is_filtered_and_read_in_pages(intake: RunningService) -> None:
    for number in range(5):
        await intake.post("/v1/requests", {**MONITOR, "title": f"Monitor {number}"})
    await intake.post("/v1/requests", {**MONITOR, "kind": "incident", "title": "Printer on fire"})
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await intake.get("/v1/requests", limit=2, kind="service_request", **cursor)
        seen += [row["title"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert sorted(seen) == [f"Monitor {number}" for number in range(5)]
    assert len((await intake.get("/v1/requests", breached=False))["items"]) == 6
    narrow = {"submitted_from": MONDAY.isoformat(), "submitted_before": MONDAY.isoformat()}
    assert (await intake.get("/v1/requests", **narrow))["items"] == []


async def test_counts_agree_with_the_list(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", MONITOR)
    await intake.post("/v1/requests", {**MONITOR, "kind": "incident"})
    await intake.post(f"/v1/requests/{made['id']}/fulfilment", {})
    assert await intake.get("/v1/request-counts") == {
        "total": 2,
        "by_state": {"fulfilled": 1, "submitted": 1},
        "by_kind": {"incident": 1, "service_request": 1},
        "breached": 0,
        "breached_at_source": 0,
    }
    assert (await intake.get("/v1/request-counts", kind="incident"))["total"] == 1


async def test_a_breach_is_shown_on_the_page_and_in_the_list(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", MONITOR)
    breach = NoteBreach(occurred_at=MONDAY, clock_id=UUID(int=9), target="Resolution", due_at=MONDAY)
    step = Step(decider=REQUEST, stream_id=UUID(made["id"]), command=breach)
    await intake.append([Unit(steps=(step,), meta=Meta(actor="sla", correlation_id="c"))])
    page = await intake.get(f"/v1/requests/{made['id']}")
    assert [breach["target"] for breach in page["breaches"]] == ["Resolution"]
    assert len((await intake.get("/v1/requests", breached=True))["items"]) == 1
    assert (await intake.get("/v1/request-counts"))["breached"] == 1


async def test_internal_comments_are_for_staff(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", MONITOR)
    path = f"/v1/requests/{made['id']}"
    await intake.post(f"{path}/comments", {"comment": "On its way."})
    await intake.post(f"{path}/comments", {"comment": "Cheapest one.", "visibility": "internal"})
    answered = await intake.client.get(
        f"{path}/history", headers=intake.token("anna@woodgrove.example", "requester")
    )
    assert "On its way." in answered.text
    assert "Cheapest one." not in answered.text
    assert "Cheapest one." in str(await intake.get(f"{path}/history"))
    read = await intake.client.get(path, headers=intake.token("anna@woodgrove.example", "requester"))
    assert read.headers["ETag"] == '"3"'


async def test_a_request_can_be_read_as_it_was(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", MONITOR)
    path = f"/v1/requests/{made['id']}"
    before = (await intake.get(f"{path}/history"))["items"][0]["recorded_at"]
    await intake.post(f"{path}/triage", TRIAGE)
    assert (await intake.get(path, as_of=before))["state"] == "submitted"
    assert (await intake.get(path))["state"] == "triaged"


async def test_a_stale_reader_is_told_so(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", MONITOR)
    path = f"/v1/requests/{made['id']}"
    read = await intake.client.get(path, headers=intake.token("anna"))
    await intake.post(f"{path}/triage", TRIAGE)
    headers = {**intake.token("anna"), "If-Match": read.headers["ETag"]}
    assert (await intake.client.post(f"{path}/acceptance", headers=headers)).status_code == 412


async def test_roles_decide_who_may_do_what(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", MONITOR, roles=["requester"])
    refused = await intake.refused(f"/v1/requests/{made['id']}/triage", TRIAGE, roles=["requester"])
    assert refused["code"] == "forbidden"
    assert (await intake.refused("/v1/requests", MONITOR, roles=["auditor"]))["status"] == 403


async def test_an_unknown_request_is_not_found(intake: RunningService) -> None:
    for path in ("", "/history", "/allowed-transitions"):
        answered = await intake.client.get(f"/v1/requests/{UUID(int=1)}{path}", headers=intake.token("anna"))
        assert answered.status_code == 404


async def test_a_requester_sees_and_touches_only_their_own_requests(intake: RunningService) -> None:
    mine = await intake.post("/v1/requests", MONITOR)
    theirs = await intake.post("/v1/requests", {**MONITOR, "requester": {"address": "bo@woodgrove.example"}})
    anna = intake.token("anna@woodgrove.example", "requester")

    async def status(path: str) -> int:
        return (await intake.client.get(path, headers=anna)).status_code

    listed = (await intake.client.get("/v1/requests", headers=anna)).json()["items"]
    assert [row["id"] for row in listed] == [mine["id"]]
    counted = (await intake.client.get("/v1/request-counts", headers=anna)).json()
    assert counted["total"] == 1
    for part in ("", "/history", "/allowed-transitions"):
        assert await status(f"/v1/requests/{mine['id']}{part}") == 200
        assert await status(f"/v1/requests/{theirs['id']}{part}") == 404
    for request, found in ((mine, 200), (theirs, 404)):
        path = f"/v1/requests/{request['id']}/withdrawal"
        answered = await intake.client.post(path, json={}, headers=anna)
        assert answered.status_code == found, answered.text
