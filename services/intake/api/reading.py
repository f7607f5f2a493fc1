"""How routes read one record's history, and what those see who are not staff."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.intake.domain.people import person_id
from services.intake.projections.timeline import visible
from shared.eventsourcing.command_handler import Actor
from shared.eventsourcing.decider import AnyDecider, NotFound
from shared.eventsourcing.log import Recorded
from shared.http.context import ServiceContext

_OUTSIDERS = frozenset({"requester", "business_customer", "event_consumer"})


def is_staff(actor: Actor) -> bool:
    """Tell whether the caller works on requests and may read internal comments."""
    return bool(actor.roles - _OUTSIDERS)


def only_of(actor: Actor) -> UUID | None:
    """Return the person whose records alone the caller may see; None: staff sees them all."""
    return None if is_staff(actor) else person_id(actor.name)


async def refuse_strangers(
    context: ServiceContext, actor: Actor, decider: AnyDecider, record_id: UUID
) -> None:
    """Raise `NotFound` when the record is none of the caller's business."""
    if not is_staff(actor):
        await history_of(context, actor, decider, record_id)


async def history_of(
    context: ServiceContext, actor: Actor, decider: AnyDecider, record_id: UUID, as_of: datetime | None = None
) -> tuple[list[Recorded], int]:
    """Return what the caller may see of a record's history, and the record's version.

    Raises `NotFound` when there is no such record, was none at `as_of`, or is somebody else's: whoever may
    not see it is not told that it exists.
    """
    async with context.database.connection() as conn:
        history = await context.store.history(conn, record_id)
    told = [recorded for recorded in history if as_of is None or recorded.recorded_at <= as_of]
    if not told or told[0].stream != decider.stream or not _may_see(actor, told):
        raise NotFound(f"there is no {decider.stream} with this id")
    return visible(told, staff=is_staff(actor)), told[-1].version


def _may_see(actor: Actor, history: Sequence[Recorded]) -> bool:
    person = only_of(actor)
    if person is None:
        return True
    first = history[0]
    asked = {getattr(recorded.event, "requester_id", None) for recorded in history}
    return (
        person in asked
        or person == getattr(first.event, "on_behalf_of_id", None)
        or actor.name == first.meta.actor
    )


def columns(row: Any, key: str) -> dict[str, Any]:
    """Return a read model's row for a list, its key called `id`."""
    shown = dict(row)
    return {"id": shown.pop(key), **shown}
