"""Demand counts itself from what is heard, in bulk, on real PostgreSQL."""

from __future__ import annotations

import csv
import lzma
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest

from services.demand.app import LOG
from services.demand.projections.request_demand import REQUEST_DEMAND
from services.demand.subscribes import SUBSCRIPTIONS, hear_intake, hear_sla
from shared.contracts import intake
from shared.contracts.registry import TOPICS
from shared.eventsourcing.log import Unit
from shared.eventsourcing.writing import apply
from tests.demand.messages import MAY, breached, heard, rfc, submitted, triaged, withdrawn
from tests.support.running import RunningService

ANY = UUID("0197d000-0000-7000-8000-000000000000")
BATCH = 500


def units(contracts: Iterable[Any]) -> list[Unit]:
    """Return the units that follow from messages of either service."""
    return [
        unit for contract in contracts for unit in (hear_intake(heard(contract)) or hear_sla(heard(contract)))
    ]


async def counted(demand: RunningService, **query: Any) -> Iterator[tuple[Any, ...]]:
    found = await demand.get("/v1/request-demand", **query)
    return (
        (row["month"], row["service"], row["business_unit"], row["requests"], row["rfcs"], row["breaches"])
        for row in found["items"]
    )


async def test_requests_rfcs_and_breaches_count_without_anyone_typing(demand: RunningService) -> None:
    one, two, change = (UUID(int=n) for n in (11, 12, 13))
    said = [
        submitted(one),
        submitted(two, business_unit="Lending", kind="enhancement"),
        rfc(change),
        breached(one, 21),
    ]
    await demand.append(units(said))
    assert list(await counted(demand)) == [
        ("2026-05", "Desktop Computing", "Lending", 1, 0, 0),
        ("2026-05", "Desktop Computing", "Retail Banking", 1, 0, 0),
        ("2026-07", "Desktop Computing", "", 0, 1, 0),
        ("2026-07", "Desktop Computing", "Retail Banking", 0, 0, 1),
    ]
    assert len(list(await counted(demand, since="2026-06", service="Desktop Computing"))) == 2
    assert len(list(await counted(demand, until="2026-05", business_unit="Lending"))) == 1


async def test_triage_moves_what_was_counted_breaches_included(demand: RunningService) -> None:
    await demand.append(units([submitted(ANY), breached(ANY, 21), triaged(ANY, "Messaging")]))
    assert list(await counted(demand)) == [
        ("2026-05", "Messaging", "Retail Banking", 1, 0, 0),
        ("2026-07", "Messaging", "Retail Banking", 0, 0, 1),
    ]


async def test_hearing_a_message_twice_counts_once(demand: RunningService) -> None:
    for _ in range(2):
        await demand.append(units([breached(ANY, 21), submitted(ANY)]))
    assert [row[3:] for row in await counted(demand)] == [(1, 0, 0), (0, 0, 1)]


async def test_a_withdrawn_breach_leaves_no_trace_in_the_counts(demand: RunningService) -> None:
    await demand.append(units([submitted(ANY), breached(ANY, 21), withdrawn(ANY, 21)]))
    assert [row[3:] for row in await counted(demand)] == [(1, 0, 0)]


async def test_counts_come_in_pages(demand: RunningService) -> None:
    said = [submitted(UUID(int=100 + n), service=f"Service {n}") for n in range(5)]
    await demand.append(units(said))
    first = await demand.get("/v1/request-demand", limit=3)
    rest = await demand.get("/v1/request-demand", limit=3, cursor=first["next_cursor"])
    assert [row["service"] for row in first["items"] + rest["items"]] == [f"Service {n}" for n in range(5)]


async def test_what_is_not_demand_is_not_heard() -> None:
    assert units([intake.RequestResumed(occurred_at=MAY, request_id=ANY)]) == []


async def test_historic_facts_count_in_their_own_month_and_are_told_apart(demand: RunningService) -> None:
    old = datetime(2016, 2, 29, 1, 16, tzinfo=UTC)
    await demand.append(units([submitted(ANY, occurred_at=old, historic=True)]))
    (row,) = (await demand.get("/v1/request-demand"))["items"]
    assert (row["month"], row["requests"], row["incidents"], row["historic"]) == ("2016-02", 1, 1, 1)


async def test_an_import_is_counted_in_batches_and_rebuilds_alike(demand: RunningService) -> None:
    said = [
        submitted(UUID(int=10_000 + n), service=f"Service {n % 7}", business_unit=f"Unit {n % 5}")
        for n in range(1_000)
    ]
    moved = [triaged(contract.request_id, "Messaging") for contract in said[::10]]
    await take(demand, [*said, *moved])
    expected = Counter(
        ("Messaging" if n % 10 == 0 else f"Service {n % 7}", f"Unit {n % 5}") for n in range(1_000)
    )
    assert await everything(demand) == {("2026-05", *where): count for where, count in expected.items()}
    table = REQUEST_DEMAND.table.fullname
    async with demand.context.database.transaction() as conn:
        events = await demand.context.store.read(conn, 0, 2_000)
        live = await conn.fetch(f"SELECT * FROM {table} ORDER BY 1, 2, 3")
        await conn.execute(f"DELETE FROM {table}")
        for start in range(0, len(events), 77):
            await apply(conn, REQUEST_DEMAND, events[start : start + 77])
        assert await conn.fetch(f"SELECT * FROM {table} ORDER BY 1, 2, 3") == live


@pytest.mark.whole_log
async def test_twelve_thousand_incidents_agree_with_the_file(demand: RunningService) -> None:
    opened = first_rows()
    said, expected = [], Counter[tuple[str, str, str]]()
    for number, line in opened.items():
        at = datetime.strptime(line["opened_at"], "%d/%m/%Y %H:%M").replace(tzinfo=UTC)
        where = {"service": f"Category {line['category']}", "business_unit": f"Location {line['location']}"}
        said.append(submitted(uuid5(ANY, number), occurred_at=at, historic=True, **where))
        expected[f"{at:%Y-%m}", where["service"], where["business_unit"]] += 1
    await take(demand, said)
    assert len(said) == 12_000
    assert await everything(demand) == dict(expected)


def first_rows() -> dict[str, dict[str, str]]:
    """Return the row with which each incident of the ServiceNow log begins."""
    path = os.environ.get("PLUMBLINE_TEST_SERVICENOW_LOG")
    if not path:
        pytest.skip("PLUMBLINE_TEST_SERVICENOW_LOG names no log")
    opened: dict[str, dict[str, str]] = {}
    with lzma.open(path, "rt", newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            opened.setdefault(line["number"], line)
    return opened


async def take(demand: RunningService, said: list[Any]) -> None:
    """Hear messages as a consumer does: a batch is one transaction."""
    heard_units = units(said)
    for start in range(0, len(heard_units), BATCH):
        await demand.append(heard_units[start : start + BATCH])


async def everything(demand: RunningService) -> dict[tuple[str, str, str], int]:
    """Read every page of the counters."""
    found: dict[tuple[str, str, str], int] = {}
    query: dict[str, Any] = {"limit": 100}
    while True:
        page = await demand.get("/v1/request-demand", **query)
        for row in page["items"]:
            found[row["month"], row["service"], row["business_unit"]] = row["requests"]
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def test_every_topic_heard_is_one_that_its_source_writes() -> None:
    for subscription in SUBSCRIPTIONS:
        for topic in subscription.topics:
            assert TOPICS[topic].source == f"/{subscription.source}"


def test_what_is_heard_stays_inside() -> None:
    assert not set(REQUEST_DEMAND.follows) & set(LOG.publisher.topics)
