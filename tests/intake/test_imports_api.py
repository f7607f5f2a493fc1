"""The ServiceNow import over HTTP: complete, exactly once, agreeing with the file."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

from services.intake.adapters import servicenow
from tests.support.running import RunningService

SAMPLE = Path(__file__).parents[2] / "examples" / "servicenow-sample.csv"


def sample() -> list[dict[str, str]]:
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


async def take(intake: RunningService, rows: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [
        await intake.post(
            "/v1/imports/servicenow", json.loads(batch.body), name="importer", roles=["operator"]
        )
        for batch in servicenow.batches(rows, "Europe/Lisbon", most_bytes=100_000)
    ]


async def test_an_export_is_taken_whole_and_once(intake: RunningService) -> None:
    rows = sample()
    numbers = {row["number"] for row in rows}
    first = await take(intake, rows)
    assert sum(batch["taken"] for batch in first) == len(numbers) == 300
    assert sum(len(batch["rejected"]) for batch in first) == 5
    late = len({row["number"] for row in rows if row["made_sla"] == "false"})
    expected = {
        "total": 300,
        "by_state": {"closed": 300},
        "by_kind": {"incident": 300},
        "breached": 0,
        "breached_at_source": late,
    }
    assert await intake.get("/v1/request-counts") == expected
    again = await take(intake, rows)
    assert sum(batch["events"] for batch in again) == 0
    assert sum(batch["unchanged"] for batch in again) == 300
    assert await intake.get("/v1/request-counts") == expected


async def test_a_longer_export_adds_what_is_new(intake: RunningService) -> None:
    numbers = sorted({row["number"] for row in sample()})[:40]
    rows = [row for row in sample() if row["number"] in numbers]
    await take(intake, [row for row in rows if int(row["sys_mod_count"]) < 2])
    counts = await intake.get("/v1/request-counts")
    assert counts["total"] > counts["by_state"].get("closed", 0)
    await take(intake, rows)
    assert (await intake.get("/v1/request-counts"))["by_state"] == {"closed": 40}
    row = (await intake.get("/v1/requests", external_id=rows[0]["number"]))["items"][0]
    page = await intake.get(f"/v1/requests/{row['id']}")
    assert page["historic"] is True
    assert page["timeline"][-1]["event"] == "HistoryRecorded"


async def test_an_import_needs_its_role_and_a_real_zone(intake: RunningService) -> None:
    body = {"zone": "Mars/Olympus", "incidents": []}
    problem = await intake.refused("/v1/imports/servicenow", body, roles=["operator"])
    assert problem["code"] == "unknown-zone"
    problem = await intake.refused("/v1/imports/servicenow", {**body, "zone": "UTC"}, roles=["requester"])
    assert problem["code"] == "forbidden"


async def test_an_unreadable_incident_is_reported_and_nothing_is_made_of_it(intake: RunningService) -> None:
    bad = {"number": "1", "rows": [{"incident_state": "-100", "sys_mod_count": "0"}]}
    told = await intake.post("/v1/imports/servicenow", {"zone": "UTC", "incidents": [bad]})
    assert (told["unreadable"], told["taken"], len(told["rejected"])) == (1, 0, 1)
    assert (await intake.get("/v1/request-counts"))["total"] == 0


async def test_the_same_batch_sent_twice_at_once_is_taken_once(intake: RunningService) -> None:
    rows = [row for row in sample() if row["number"] < "0000300"]
    results = await asyncio.gather(take(intake, rows), take(intake, rows))
    sent = [sum(batch["taken"] for batch in result) for result in results]
    incidents = len({row["number"] for row in rows})
    assert sum(sent) == incidents
    counts = await intake.get("/v1/request-counts")
    assert (counts["total"], counts["by_state"]) == (incidents, {"closed": incidents})


async def test_a_record_that_was_imported_goes_on_like_any_other(intake: RunningService) -> None:
    rows = [row for row in sample() if row["number"] == "0000045"]
    await take(intake, rows[:1])
    (row,) = (await intake.get("/v1/requests"))["items"]
    path = f"/v1/requests/{row['id']}"
    await intake.post(f"{path}/fulfilment", {})
    await take(intake, rows)
    page = await intake.get(path)
    assert page["state"] == "closed"
    assert [line["event"] for line in page["timeline"]].count("RequestFulfilled") == 1
