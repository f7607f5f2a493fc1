"""History from a ServiceNow export: exactly once, counted alike by three, never alerting."""

from __future__ import annotations

import asyncio
import csv
import lzma
import os
import random
import re
import sys
from collections import Counter
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest

from tests.journeys.conftest import Launched
from tests.support.processes import ROOT, until

SAMPLE = ROOT / "examples" / "servicenow-sample.csv"
LOG_VARIABLE = "PLUMBLINE_TEST_SERVICENOW_LOG"
A_DAY = 86_400


@pytest.fixture(scope="module", autouse=True)
async def a_promise_of_a_day(launched: Launched) -> None:
    """An agreement over everything since 2016: the past has clocks, and many ran out."""
    target = {
        "name": "done in a day",
        "words": "An incident is resolved within a day.",
        "start": [{"fact": "request.submitted"}],
        "stop": [{"fact": "request.fulfilled"}, {"fact": "request.closed"}],
        "cancel": [],
        "seconds": A_DAY,
    }
    body = {
        "kind": "sla",
        "title": "Everything in a day",
        "provider": "IT",
        "customer": "Everybody",
        "services": [],
        "in_force_from": "2016-01-01T00:00:00Z",
        "targets": [target],
    }
    async with launched.access() as access:
        steps = f"/v1/agreements/{(await access.post('sla', '/v1/agreements', body))['id']}"
        for party in ("provider", "customer"):
            await access.post("sla", f"{steps}/signatures", {"party": party, "by": party})
        await access.post("sla", f"{steps}/entry-into-force", {})


async def imported(launched: Launched, file: Path, source: str, *, kill_at: int = 0) -> str:
    """Import the file; with `kill_at`, kill the import as soon as so many of its requests are there."""
    arguments = ["import", "servicenow", str(file), "--zone", "Europe/Lisbon", "--source", source]
    if not kill_at:
        return await launched.plumbline(*arguments)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services", *arguments, cwd=ROOT, env=launched.environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip

    async def far_enough() -> bool:
        return process.returncode is not None or (await requests(launched, source))["total"] >= kill_at

    await until(far_enough, "the import does not begin")
    if process.returncode is None:
        process.send_signal(SIGKILL)
    await process.wait()
    return ""


def figure(said: str, name: str) -> int:
    """Return a figure of the import's report."""
    found = re.search(rf"{name}\D+([\d,]+)", said)
    assert found, said
    return int(found[1].replace(",", ""))


async def requests(launched: Launched, source: str) -> Any:
    return await launched.get("intake", "/v1/request-counts", source_system=source)


def rows_of(file: Path) -> dict[str, list[dict[str, str]]]:
    """Return the file's rows by incident."""
    found: dict[str, list[dict[str, str]]] = {}
    with lzma.open(file, "rt", encoding="utf-8") if file.suffix == ".xz" else file.open() as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["number"], []).append(row)
    return found


async def assert_all_three_agree(launched: Launched, file: Path, source: str, before: dict[str, int]) -> None:
    """Compare what intake, sla and demand count with the file; `before` is what they had counted already."""
    rows = rows_of(file)
    counted = await requests(launched, source)
    assert counted["total"] == len(rows)
    assert counted["by_kind"] == {"incident": len(rows)}
    late = sum(1 for each in rows.values() if each[-1]["made_sla"] == "false")
    assert counted["breached_at_source"] == late

    async def heard_by_both() -> bool:
        return await historic(launched) == {name: before[name] + len(rows) for name in before}

    await until(
        heard_by_both, f"{await historic(launched)} instead of {len(rows)} more than {before}", 600, every=1
    )
    events = await launched.get("intake", "/v1/requests", source_system=source, limit=1)
    [newest] = events["items"]
    history = await launched.get("intake", f"/v1/requests/{newest['id']}/history")
    assert history["items"], "a request comes with its history"


async def historic(launched: Launched) -> dict[str, int]:
    """Return how many historic requests sla and demand know."""
    records = await launched.get("sla", "/v1/records/counts")
    demand, cursor = 0, None
    while True:
        query = {"cursor": cursor} if cursor else {}
        page = await launched.get("demand", "/v1/request-demand", limit=100, **query)
        demand += sum(row["historic"] for row in page["items"])
        if (cursor := page["next_cursor"]) is None:
            break
    known = (each["records"] for each in records["items"] if each["historic"] and each["record"] == "request")
    return {"sla": sum(known), "demand": demand}


async def alerts(launched: Launched) -> Counter[str]:
    """Count what sla has said aloud about breaches, historic or not."""
    said: Counter[str] = Counter()
    after = 0
    while True:
        page = await launched.get("sla", "/v1/feed", after=after, limit=1000)
        for item in page["items"]:
            if item["headers"]["ce_type"] == "plumbline.sla.breached.v1":
                said["historic" if item["data"]["historic"] else "alert"] += 1
        if page["position"] == after or not page["items"]:
            return said
        after = page["position"]


async def assert_the_past_is_judged_without_an_alert(launched: Launched, source: str) -> None:
    """Every incident has its clock, those that ran out are shown on their requests, nobody was alarmed."""
    total = (await requests(launched, source))["total"]

    async def judged() -> bool:
        counts = await launched.get("sla", "/v1/clocks/counts")
        return sum(each["attached"] for each in counts["items"] if each["historic"]) >= total

    await until(judged, "not every historic clock is attached", 900, every=1)

    async def shown() -> bool:
        counts = await launched.get("sla", "/v1/clocks/counts")
        breached = sum(each["breached"] for each in counts["items"])
        return bool((await launched.get("intake", "/v1/request-counts"))["breached"] == breached > 0)

    await until(shown, "intake does not show every broken promise of the past", 300, every=1)
    said = await alerts(launched)
    assert said["alert"] == 0
    assert said["historic"] > 0


@pytest.mark.fault
async def test_an_import_killed_in_the_middle_and_run_twice_takes_every_incident_once(launched: Launched):
    before = await historic(launched)
    await imported(launched, SAMPLE, "sample", kill_at=random.randint(1, 60))  # noqa: S311
    await imported(launched, SAMPLE, "sample")
    assert figure(await imported(launched, SAMPLE, "sample"), "events recorded") == 0
    await assert_all_three_agree(launched, SAMPLE, "sample", before)
    await assert_the_past_is_judged_without_an_alert(launched, "sample")


@pytest.mark.whole_log
@pytest.mark.timeout(1800)
async def test_twelve_thousand_incidents_are_taken_once_and_counted_alike(launched: Launched):
    path = os.environ.get(LOG_VARIABLE)
    if not path:
        pytest.skip(f"{LOG_VARIABLE} names no log")
    before = await historic(launched)
    await imported(launched, Path(path), "whole", kill_at=random.randint(500, 3000))  # noqa: S311
    await imported(launched, Path(path), "whole")
    await assert_all_three_agree(launched, Path(path), "whole", before)
    await assert_the_past_is_judged_without_an_alert(launched, "whole")
