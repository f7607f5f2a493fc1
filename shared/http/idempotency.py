"""Turns the Idempotency-Key header into what the log recognises a repeated request by."""

from __future__ import annotations

import hashlib
import re

from starlette.requests import Request

from shared.eventsourcing.log import IdempotencyKey
from shared.http.exchange import exchange
from shared.http.problems import Problem

HEADER = b"idempotency-key"
_SHAPE = re.compile(r"[\x21-\x7e]{1,200}")


def idempotency_key(request: Request) -> IdempotencyKey | None:
    """Return the request's key, scoped to its principal, method and path; None when it carries none.

    Draft-ietf-httpapi-idempotency-key-header-07 writes the key as a quoted string; bare ones are as common.
    """
    about = exchange(request)
    raw = about.headers.get(HEADER)
    if raw is None:
        return None
    given = raw.decode("latin-1")
    key = given[1:-1] if len(given) > 2 and given[0] == given[-1] == '"' else given
    if not _SHAPE.fullmatch(key):
        raise Problem("malformed", "Idempotency-Key must be 1 to 200 visible ASCII characters.")
    name = about.principal.name if about.principal else ""
    return IdempotencyKey(
        scope=f"{name} {request.method} {about.path}",
        key=key,
        request_sha256=hashlib.sha256(about.body).digest(),
    )
