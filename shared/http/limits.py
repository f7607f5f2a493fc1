"""What a request may weigh and contain: its size, the depth of its JSON, no U+0000."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from starlette.types import Message, Receive, Scope

from shared.http.problems import Problem

DEEPEST = 20
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_DEPTH = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_NEITHER = bytes(set(range(256)) - set(_DEPTH) - set(b'"'))  # neither a bracket nor a quote


class Disconnected(Exception):
    """The client went away before its body had arrived; there is nobody to answer."""


async def read_limited(receive: Receive, headers: Mapping[bytes, bytes], limit: int) -> bytes:
    """Read the body, refusing it as soon as it exceeds `limit` bytes, whatever its Content-Length says."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > limit:
        raise _too_large(limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    parts = [body]
    size = len(body)
    while True:
        if message["type"] == "http.disconnect":
            raise Disconnected
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return body if len(parts) == 1 else b"".join(parts)
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])


def _too_large(limit: int) -> Problem:
    return Problem("too-large", f"The body may have {limit} bytes.", headers={"Connection": "close"})


def check_address(scope: Scope) -> None:
    """Refuse U+0000 in the path or the query: PostgreSQL stores no text that contains it."""
    if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
        raise Problem("nul-character", "The address contains U+0000.")


def check_json(body: bytes, headers: Mapping[bytes, bytes]) -> None:
    """Refuse what is not JSON by its declared type, holds U+0000 or nests deeper than 20 levels."""
    if not body:
        return
    media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media != b"application/json" and not (media.startswith(b"application/") and media.endswith(b"+json")):
        raise Problem("media-type", "The body must be application/json.")
    if b"content-encoding" in headers:
        raise Problem("media-type", "The body must not be compressed.", remedy="Leave out Content-Encoding.")
    if b"\x00" in body or (b"\\u0000" in body and _ESCAPED_NUL.search(body)):
        raise Problem("nul-character", "The body contains U+0000.")
    if body.count(b"{") + body.count(b"[") > DEEPEST:
        _check_depth(body)
    try:
        body.decode()
        if b"\\" in body and _SURROGATE.search(body):
            json.dumps(json.loads(body), ensure_ascii=False).encode()
    except json.JSONDecodeError:
        return  # said by whoever reads the body into its model
    except ValueError:
        raise Problem("malformed-json", "The body is not UTF-8, or escapes half a character.") from None


def _check_depth(body: bytes) -> None:
    if b"\\" in body:
        body = _STRING.sub(b"", body).replace(b'"', b"")
    # What lies between two quotes is a string; those that hold no bracket leave two quotes side by side.
    outside = body.translate(None, _NEITHER).replace(b'""', b"").split(b'"')[::2]
    depth = 0
    for bracket in b"".join(outside):
        depth += _DEPTH[bracket]
        if depth > DEEPEST:
            raise Problem("too-deep", f"The JSON nests deeper than {DEEPEST} levels.")


def replayed(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that hands out the body that was read before, then what follows it."""
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
