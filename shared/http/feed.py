"""The log's public door over HTTP: `GET /v1/feed` and `GET /v1/feed/head`."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from shared.http.dependencies import allow
from shared.http.gate import Traffic
from shared.http.problems import Problem
from shared.messaging.feed import MAX_PAGE, MAX_WAIT_SECONDS, FeedPages

_SLICE_SECONDS = 1.0
_MAY_READ = ("event_consumer", "operator")


def router(pages: FeedPages, traffic: Traffic) -> APIRouter:
    """Return the feed's routes; a waiting request ends within a second once this process drains."""
    feed = APIRouter(prefix="/v1/feed", tags=["feed"], dependencies=[Depends(allow(*_MAY_READ))])

    @feed.get("", summary="Public events in the order of the log, behind a position")
    async def page(
        after: Annotated[int, Query(ge=0, le=2**62, description="the last position the caller has seen")],
        known: Annotated[str, Query(alias="hash", pattern="^([0-9a-f]{64})?$", description="its hash")] = "",
        wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS, description="seconds")] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 500,
        topic: Annotated[str | None, Query(max_length=200)] = None,
        partition: Annotated[int | None, Query(ge=0, le=100_000)] = None,
    ) -> Response:
        if (topic is None) != (partition is None):
            raise Problem("malformed", "`topic` and `partition` go together.")
        place = None if topic is None else (topic, partition)
        deadline = asyncio.get_running_loop().time() + wait
        while True:
            left = deadline - asyncio.get_running_loop().time()
            seconds = 0 if traffic.draining else max(0.0, min(_SLICE_SECONDS, left))
            found = await pages.page(
                after, limit=limit, wait=seconds, digest=bytes.fromhex(known), place=place
            )
            if found.messages or left <= _SLICE_SECONDS or traffic.draining:
                return Response(found.to_json(), media_type="application/json")

    @feed.get("/head", summary="Where the log ends, and the last public position of every partition")
    async def head() -> Response:
        return Response((await pages.head()).to_json(), media_type="application/json")

    return feed
