"""A concept's way to a project over HTTP, on real PostgreSQL."""

from __future__ import annotations

from typing import Any

from services.demand.app import LOG
from shared.contracts import demand as contracts
from shared.eventsourcing.writing import apply
from tests.support.heard import as_heard
from tests.support.running import RunningService

RFC = "0197c000-0000-7000-8000-000000000002"
REQUEST = "0197c000-0000-7000-8000-000000000003"
PROPOSAL: dict[str, Any] = {
    "title": "A desk that follows people",
    "business_unit": "Retail Banking",
    "facts": {
        "contact": "Ann, ext. 4711",
        "service_or_group": "Follow-me Desk",
        "description_and_benefit": "Staff sign in anywhere",
        "timeline": "July to December 2026",
        "resources": "Four engineers",
        "risks_assumptions_obstacles": "Branches keep their lines",
    },
    "designation": "business_strategic",
    "no_initiative_because": "the strategy is being written",
    "new_service": True,
    "budget": "21999.00",
    "currency": "USD",
    "cash_flows": {
        "currency": "USD",
        "rate": "0.10",
        "periods": [{"cost": "10045", "benefit": "8823"}, {"cost": "11954", "benefit": "21176"}],
    },
    "rfc_id": RFC,
    "request_id": REQUEST,
}
BOARD = {
    "name": "Project board",
    "members": [{"name": "ben", "business": True}, {"name": "carol", "business": False}],
    "quorum": 2,
    "budget_limit": "50000",
    "currency": "USD",
    "reason": "new budget year",
}
APPROVE = {
    "outcome": "approve",
    "revision": 1,
    "owner": {"name": "Retail IT"},
    "team": "Desktop engineering",
    "reason": "pays back within a year",
    "policies_consulted": ["Investment policy 3"],
}


async def before_the_board(demand: RunningService, **changed: Any) -> str:
    """Return the path of a concept that the board has before it."""
    await demand.post("/v1/advisory-boards", BOARD, name="eve")
    made = await demand.post("/v1/concepts", {**PROPOSAL, **changed}, name="ann")
    path = f"/v1/concepts/{made['id']}"
    await demand.post(f"{path}/submission", {}, name="ann")
    await demand.post(f"{path}/qualification", {"reason": "complete"}, name="carol")
    return path


async def vote(demand: RunningService, path: str, *members: str, choice: str = "approve") -> None:
    for member in members:
        ballot = {"vote": choice, "revision": 1, "reason": "as discussed"}
        await demand.post(f"{path}/votes", ballot, name=member, roles=["advisory_board_member"])


async def test_a_board_turns_a_concept_into_a_project_with_an_owner(demand: RunningService) -> None:
    path = await before_the_board(demand)
    await vote(demand, path, "ben", "carol")
    await demand.post(f"{path}/decision", APPROVE, name="carol")
    concept = await demand.get(path)
    assert (concept["phase"], concept["number"]) == ("approved", "CON-2026-000001")
    assert concept["votes"] == {"ben": "approve", "carol": "approve"}
    (listed,) = (await demand.get("/v1/concepts", phase="approved"))["items"]
    assert (listed["owner"], listed["team"], listed["budget"]) == (
        "Retail IT",
        "Desktop engineering",
        "21999.00",
    )


async def test_the_project_is_told_with_all_that_the_catalog_needs(demand: RunningService) -> None:
    path = await before_the_board(demand)
    await vote(demand, path, "ben", "carol")
    await demand.post(f"{path}/decision", APPROVE, name="carol")
    async with demand.context.database.connection() as conn:
        recorded = await demand.context.store.read(conn, 0, 100)
    public = [each for each in recorded if type(each.event) in LOG.publisher.topics]
    told = [as_heard(LOG.publisher.publish(each)) for each in public]
    assert [type(each).TYPE for each in told] == [
        "plumbline.concept.submitted.v1",
        "plumbline.concept.qualified.v1",
        "plumbline.project.approved.v1",
    ]
    approved = told[-1]
    assert isinstance(approved, contracts.ProjectApproved)
    assert (approved.service, approved.new_service, str(approved.rfc_id)) == ("Follow-me Desk", True, RFC)
    assert str(approved.request_id) == REQUEST
    assert (approved.budget, approved.currency, approved.decided_by) == ("21999.00", "USD", "Project board")


async def test_a_no_and_a_not_now_are_told_too(demand: RunningService) -> None:
    path = await before_the_board(demand)
    await demand.post(
        f"{path}/decision", {"outcome": "defer", "until": "2026-09-01", "reason": "merger"}, name="carol"
    )
    (listed,) = (await demand.get("/v1/concepts", phase="deferred"))["items"]
    assert listed["deferred_until"] == "2026-09-01"
    await demand.post(f"{path}/screening", {"reason": "merged"}, name="carol")
    await demand.post(f"{path}/decision", {"outcome": "decline", "reason": "too dear"}, name="carol")
    async with demand.context.database.connection() as conn:
        recorded = await demand.context.store.read(conn, 0, 100)
    told = [
        as_heard(LOG.publisher.publish(each)) for each in recorded if type(each.event) in LOG.publisher.topics
    ]
    assert [type(each).TYPE.split(".")[2] for each in told[-2:]] == ["deferred", "declined"]


async def test_what_is_missing_is_named_before_submission(demand: RunningService) -> None:
    idea = await demand.post("/v1/concepts", {"title": "Desks"}, name="ann")
    path = f"/v1/concepts/{idea['id']}"
    assert (await demand.get(path))["phase"] == "idea"
    problem = await demand.refused(f"{path}/submission", {}, name="ann")
    assert problem["code"] == "facts-missing"
    assert "timeline" in problem["detail"]
    await demand.post(f"{path}/revision", PROPOSAL, name="ann")
    concept = await demand.get(path)
    assert (concept["phase"], concept["revision"], concept["missing"]) == ("draft", 2, [])


async def test_the_page_explains_what_a_project_is_worth(demand: RunningService) -> None:
    made = await demand.post("/v1/concepts", PROPOSAL, name="ann")
    figures = (await demand.get(f"/v1/concepts/{made['id']}"))["figures"]
    assert figures["net_present_value"] == "7161.64"
    explained = figures["explanation"]
    assert explained["convention"] == "first_undiscounted"
    assert [term["present_value"] for term in explained["terms"]] == ["-1222.00", "8383.64"]


async def test_only_members_of_the_board_vote(demand: RunningService) -> None:
    path = await before_the_board(demand)
    ballot = {"vote": "approve", "revision": 1, "reason": "why not"}
    assert (await demand.refused(f"{path}/votes", ballot, name="mallory"))["code"] == "not-on-the-board"
    refused = await demand.refused(f"{path}/votes", ballot, name="ben", roles=["requester"])
    assert refused["status"] == 403


async def test_nobody_decides_on_their_own_concept(demand: RunningService) -> None:
    path = await before_the_board(demand)
    await vote(demand, path, "ben", "carol")
    problem = await demand.refused(f"{path}/decision", APPROVE, name="ann")
    assert problem["code"] == "second-pair-of-eyes-missing"


async def test_without_a_board_nothing_is_approved(demand: RunningService) -> None:
    made = await demand.post("/v1/concepts", PROPOSAL, name="ann")
    problem = await demand.refused(f"/v1/concepts/{made['id']}/decision", APPROVE, name="carol")
    assert problem["code"] == "board-missing"


async def test_where_several_boards_are_in_office_one_is_named(demand: RunningService) -> None:
    path = await before_the_board(demand)
    await demand.post("/v1/advisory-boards", {**BOARD, "name": "Small projects"}, name="eve")
    ballot = {"vote": "approve", "revision": 1, "reason": "good"}
    assert (await demand.refused(f"{path}/votes", ballot, name="ben"))["code"] == "board-missing"
    boards = (await demand.get("/v1/advisory-boards"))["items"]
    meant = {each["board"]["name"]: each["board"]["board_id"] for each in boards}["Project board"]
    await demand.post(f"{path}/votes", {**ballot, "board_id": meant}, name="ben")


async def test_a_board_without_the_business_is_refused(demand: RunningService) -> None:
    lonely = {**BOARD, "members": [{"name": "carol", "business": False}], "quorum": 1}
    assert (await demand.refused("/v1/advisory-boards", lonely))["code"] == "business-member-missing"


async def test_a_project_is_delivered_and_closed(demand: RunningService) -> None:
    path = await before_the_board(demand)
    await vote(demand, path, "ben", "carol")
    await demand.post(f"{path}/decision", APPROVE, name="carol")
    for step in ("delivery", "benefit-tracking", "closing"):
        assert (await demand.get(f"{path}/allowed-transitions"))["transitions"] == [step]
        await demand.post(f"{path}/{step}", {"reason": "as planned"}, name="carol")
    told = (await demand.get(f"{path}/history"))["items"]
    assert told[-1]["what"] == "ConceptClosed"
    assert (await demand.get(path, as_of=told[0]["recorded_at"]))["phase"] == "draft"


async def test_concepts_are_listed_newest_first_in_pages(demand: RunningService) -> None:
    for title in ("one", "two", "three"):
        await demand.post("/v1/concepts", {"title": title}, name="ann")
    first = await demand.get("/v1/concepts", limit=2)
    assert [each["title"] for each in first["items"]] == ["three", "two"]
    rest = await demand.get("/v1/concepts", limit=2, cursor=first["next_cursor"])
    assert [each["title"] for each in rest["items"]] == ["one"]


async def test_a_repeated_request_makes_one_concept(demand: RunningService) -> None:
    headers = {**demand.token("ann"), "Idempotency-Key": "a-key-of-the-caller"}
    answers = [await demand.client.post("/v1/concepts", json=PROPOSAL, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert len((await demand.get("/v1/concepts"))["items"]) == 1


async def test_an_unknown_concept_is_not_found(demand: RunningService) -> None:
    for path in ("", "/history", "/allowed-transitions"):
        answered = await demand.client.get(f"/v1/concepts/{RFC}{path}", headers=demand.token("ann"))
        assert answered.status_code == 404, path


async def test_one_event_at_a_time_or_all_at_once_make_the_same_tables(demand: RunningService) -> None:
    path = await before_the_board(demand)
    await demand.post(f"{path}/revision", {**PROPOSAL, "budget": "1.00"}, name="ann")
    await demand.post("/v1/concepts", {"title": "another"}, name="ann")
    async with demand.context.database.transaction() as conn:
        events = await demand.context.store.read(conn, 0, 100)
        for model in LOG.read_models[:2]:
            live = await conn.fetch(f"SELECT t::text FROM {model.table.fullname} AS t ORDER BY 1")
            for batches in ([[event] for event in events], [events]):
                await conn.execute(f"DELETE FROM {model.table.fullname}")
                for batch in batches:
                    await apply(conn, model, batch)
                assert await conn.fetch(f"SELECT t::text FROM {model.table.fullname} AS t ORDER BY 1") == live
