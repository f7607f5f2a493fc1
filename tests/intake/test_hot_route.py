"""The bare routes of intake answer every body as their FastAPI twins do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from tests.intake.builders import MONDAY
from tests.intake.conftest import DEFINITION, PREPARE
from tests.intake.test_requests_api import MONITOR
from tests.support.real import FreshDatabases
from tests.support.running import running

CORPUS: list[Any] = [
    MONITOR,
    {
        "kind": "incident",
        "title": "Down",
        "complete_outage": True,
        "units": 40,
        "needed_by": "2026-03-03T00:00:00+01:00",
    },
    {"kind": "complaint", "title": "x" * 200, "source_system": "mail", "external_id": "m-1"},
    {
        "kind": "enhancement",
        "title": "Dark mode",
        "nature": "it_improvement",
        "budgeted": True,
        "tags": ["ui"],
    },
    {},
    {"kind": "wish", "title": "A pony"},
    {**MONITOR, "title": ""},
    {**MONITOR, "title": "x" * 201},
    {**MONITOR, "colour": "blue"},
    {**MONITOR, "title": "NUL \u0000"},
    {**MONITOR, "external_id": "1"},
    {**MONITOR, "units": -1},
    {**MONITOR, "needed_by": "tomorrow"},
    {**MONITOR, "requester": {"id": "anna"}},
    [],
    "text",
]

ROW = {
    "incident_state": "New",
    "sys_mod_count": "0",
    "sys_updated_at": "29/2/2016 01:16",
    "impact": "2 - Medium",
    "urgency": "2 - Medium",
    "priority": "3 - Moderate",
}
BATCH = {"zone": "Europe/Lisbon", "incidents": [{"number": "INC1", "rows": [ROW, {**ROW, "priority": "?"}]}]}
BATCHES: list[Any] = [
    BATCH,
    {**BATCH, "zone": "Atlantis"},
    {**BATCH, "incidents": [{"number": "", "rows": [ROW]}]},
    {**BATCH, "incidents": [{"number": "INC2", "rows": []}]},
    {**BATCH, "incidents": [{"number": "INC2", "rows": [{"priority": 3}]}]},
    {"incidents": []},
    [],
]


VARYING = {"trace_id", "errors", "id", "number", "position"}


async def test_the_bare_route_answers_as_its_twin_does(
    fresh_databases: FreshDatabases, tmp_path: Path
) -> None:
    databases = await fresh_databases("intake", PREPARE)
    cold_only = replace(DEFINITION, hot_routes=None)
    async with (
        running(DEFINITION, databases, tmp_path, MONDAY) as hot,
        running(cold_only, databases, tmp_path, MONDAY) as cold,
    ):
        for body in CORPUS:
            answers = []
            for service in (hot, cold):
                headers = service.token("anna", "requester")
                answers.append(await service.client.post("/v1/requests", json=body, headers=headers))
            _agree(*answers)
            if answers[0].status_code == 201:
                pages = [await hot.get(f"/v1/requests/{answer.json()['id']}") for answer in answers]
                assert _facts(pages[0]) == _facts(pages[1])


async def test_the_bare_import_answers_as_its_twin_does(
    fresh_databases: FreshDatabases, tmp_path: Path
) -> None:
    cold_only = replace(DEFINITION, hot_routes=None)
    async with (
        running(DEFINITION, await fresh_databases("intake", PREPARE), tmp_path, MONDAY) as hot,
        running(cold_only, await fresh_databases("intake", PREPARE), tmp_path, MONDAY) as cold,
    ):
        for role in ("operator", "requester"):
            for body in BATCHES:
                _agree(
                    *[
                        await service.client.post(
                            "/v1/imports/servicenow", json=body, headers=service.token("importer", role)
                        )
                        for service in (hot, cold)
                    ]
                )


def _agree(hot: httpx.Response, cold: httpx.Response) -> None:
    assert hot.status_code == cold.status_code
    told = {"idempotency-replayed"}
    assert set(hot.headers) - told == set(cold.headers) - told
    same = [{k: v for k, v in answer.json().items() if k not in VARYING} for answer in (hot, cold)]
    assert same[0] == same[1]
    assert _faults(hot) == _faults(cold)


def _facts(page: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in page.items() if name not in ("id", "number", "timeline")}


def _faults(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return the fields that were blamed and why; "no object" has two names in pydantic."""
    faults = answer.json().get("errors", [])
    return [(fault["pointer"], fault["code"].replace("_attributes", "")) for fault in faults]
