"""The reads of one record, for both kinds of record, and what those see who are not staff."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response

from services.intake.domain.people import person_id
from services.intake.projections import timeline
from services.intake.projections.timeline import visible
from shared.eventsourcing.command_handler import Actor
from shared.eventsourcing.decider import AnyDecider, NotFound
from shared.eventsourcing.log import Recorded
from shared.http.conditional import etag
from shared.http.context import ServiceContext
from shared.http.dependencies import AsOf, Caller

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


def named(endpoint: Any, key: str) -> Any:
    """Let an endpoint's `record_id` be called `key` in the path."""
    endpoint.__annotations__["record_id"] = Annotated[UUID, Path(alias=key)]
    return endpoint


def add_reads(
    routes: APIRouter,
    context: ServiceContext,
    decider: AnyDecider,
    noun: str,
    key: str,
    page: Callable[[Sequence[Recorded]], Any],
    allowed: Callable[[Any], Any],
) -> None:
    """Add `GET /{key}`, its history and its allowed transitions; `page` and `allowed` are the kind's own."""

    async def read(record_id: UUID, actor: Caller, as_of: AsOf, response: Response) -> Any:
        found, version = await history_of(context, actor, decider, record_id, as_of)
        response.headers["ETag"] = etag(version)
        return page(found)

    async def history(record_id: UUID, actor: Caller, as_of: AsOf) -> Any:
        found, _ = await history_of(context, actor, decider, record_id, as_of)
        return {"items": [timeline.entry(recorded) for recorded in found], "next_cursor": None}

    async def transitions(record_id: UUID, actor: Caller, response: Response) -> Any:
        found, version = await history_of(context, actor, decider, record_id)
        state = decider.fold([recorded.event for recorded in found])
        response.headers["ETag"] = etag(version)
        return {"state": state.state, "transitions": allowed(state)}

    for path, endpoint, summary in (
        ("", read, f"Read a {noun} with its timeline"),
        ("/history", history, f"Read what happened to a {noun}"),
        ("/allowed-transitions", transitions, f"Say what can be done with a {noun} now"),
    ):
        routes.add_api_route(f"/{{{key}}}{path}", named(endpoint, key), methods=["GET"], summary=summary)


def columns(row: Any, key: str) -> dict[str, Any]:
    """Return a read model's row for a list, its key called `id`."""
    shown = dict(row)
    return {"id": shown.pop(key), **shown}
