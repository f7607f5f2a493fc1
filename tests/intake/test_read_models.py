"""Live read models hold what any batching of the log makes; migrations make the tables."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from services.intake.app import LOG
from services.intake.domain.people import person_id
from services.intake.domain.request.commands import NoteBreach
from services.intake.domain.request.decider import REQUEST
from services.intake.projections.request_list import Filters, newest
from shared.eventsourcing.housekeeping import SubjectErased, note
from shared.eventsourcing.log import Meta, Step, Unit
from shared.eventsourcing.writing import apply
from shared.runtime.database import sql_of
from tests.intake.builders import MONDAY
from tests.intake.test_imports_api import sample, take
from tests.intake.test_requests_api import MONITOR, TRIAGE
from tests.intake.test_rfcs_api import FACTS, PLANS, _approved
from tests.support.running import RunningService


async def _tell_a_story(intake: RunningService) -> None:
    await take(intake, [row for row in sample() if row["number"] < "0000200"])
    made = await intake.post("/v1/requests", MONITOR)
    await intake.post(f"/v1/requests/{made['id']}/triage", TRIAGE)
    breach = NoteBreach(occurred_at=MONDAY, clock_id=UUID(int=9), target="Resolution", due_at=MONDAY)
    step = Step(decider=REQUEST, stream_id=UUID(made["id"]), command=breach)
    await intake.append([Unit(steps=(step,), meta=Meta(actor="sla", correlation_id="c"))])
    rfc = await intake.post("/v1/rfcs", {"title": "Mail", **FACTS, **PLANS})
    await _approved(intake, rfc)
    await _erase(intake, person_id("anna@woodgrove.example"))


async def _erase(intake: RunningService, subject: UUID) -> None:
    await intake.context.keys.erase(subject)
    await intake.append([note(SubjectErased(subject_id=subject, occurred_at=MONDAY), "operator")])


async def _rows(conn: Any, table: str) -> list[Any]:
    return await conn.fetch(f"SELECT t::text FROM {table} AS t ORDER BY 1")  # type: ignore[no-any-return]


async def test_one_event_at_a_time_or_all_at_once_make_the_same_tables(intake: RunningService) -> None:
    await _tell_a_story(intake)
    async with intake.context.database.transaction() as conn:
        events = await intake.context.store.read(conn, 0, 5_000)
        for model in LOG.read_models:
            table = model.table.fullname
            live = await _rows(conn, table)
            assert live, model.name
            for size in (1, 7, len(events)):
                await conn.execute(f"DELETE FROM {table}")
                for start in range(0, len(events), size):
                    await apply(conn, model, events[start : start + size])
                rebuilt = await _rows(conn, table)
                assert rebuilt == live


async def test_an_erased_person_is_forgotten_everywhere(intake: RunningService) -> None:
    made = await intake.post("/v1/requests", MONITOR)
    await _erase(intake, person_id("anna@woodgrove.example"))
    (row,) = (await intake.get("/v1/requests"))["items"]
    assert (row["title"], row["requester_name"]) == (None, None)
    page = await intake.get(f"/v1/requests/{made['id']}")
    assert "Anna Lidman" not in str(page)
    assert "monitor" not in str(page)


async def test_migrations_make_the_tables_that_the_read_models_expect(intake: RunningService) -> None:
    async with intake.context.database.connection() as conn:
        for model in LOG.read_models:
            found = {
                row["column_name"]: row["is_nullable"] == "YES"
                for row in await conn.fetch(
                    "SELECT column_name, is_nullable FROM information_schema.columns "
                    "WHERE table_schema = 'read' AND table_name = $1",
                    model.table.name,
                )
            }
            assert found == {column.name: bool(column.nullable) for column in model.table.columns}
            indexes = await conn.fetch(
                "SELECT indexname FROM pg_indexes WHERE schemaname = 'read' AND tablename = $1",
                model.table.name,
            )
            assert {index.name for index in model.table.indexes} < {row["indexname"] for row in indexes}


@pytest.mark.parametrize(
    ("narrowed", "index"),
    [
        ({}, "newest"),
        ({"state": "closed"}, "state"),
        ({"service": "Fax gateway"}, "service"),
        ({"assignment_group": "Telephony", "priority": 1}, "group"),
        ({"source_system": "servicenow"}, "source"),
        ({"breached": True}, "late"),
    ],
)
async def test_a_page_of_the_list_is_read_from_an_index_in_its_order(
    intake: RunningService, narrowed: dict[str, Any], index: str
) -> None:
    for after in (None, (MONDAY, UUID(int=1))):
        text, arguments = sql_of(newest(Filters(**narrowed), after, 51))
        async with intake.context.database.transaction() as conn:
            for way in ("seqscan", "bitmapscan", "sort"):  # what a table as small as this is read by
                await conn.execute(f"SET LOCAL enable_{way} = off")
            plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {text}", *arguments))
        assert f"using request_list_v1_{index} " in plan, plan
        assert "Sort" not in plan


async def test_requests_are_counted_again_only_when_something_has_happened(intake: RunningService) -> None:
    await intake.post("/v1/requests", MONITOR)
    before = await intake.get("/v1/request-counts")
    async with intake.context.database.connection() as conn:
        await conn.execute("UPDATE read.request_list_v1 SET state = 'nobody counts this'")
    assert await intake.get("/v1/request-counts") == before
    await intake.post("/v1/requests", MONITOR)
    after = await intake.get("/v1/request-counts")
    assert (after["total"], after["by_state"]) == (2, {"nobody counts this": 1, "submitted": 1})
