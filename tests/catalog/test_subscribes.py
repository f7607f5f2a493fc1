"""What the catalog hears becomes visible on the service's page."""

from __future__ import annotations

from services.catalog.domain.facts import service_id_of
from services.catalog.subscribes import SUBSCRIPTIONS, hear_demand, hear_sla
from shared.contracts import demand
from shared.contracts.registry import TOPICS
from tests.catalog.messages import (
    APPROVED,
    IN_FORCE,
    NOW,
    PROJECT,
    SUPERSEDED,
    TERMINATED,
    breached,
    heard,
    withdrawn,
)
from tests.support.running import RunningService

PATH = f"/v1/services/{service_id_of('Desktop Computing')}"


async def test_an_approved_project_makes_its_service_appear_in_the_pipeline(catalog: RunningService) -> None:
    await catalog.append(hear_demand(heard(APPROVED)))
    entry = await catalog.get(PATH)
    assert (entry["name"], entry["phase"]) == ("Desktop Computing", "approved")
    (project,) = entry["projects"]
    assert (project["number"], project["known_before"]) == ("CON-2026-000007", False)
    (told, _) = (await catalog.get(f"{PATH}/history"))["items"]
    assert (told["actor"], told["facts"]["project_id"]) == ("the board", str(PROJECT))


async def test_an_approved_project_is_linked_to_the_service_of_that_name(catalog: RunningService) -> None:
    await catalog.post("/v1/services", {"name": "desktop computing", "existing": True})
    await catalog.append(hear_demand(heard(APPROVED)))
    entry = await catalog.get(PATH)
    assert entry["phase"] == "in_service"
    assert [project["known_before"] for project in entry["projects"]] == [True]


async def test_hearing_it_twice_changes_nothing(catalog: RunningService) -> None:
    for _ in range(2):
        await catalog.append(hear_demand(heard(APPROVED)))
    assert len((await catalog.get(f"{PATH}/history"))["items"]) == 2


async def test_a_project_for_no_service_is_none_of_the_catalogs_business() -> None:
    nowhere = APPROVED.model_copy(update={"service": "", "new_service": False})
    assert hear_demand(heard(nowhere)) == ()
    declined = demand.ProjectDeclined(occurred_at=NOW, project_id=PROJECT, reason="too dear")
    assert hear_demand(heard(declined)) == ()


async def test_a_nameless_new_service_is_called_as_its_project(catalog: RunningService) -> None:
    await catalog.append(hear_demand(heard(APPROVED.model_copy(update={"service": ""}))))
    (listed,) = (await catalog.get("/v1/services"))["items"]
    assert listed["name"] == "New desks"


async def test_an_agreement_in_force_closes_the_gap_and_opens_the_gate(catalog: RunningService) -> None:
    await catalog.post("/v1/services", {"name": "Desktop Computing", "existing": True})
    assert "no_agreement" in (await catalog.get(PATH))["gaps"]
    await catalog.append(hear_sla(heard(IN_FORCE)))
    entry = await catalog.get(PATH)
    assert "no_agreement" not in entry["gaps"]
    (listed,) = (await catalog.get("/v1/services"))["items"]
    assert "no_agreement" not in listed["gaps"]
    assert entry["health"]["agreements"][0]["title"] == "Desktop Computing Service"


async def test_what_is_promised_cannot_be_retired(catalog: RunningService) -> None:
    await catalog.post("/v1/services", {"name": "Desktop Computing", "existing": True})
    await catalog.append(hear_sla(heard(IN_FORCE)))
    await catalog.post(f"{PATH}/retirement-notice", {"reason": "replaced"})
    end = {"users": 0, "dependents": 0, "open_rfcs": 0, "reason": "switched off"}
    assert (await catalog.refused(f"{PATH}/retirement", end))["code"] == "still-needed"
    await catalog.append(hear_sla(heard(TERMINATED)))
    await catalog.post(f"{PATH}/retirement", end)
    assert (await catalog.get(PATH))["phase"] == "retired"


async def test_a_superseded_agreement_no_longer_counts(catalog: RunningService) -> None:
    await catalog.post("/v1/services", {"name": "Desktop Computing", "existing": True})
    await catalog.append([*hear_sla(heard(IN_FORCE)), *hear_sla(heard(SUPERSEDED))])
    assert (await catalog.get(PATH))["health"]["agreements"] == []


async def test_breaches_are_the_services_health_even_when_heard_first(catalog: RunningService) -> None:
    await catalog.append([unit for clock in (1, 2, 3) for unit in hear_sla(heard(breached(clock)))])
    await catalog.append(hear_sla(heard(withdrawn(2))))
    await catalog.append([*hear_sla(heard(IN_FORCE)), *hear_demand(heard(APPROVED))])
    (counted,) = (await catalog.get(PATH))["health"]["breaches"]
    assert (counted["target"], counted["month"], counted["breaches"]) == ("resolution", "2026-06-01", 2)


def test_every_topic_heard_is_one_that_its_source_writes() -> None:
    for subscription in SUBSCRIPTIONS:
        for topic in subscription.topics:
            assert TOPICS[topic].source == f"/{subscription.source}"
