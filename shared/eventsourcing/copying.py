"""Whole new rows in bulk: written as JSON in one step, read by PostgreSQL as CSV."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
import sqlalchemy as sa

from shared.eventsourcing.writing import shape_of

# What JSON escapes beside quotes and backslashes, which CSV escapes alike.
_CONTROL = re.compile(rb'(?<!\\)((?:\\\\)*)\\(u[0-9a-f]{4}|[^"\\])')
_write = msgspec.json.Encoder().encode_lines


async def copy(conn: asyncpg.Connection, table: sa.Table, rows: Sequence[Any]) -> None:
    """COPY rows of the table's row type, in a fifth of the time that asyncpg takes to encode their values.

    An array of scalars without its brackets is a line of CSV: quotes around every text, none around numbers
    and null. JSON has no bytes: the caller keeps tables with `bytea` away.
    """
    text = _write(rows)[1:-2].replace(b"]\n[", b"\n")
    if b"\\" in text:
        text = _CONTROL.sub(_itself, text)
    await conn.copy_to_table(
        table.name,
        schema_name=table.schema,
        columns=shape_of(table).row,
        source=io.BytesIO(text),
        format="csv",
        null="null",
        escape="\\",
    )


def _itself(found: re.Match[bytes]) -> bytes:
    """Return a control character in place of its escape; CSV lets any stand between quotes."""
    character: str = msgspec.json.decode(b'"\\%b"' % found[2])
    return found[1] + character.encode()
