"""Keyset paging: opaque cursors that name the last row seen, never an offset."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Query

from shared.http.problems import Problem

LARGEST = 100
_LONGEST = 1024
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which page a list is asked for. `after` holds the sort key of the last row seen, or None."""

    limit: int
    cursor: str | None

    def after(self, order: str, *kinds: Callable[[str], Any]) -> tuple[Any, ...] | None:
        """Return the key to go on from, each part read by its kind (`UUID`, `int`, `fromisoformat` ...).

        `order` names the sort and the filters, for a cursor is good for the list that made it only.
        """
        if self.cursor is None:
            return None
        parts = _parts(self.cursor, order)
        try:
            return tuple(kind(part) for kind, part in zip(kinds, parts, strict=True))
        except (ValueError, ArithmeticError, TypeError) as error:
            raise Problem("bad-cursor") from error

    def answer(
        self,
        rows: Sequence[Row],
        order: str,
        key: Callable[[Row], Sequence[object]],
        show: Callable[[Row], Any],
    ) -> Mapping[str, Any]:
        """Return `{"items", "next_cursor"}` from at most `limit + 1` rows: the extra one tells of more."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        return {
            "items": [show(row) for row in shown],
            "next_cursor": cursor(order, key(shown[-1])) if more and shown else None,
        }


def cursor(order: str, key: Sequence[object]) -> str:
    """Return the opaque cursor for this key; times are written in ISO 8601."""
    parts = [part.isoformat() if hasattr(part, "isoformat") else str(part) for part in key]
    text = json.dumps([order, *parts], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.crc32(text).to_bytes(4, "big") + text).decode().rstrip("=")


def _parts(given: str, order: str) -> list[str]:
    """Undo `cursor`. The checksum finds accidents; values are bound parameters, so forging gains nothing."""
    try:
        raw = base64.b64decode(given + "=" * (-len(given) % 4), b"-_", validate=True)
        made_for, *parts = json.loads(raw[4:])
    except (ValueError, binascii.Error, TypeError) as error:
        raise Problem("bad-cursor") from error
    if zlib.crc32(raw[4:]).to_bytes(4, "big") != raw[:4] or made_for != order:
        raise Problem("bad-cursor", "This cursor belongs to another list, filter or sort order.")
    return [str(part) for part in parts]


def page(
    limit: Annotated[int, Query(ge=1, le=LARGEST, description="rows per page")] = 50,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before")] = None,
) -> Page:
    """Read the two query parameters of every list."""
    return Page(limit=limit, cursor=cursor)


PageQuery = Annotated[Page, Depends(page)]
