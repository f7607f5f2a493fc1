"""sla over HTTP: calendars tried and published, the sample agreement entered."""

from __future__ import annotations

from typing import Any

from tests.support.running import RunningService

HOURS = {
    "zone": "America/Los_Angeles",
    "weekly": {day: ["08:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
    "holidays": {"market": "XFED", "first_year": 2026, "last_year": 2026},
}


async def test_hours_can_be_tried_without_storing_anything(sla: RunningService) -> None:
    wanted = {"hours": HOURS, "start": "2026-06-17T10:00:00-07:00", "business_days": 5}
    tried = await sla.post("/v1/calendars/preview", wanted)
    assert tried["end_of_business_day"] == "2026-06-26T00:00:00Z"  # Thursday 25 June, 17:00 Pacific
    assert any(part["why"].startswith("Juneteenth") for part in tried["explanation"])
    counted = sum(part["seconds"] for part in tried["explanation"] if part["counts"])
    assert counted == tried["business_seconds"] == (7 + 9 + 0 + 9 + 9 + 9 + 9) * 3600
    assert (await sla.get("/v1/calendars"))["items"] == []


async def test_hours_that_cannot_be_reckoned_with_are_refused(sla: RunningService) -> None:
    wrong = {"hours": {**HOURS, "zone": "Mars/Olympus"}, "start": "2026-06-17T10:00:00Z", "seconds": 60}
    assert (await sla.refused("/v1/calendars/preview", wrong))["code"] == "calendar-unusable"
    nowhere = {**HOURS, "holidays": {"market": "NOWHERE", "first_year": 2026, "last_year": 2026}}
    body = {"hours": nowhere, "start": "2026-06-17T10:00:00Z", "seconds": 60}
    assert (await sla.refused("/v1/calendars/preview", body))["code"] == "calendar-unusable"
    never = {"hours": {"zone": "UTC", "weekly": {}}, "start": "2026-06-17T10:00:00Z", "seconds": 60}
    assert (await sla.refused("/v1/calendars/preview", never))["code"] == "calendar-unusable"


async def test_the_sample_stands_in_force_with_its_hours(
    woodgrove: RunningService, sample: list[dict[str, Any]]
) -> None:
    (listed,) = (await woodgrove.get("/v1/agreements"))["items"]
    assert (listed["title"], listed["revision"], listed["stage"]) == (
        "Desktop Computing Service SLA",
        "1.0",
        "in_force",
    )
    shown = await woodgrove.get(f"/v1/agreements/{listed['agreement_id']}")
    (version,) = shown["versions"]
    assert version["terms"]["sections"] == sample[2]["body"]["sections"]
    assert [target["name"] for target in version["terms"]["targets"]] == [
        "contact",
        "incident-nominal",
        "incident-complete-outage",
        "change-normal",
        "change-standard",
    ]
    (calendar,) = (await woodgrove.get("/v1/calendars"))["items"]
    assert (calendar["name"], calendar["version"]) == ("Woodgrove regular hours", 1)
    (kept,) = (await woodgrove.get(f"/v1/calendars/{calendar['calendar_id']}"))["versions"]
    assert {"on": "2026-06-19", "name": "Juneteenth National Independence Day", "hours": []} in kept[
        "pattern"
    ]["holidays"]
    assert kept["maintenance"][0]["notice_days"] == 7


async def test_the_agreed_hours_of_half_a_year_are_1159(woodgrove: RunningService) -> None:
    (calendar,) = (await woodgrove.get("/v1/calendars"))["items"]
    span = {"start": "2026-01-01T00:00:00-08:00", "end": "2026-07-01T00:00:00-07:00"}
    tried = await woodgrove.post("/v1/calendars/preview", {"calendar_id": calendar["calendar_id"], **span})
    assert tried["business_seconds"] == 1159 * 3600


async def test_the_sample_is_entered_once(woodgrove: RunningService, sample: list[dict[str, Any]]) -> None:
    for post in sample:
        refused = await woodgrove.refused(post["path"], post["body"])
        assert refused["status"] == 409


async def test_an_agreement_that_covers_the_same_is_not_put_in_force(woodgrove: RunningService) -> None:
    rival = {
        "title": "Another desktop SLA",
        "services": ["Desktop Computing Service"],
        "in_force_from": "2026-07-01T00:00:00Z",
    }
    made = (await woodgrove.post("/v1/agreements", rival))["id"]
    for party in ("provider", "customer"):
        await woodgrove.post(f"/v1/agreements/{made}/signatures", {"party": party, "by": "somebody"})
    refused = await woodgrove.refused(f"/v1/agreements/{made}/entry-into-force", {})
    assert refused["code"] == "same-coverage"
    assert "Desktop Computing Service SLA" in refused["detail"]


async def test_an_agreement_needs_hours_that_are_published(
    sla: RunningService, sample: list[dict[str, Any]]
) -> None:
    made = (await sla.post("/v1/agreements", sample[2]["body"]))["id"]
    for party in ("provider", "customer"):
        await sla.post(f"/v1/agreements/{made}/signatures", {"party": party, "by": "somebody"})
    refused = await sla.refused(f"/v1/agreements/{made}/entry-into-force", {})
    assert refused["code"] == "calendar-not-published"


async def test_an_agreement_tells_its_history_and_what_can_follow(woodgrove: RunningService) -> None:
    (listed,) = (await woodgrove.get("/v1/agreements"))["items"]
    path = f"/v1/agreements/{listed['agreement_id']}"
    told = (await woodgrove.get(f"{path}/history"))["items"]
    assert [each["what"] for each in told] == [
        "AgreementDrafted",
        "AgreementPartySigned",
        "AgreementPartySigned",
        "AgreementSigned",
        "AgreementInForce",
    ]
    allowed = await woodgrove.get(f"{path}/allowed-transitions")
    assert allowed == {"state": "in_force", "transitions": ["drafts", "termination"]}


async def test_a_change_to_what_has_changed_since_is_refused(woodgrove: RunningService) -> None:
    (listed,) = (await woodgrove.get("/v1/calendars"))["items"]
    path = f"/v1/calendars/{listed['calendar_id']}"
    read = await woodgrove.client.get(path, headers=woodgrove.token("anna"))
    demand = {**woodgrove.token("anna"), "If-Match": read.headers["ETag"]}
    body = {"name": "Office", "hours": HOURS}
    first = await woodgrove.client.post(f"{path}/drafts", json=body, headers=demand)
    again = await woodgrove.client.post(f"{path}/drafts", json=body, headers=demand)
    assert (first.status_code, again.status_code) == (200, 412)
    allowed = await woodgrove.get(f"{path}/allowed-transitions")
    assert allowed == {"state": "drafted", "transitions": ["drafts", "publication"]}


async def test_only_a_service_level_manager_writes_calendars(sla: RunningService) -> None:
    body = {"name": "Office", "hours": HOURS}
    refused = await sla.refused("/v1/calendars", body, roles=("support_agent",))
    assert refused["code"] == "forbidden"
    made = await sla.post("/v1/calendars", body, roles=("service_level_manager",))
    assert made["version"] == 1
