"""Changes over HTTP, on real PostgreSQL: from a request to a closed change."""

from __future__ import annotations

from typing import Any

from tests.intake.builders import CALM
from tests.support.running import RunningService

FACTS = {
    "business_impact": "Mail is slow every morning.",
    "service": "E-mail",
    "risk_of_not_accepting": "The old cluster's support ends in June.",
    "reason": "Support ends.",
}
PLANS = {
    "affected_components": ["mail-1"],
    "implementation_plan": "Move the mailboxes.",
    "back_out_plan": "Switch the address back.",
    "test_plan": "Ten pilot users.",
    "window_starts_at": "2026-03-07T20:00:00+01:00",
    "window_ends_at": "2026-03-07T23:00:00+01:00",
}
CLASSIFICATION = {
    "change_type": "normal",
    "service_impact": "medium",
    "new_service": False,
    "expected_risk": "low",
    "initial_resources": "two people for a week",
    "impact": "high",
    "urgency": "medium",
    "risk_of_not_accepting": "low",
    "affected_services": ["Calendar"],
}
REQUEST = {"kind": "business_request", "title": "Mail must be faster", "service": "E-mail"}


async def _approved(intake: RunningService, rfc: dict[str, Any]) -> str:
    path = f"/v1/rfcs/{rfc['id']}"
    await intake.post(f"{path}/submission", {})
    await intake.post(f"{path}/classification", CLASSIFICATION, name="mara", roles=["change_manager"])
    await intake.post(f"{path}/assessment", {"answers": CALM}, name="mara", roles=["change_manager"])
    await intake.post(f"{path}/votes", {"vote": "approve", "revision": 1}, name="bo", roles=["cab_member"])
    await intake.post(
        f"{path}/decision", {"decision": "approve", "revision": 1}, name="mara", roles=["change_manager"]
    )
    return path


async def test_a_request_becomes_a_change_and_ends_with_it(intake: RunningService) -> None:
    request = await intake.post("/v1/requests", REQUEST)
    rfc = await intake.post(
        f"/v1/requests/{request['id']}/conversion",
        {"to": "rfc", "title": "New mail cluster", **FACTS, **PLANS},
    )
    assert rfc["number"].startswith("RFC-")
    page = await intake.get(f"/v1/requests/{request['id']}")
    assert (page["state"], page["target_id"]) == ("converted", rfc["id"])
    path = await _approved(intake, rfc)
    await intake.post(
        f"{path}/schedule", {"starts_at": "2026-03-07T19:00:00Z", "ends_at": "2026-03-07T20:00:00Z"}
    )
    await intake.post(f"{path}/implementation", {}, name="ivo", roles=["implementer"])
    await intake.post(f"{path}/outcome", {"outcome": "successful"}, name="ivo", roles=["implementer"])
    await intake.post(f"{path}/closure", {"outcome": "successful"}, name="mara", roles=["change_manager"])
    page = await intake.get(path)
    assert (page["state"], page["request_id"], page["risk"]["score"]) == ("closed", request["id"], 20)
    assert page["classification"]["rule"].endswith("= 2 by matrix 3x3 version 1")
    assert [vote["vote"] for vote in page["votes"]] == ["approve"]
    assert page["schedule"]["starts_at"] == "2026-03-07T19:00:00Z"
    (row,) = (await intake.get("/v1/rfcs", state="closed"))["items"]
    assert (row["priority"], row["risk_level"], row["outcome"]) == (2, "low", "successful")
    assert (await intake.get(f"/v1/requests/{request['id']}"))["state"] == "closed"


async def test_what_is_missing_is_named(intake: RunningService) -> None:
    rfc = await intake.post("/v1/rfcs", {"title": "New mail cluster"})
    path = f"/v1/rfcs/{rfc['id']}"
    problem = await intake.refused(f"{path}/submission", {})
    assert problem["code"] == "missing-facts"
    for fact in FACTS:
        assert fact in problem["detail"]
    assert (await intake.get(path))["missing_before_submission"] == list(FACTS)
    await intake.post(f"{path}/edits", FACTS)
    await intake.post(f"{path}/submission", {})
    page = await intake.get(path)
    assert (page["title"], page["state"], page["missing_before_approval"][0]) == (
        "New mail cluster",
        "submitted",
        "implementation_plan",
    )


async def test_the_requester_does_not_decide(intake: RunningService) -> None:
    rfc = await intake.post("/v1/rfcs", {"title": "Mail", **FACTS, **PLANS})
    path = f"/v1/rfcs/{rfc['id']}"
    await intake.post(f"{path}/submission", {})
    await intake.post(f"{path}/classification", CLASSIFICATION)
    await intake.post(f"{path}/assessment", {"answers": CALM})
    problem = await intake.refused(f"{path}/decision", {"decision": "approve", "revision": 1})
    assert problem["code"] == "four-eyes"


async def test_a_cancelled_change_ends_its_request(intake: RunningService) -> None:
    request = await intake.post("/v1/requests", REQUEST)
    rfc = await intake.post(f"/v1/requests/{request['id']}/conversion", {"to": "rfc", "title": "Mail"})
    await intake.post(f"/v1/rfcs/{rfc['id']}/cancellation", {"reason": "bought elsewhere"})
    assert (await intake.get(f"/v1/requests/{request['id']}"))["state"] == "closed"
    assert (await intake.get("/v1/rfcs", request_id=request["id"]))["items"][0]["state"] == "cancelled"


async def test_a_refused_conversion_drafts_nothing(intake: RunningService) -> None:
    request = await intake.post("/v1/requests", {**REQUEST, "kind": "incident"})
    problem = await intake.refused(f"/v1/requests/{request['id']}/conversion", {"to": "rfc", "title": "Mail"})
    assert problem["code"] == "incidents-are-linked"
    assert (await intake.get("/v1/rfcs"))["items"] == []


async def test_a_request_becomes_a_concept_of_demand(intake: RunningService) -> None:
    request = await intake.post("/v1/requests", REQUEST)
    concept = "01890a5d-ac96-774b-bcce-b302099a8057"
    path = f"/v1/requests/{request['id']}"
    await intake.refused(f"{path}/conversion", {"to": "concept"})
    await intake.refused(f"{path}/conversion", {"to": "rfc"})
    await intake.post(f"{path}/conversion", {"to": "concept", "target_id": concept})
    assert (await intake.get(path))["converted_to"] == "concept"


async def test_an_unknown_change_is_not_found_and_a_request_is_no_change(intake: RunningService) -> None:
    request = await intake.post("/v1/requests", REQUEST)
    for path in ("", "/history", "/allowed-transitions"):
        answered = await intake.client.get(f"/v1/rfcs/{request['id']}{path}", headers=intake.token("anna"))
        assert answered.status_code == 404


async def test_allowed_transitions_and_history_tell_the_way(intake: RunningService) -> None:
    rfc = await intake.post("/v1/rfcs", {"title": "Mail", **FACTS, **PLANS, "change_type": "standard"})
    path = f"/v1/rfcs/{rfc['id']}"
    await intake.post(f"{path}/submission", {})
    await intake.post(f"{path}/classification", {**CLASSIFICATION, "change_type": "standard"})
    allowed = await intake.get(f"{path}/allowed-transitions")
    assert "schedule" in allowed["transitions"]
    assert "decision" not in allowed["transitions"]
    told = (await intake.get(f"{path}/history"))["items"]
    assert [line["event"] for line in told] == ["RfcDrafted", "RfcSubmitted", "RfcClassified"]
