"""The answer to a command: what was recorded, at which version, and how to read it back."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import to_json
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
    body = to_json(content)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"etag", etag(appended.version).encode()),
    ]
    if about is not None and about.token_of is not None:
        headers.append((b"consistency-token", about.token_of(appended).encode()))
    if appended.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    if location:
        at = ("" if about is None else about.root) + location.replace("{id}", identity)
        headers.append((b"location", at.encode()))
    return Ready(body, status, headers)


class Ready(Response):
    """An answer whose headers need no more work: building them costs more than the body does."""

    def __init__(self, body: bytes, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.body, self.status_code, self.raw_headers = body, status, headers
        self.background = None
