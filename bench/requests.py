"""The requests that benchmarks send: every one by another requester, under a key of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

from shared.http.issuer import Issuer

TOKENS = 1_000
_HOURS = timedelta(hours=8)
_PLACE = "########"
_TEXT = (
    "The laptop of our new colleague is to be on the desk by the first of the month, with the usual "
    "programs, an account for the core banking system and the rights of the back office. "
)
BODY = {
    "kind": "service_request",
    "title": "A laptop for a new colleague in the back office",
    "description": (_TEXT * 4)[:560],
    "requester": {"name": f"Colleague {_PLACE}", "address": f"colleague.{_PLACE}@woodgrove.example"},
    "business_unit": "Back office",
    "channel": "api",
    "service": "Desktop Computing Service",  # the sample agreement covers it
    "category": "hardware",
    "impact": "medium",
    "urgency": "low",
    "tags": ["onboarding", "hardware"],
}


class Requests:
    """An endless supply of ready-made requests with a ~1 KB body."""

    def __init__(self, issuer: Issuer) -> None:
        tokens = [issuer.mint(f"desk-{n}", ["desk_tool"], _HOURS) for n in range(TOKENS)]
        body = json.dumps(BODY).encode()
        self._parts = body.split(_PLACE.encode())
        size = len(body)
        self._heads = [
            b"POST /intake/v1/requests HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\nAuthorization: Bearer %b\r\nIdempotency-Key: " % (size, token.encode())
            for token in tokens
        ]
        self._serial = count(1)

    def __iter__(self) -> Iterator[bytes]:
        begin, middle, end = self._parts
        while True:
            serial = next(self._serial)
            mark = b"%08d" % serial
            yield b"%bbench-%b\r\n\r\n%b%b%b%b%b" % (
                self._heads[serial % TOKENS], mark, begin, mark, middle, mark, end
            )  # fmt: skip
