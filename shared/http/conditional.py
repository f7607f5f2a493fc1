"""ETag and If-Match: a record's version on the wire."""

from __future__ import annotations

import re

from starlette.requests import Request

from shared.http.problems import Problem

_STRONG = re.compile(r'"(\d{1,18})"')


def etag(version: int) -> str:
    """Return the entity tag of a record at this stream version."""
    return f'"{version}"'


def matched_version(request: Request) -> int | None:
    """Return the version that If-Match demands; None when the caller does not care (absent or `*`)."""
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    strong = _STRONG.fullmatch(given.strip())
    if strong is None:
        raise Problem("malformed", 'If-Match must be one ETag that a read answered, such as "7".')
    return int(strong[1])


def unchanged(request: Request, version: int) -> bool:
    """Tell whether If-None-Match names this version, so that a read may answer 304."""
    given = request.headers.get("if-none-match", "")
    return etag(version) in [tag.strip().removeprefix("W/") for tag in given.split(",")]
