"""Live read models hold what a rebuild would make of the log."""

from __future__ import annotations

from services.catalog.app import LOG
from services.catalog.domain.facts import service_id_of
from services.catalog.subscribes import hear_demand, hear_sla
from shared.eventsourcing.writing import apply
from tests.catalog.messages import APPROVED, IN_FORCE, TERMINATED, breached, heard, withdrawn
from tests.support.running import RunningService


async def test_one_event_at_a_time_or_all_at_once_make_the_same_tables(catalog: RunningService) -> None:
    await catalog.append(
        [
            *hear_demand(heard(APPROVED)),
            *hear_sla(heard(IN_FORCE)),
            *hear_sla(heard(breached(1))),
            *hear_sla(heard(breached(2))),
            *hear_sla(heard(withdrawn(1))),
            *hear_sla(heard(TERMINATED)),
        ]
    )
    path = f"/v1/services/{service_id_of('Desktop Computing')}"
    await catalog.post(f"{path}/development", {"reason": "team is ready"})
    await catalog.post(f"{path}/facts", {"description": "better"})
    await catalog.post(f"{path}/owners", {"service_owner": {"name": "Desktop team"}, "reason": "new"})
    async with catalog.context.database.transaction() as conn:
        events = await catalog.context.store.read(conn, 0, 100)
        for model in LOG.read_models:
            live = await conn.fetch(f"SELECT t::text FROM {model.table.fullname} AS t ORDER BY 1")
            assert live, model.name
            await conn.execute(f"DELETE FROM {model.table.fullname}")
            for event in events:
                await apply(conn, model, [event])
            assert await conn.fetch(f"SELECT t::text FROM {model.table.fullname} AS t ORDER BY 1") == live
            await conn.execute(f"DELETE FROM {model.table.fullname}")
            await apply(conn, model, events)
            assert await conn.fetch(f"SELECT t::text FROM {model.table.fullname} AS t ORDER BY 1") == live
