"""The answer to a command: what was recorded, at which version, and how to read it back."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response

from shared.eventsourcing.log import Appended
from shared.http.conditional import etag
from shared.http.exchange import CURRENT
from shared.runtime.ids import human_number


def answer(
    appended: Appended,
    *,
    status: int = 200,
    location: str = "",
    number_prefix: str = "",
    more: Mapping[str, object] | None = None,
) -> Response:
    """Return id, number, version and position; `location` may hold `{id}` and gets the service's prefix.

    A replayed answer is told apart by `Idempotency-Replayed: true` alone.
    """
    identity = str(appended.stream_id)
    content: dict[str, object] = {"id": identity}
    if appended.number is not None and number_prefix:
        content["number"] = human_number(number_prefix, appended.recorded_at, appended.number)
    content |= {"version": appended.version, "position": appended.position, **(more or {})}
    about = CURRENT.get()
    headers = {"ETag": etag(appended.version)}
    if about is not None and about.token_of is not None:
        headers["Consistency-Token"] = about.token_of(appended)
    if appended.replayed:
        headers["Idempotency-Replayed"] = "true"
    if location:
        headers["Location"] = ("" if about is None else about.root) + location.replace("{id}", identity)
    return Response(json.dumps(content), status, headers, "application/json")
