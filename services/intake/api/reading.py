"""How routes read one record's history, and who counts as staff."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from services.intake.projections.timeline import visible
from shared.eventsourcing.command_handler import Actor
from shared.eventsourcing.decider import AnyDecider, NotFound
from shared.eventsourcing.log import Recorded
from shared.http.context import ServiceContext

_OUTSIDERS = frozenset({"requester", "business_customer", "event_consumer"})


def is_staff(actor: Actor) -> bool:
    """Tell whether the caller works on requests and may read internal comments."""
    return bool(actor.roles - _OUTSIDERS)


async def history_of(
    context: ServiceContext, actor: Actor, decider: AnyDecider, record_id: UUID, as_of: datetime | None = None
) -> tuple[list[Recorded], int]:
    """Return what the caller may see of a record's history, and the record's version.

    Raises `NotFound` when there is no such record, or was none at `as_of`.
    """
    async with context.database.connection() as conn:
        history = await context.store.history(conn, record_id)
    told = [recorded for recorded in history if as_of is None or recorded.recorded_at <= as_of]
    if not told or told[0].stream != decider.stream:
        raise NotFound(f"there is no {decider.stream} with this id")
    return visible(told, staff=is_staff(actor)), told[-1].version


def columns(row: Any, key: str) -> dict[str, Any]:
    """Return a read model's row for a list, its key called `id`."""
    shown = dict(row)
    return {"id": shown.pop(key), **shown}
