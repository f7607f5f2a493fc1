"""A stream's history over HTTP: what happened, when, by whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from fastapi import Response
from pydantic_core import to_jsonable_python

from shared.eventsourcing.decider import AnyDecider, Rejected
from shared.http.conditional import etag
from shared.http.context import ServiceContext

Unknown = Callable[[], Rejected]


async def history(context: ServiceContext, decider: AnyDecider, stream_id: UUID, unknown: Unknown) -> Any:
    """Tell everything that happened to one agreement, calendar or record; raises what `unknown` makes."""
    async with context.database.connection() as conn:
        recorded = await context.store.history(conn, stream_id)
    if not recorded or recorded[0].stream != decider.stream:
        raise unknown()
    items: list[Mapping[str, Any]] = [
        {
            "version": each.version,
            "what": type(each.event).__name__,
            "occurred_at": each.occurred_at,
            "recorded_at": each.recorded_at,
            "actor": each.meta.actor,
            "facts": to_jsonable_python(each.event),
        }
        for each in recorded
    ]
    return {"items": items}


async def current(
    context: ServiceContext,
    decider: AnyDecider,
    stream_id: UUID,
    response: Response,
    unknown: Unknown,
) -> Any:
    """Return a stream's state and put its version into the answer's ETag; raises what `unknown` makes."""
    async with context.database.connection() as conn:
        recorded = await context.store.history(conn, stream_id)
    if not recorded or recorded[0].stream != decider.stream:
        raise unknown()
    response.headers["ETag"] = etag(len(recorded))
    return decider.fold([each.event for each in recorded])
