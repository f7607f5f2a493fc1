"""The catalog over HTTP, on real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

from services.catalog.domain.facts import service_id_of
from tests.support.running import RunningService

NEIL = {"name": "Neil Orint", "person_id": "0197e000-0000-7000-8000-000000000001"}
COO = {"name": "Chief Operating Officer"}
DESKTOP = {
    "name": "Desktop Computing",
    "facts": {"description": "A desk for everybody", "kind": "end_user", "criticality": "critical"},
}


async def test_a_service_goes_from_proposal_to_use_and_says_what_it_lacks(catalog: RunningService) -> None:
    made = await catalog.post("/v1/services", DESKTOP)
    path = f"/v1/services/{made['id']}"
    await catalog.post(f"{path}/approval", {"reason": "worth it"})
    lacking = await catalog.refused(f"{path}/go-live", {"reason": "pilot passed"})
    assert lacking["code"] == "not-ready-for-service"
    assert "no_service_owner, no_business_owner, no_service_map, no_agreement" in lacking["detail"]
    await catalog.post(
        f"{path}/owners", {"service_owner": NEIL, "business_owner": COO, "reason": "named in June"}
    )
    await catalog.post(
        f"{path}/go-live", {"reason": "pilot passed", "service_map": "maps/1", "agreement": "OLA 4"}
    )
    entry = await catalog.get(path)
    assert (entry["phase"], entry["gaps"]) == ("in_service", [])
    assert [row["title"] for row in entry["rows"]][:3] == [
        "Description of service",
        "Business alignment",
        "Business owner",
    ]
    assert entry["rows"][2]["listings"][0]["lines"] == ["Chief Operating Officer"]
    assert len(entry["rows"]) == 16
    allowed = await catalog.get(f"{path}/allowed-transitions")
    assert allowed == {"phase": "in_service", "transitions": ["retirement-notice"]}


async def test_a_service_in_use_already_enters_with_its_gaps_listed(catalog: RunningService) -> None:
    await catalog.post("/v1/services", {**DESKTOP, "existing": True, "business_owner": COO})
    (listed,) = (await catalog.get("/v1/services", phase="in_service"))["items"]
    assert listed["gaps"] == ["no_service_owner", "no_service_map", "no_agreement"]
    assert listed["business_owner"] == "Chief Operating Officer"


async def test_a_name_is_taken_once_however_it_is_written(catalog: RunningService) -> None:
    await catalog.post("/v1/services", DESKTOP)
    problem = await catalog.refused("/v1/services", {"name": "desktop   COMPUTING"})
    assert problem["code"] == "name-taken"


async def test_the_portfolio_is_read_in_pages(catalog: RunningService) -> None:
    for name in ("Printing", "Messaging", "Directory"):
        await catalog.post("/v1/services", {"name": name})
    first = await catalog.get("/v1/services", limit=2)
    assert [service["name"] for service in first["items"]] == ["Directory", "Messaging"]
    rest = await catalog.get("/v1/services", limit=2, cursor=first["next_cursor"])
    assert [service["name"] for service in rest["items"]] == ["Printing"]
    assert rest["next_cursor"] is None


async def test_users_words_find_services_with_a_score_and_the_reason(catalog: RunningService) -> None:
    for name in ("Desktop Computing", "Computing Grid", "Messaging"):
        await catalog.post("/v1/services", {"name": name})
    found = (await catalog.get("/v1/services/match", text="computing"))["items"]
    assert [(each["name"], each["score"], each["because"]) for each in found] == [
        ("Computing Grid", 80, "the name begins so"),
        ("Desktop Computing", 60, "part of the name"),
    ]
    (exact,) = (await catalog.get("/v1/services/match", text="MESSAGING"))["items"]
    assert exact["because"] == "the name"
    (told,) = (await catalog.get("/v1/services/match", text="my messaging is down"))["items"]
    assert told["because"] == "the text holds the name"
    (word,) = (await catalog.get("/v1/services/match", text="desktop broken"))["items"]
    assert (word["name"], word["because"]) == ("Desktop Computing", "1 word(s) in common")
    assert (await catalog.get("/v1/services/match", text="100%"))["items"] == []


async def test_history_tells_who_did_what(catalog: RunningService) -> None:
    made = await catalog.post("/v1/services", DESKTOP, name="ben", roles=["portfolio_manager"])
    await catalog.post(f"/v1/services/{made['id']}/approval", {"reason": "worth it"})
    told = (await catalog.get(f"/v1/services/{made['id']}/history"))["items"]
    assert [(each["what"], each["actor"]) for each in told] == [
        ("ServiceRegistered", "ben"),
        ("PhaseChanged", "anna"),
    ]
    assert told[1]["facts"]["reason"] == "worth it"


async def test_an_entry_can_be_read_as_it_was(catalog: RunningService) -> None:
    made = await catalog.post("/v1/services", DESKTOP)
    path = f"/v1/services/{made['id']}"
    before = (await catalog.get(f"{path}/history"))["items"][0]["recorded_at"]
    await catalog.post(f"{path}/approval", {"reason": "worth it"})
    assert (await catalog.get(path, as_of=before))["phase"] == "proposed"
    early = datetime(2020, 1, 1, tzinfo=UTC).isoformat()
    answered = await catalog.client.get(path, params={"as_of": early}, headers=catalog.token("anna"))
    assert answered.status_code == 404


async def test_a_stale_reader_is_told_so(catalog: RunningService) -> None:
    made = await catalog.post("/v1/services", DESKTOP)
    path = f"/v1/services/{made['id']}"
    read = await catalog.client.get(path, headers=catalog.token("anna"))
    await catalog.post(f"{path}/approval", {"reason": "worth it"})
    late = await catalog.client.post(
        f"{path}/facts", json={}, headers={**catalog.token("anna"), "If-Match": read.headers["ETag"]}
    )
    assert late.status_code == 412


async def test_only_the_portfolios_people_approve(catalog: RunningService) -> None:
    made = await catalog.post("/v1/services", DESKTOP)
    refused = await catalog.refused(
        f"/v1/services/{made['id']}/approval", {"reason": "mine"}, roles=["requester"]
    )
    assert refused["status"] == 403


async def test_nobody_reads_without_a_token(catalog: RunningService) -> None:
    assert (await catalog.client.get("/v1/services")).status_code == 401


async def test_an_unknown_service_is_not_found(catalog: RunningService) -> None:
    for path in ("", "/history", "/allowed-transitions"):
        answered = await catalog.client.get(
            f"/v1/services/{service_id_of('nothing')}{path}", headers=catalog.token("anna")
        )
        assert answered.status_code == 404, path
