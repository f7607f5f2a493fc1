"""Writes what read models' folds gathered: row types, one statement per kind of change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, Kind, MissingRow, ReadModel, Row, Segment, Sweep


async def apply(conn: asyncpg.Connection, model: ReadModel, events: Sequence[Recorded]) -> None:
    """Bring the model's table from before `events` to after them, in the caller's transaction."""
    await write(conn, model, model.changes(events))


async def write(conn: asyncpg.Connection, model: ReadModel, changes: Changes) -> None:
    """Write folded changes with one statement per kind of change and set of columns."""
    for step in changes.steps:
        if isinstance(step, Sweep):
            await conn.execute(*_sweep(model.table, step))
        elif step:
            await _write_segment(conn, model.table, step)


async def _write_segment(conn: asyncpg.Connection, table: sa.Table, segment: Segment) -> None:
    shape = shape_of(table)
    groups: dict[tuple[Kind, frozenset[str]], list[tuple[Any, Row]]] = {}
    for key, (kind, columns) in segment.items():
        names = frozenset(columns) if kind is Kind.SET else shape.all_values
        groups.setdefault((kind, names), []).append((key, columns))
    for group in sorted(groups, key=_deletes_first):
        kind, names = group
        rows = groups[group]
        if kind is Kind.PUT or kind is Kind.ADD:
            await conn.execute(insertion(table, kind), shape.rows_of(rows, kind))
            continue
        if kind is Kind.SET and not names:
            continue
        statement, written = _statement(table, kind, names, alone=len(rows) == 1)
        arguments = [*shape.keys_of(rows), *shape.values_of(rows, written)]
        if len(rows) == 1:
            arguments = [values[0] for values in arguments]
        status = await conn.execute(statement, *arguments)
        if kind is Kind.SET and int(status.rpartition(" ")[2]) != len(rows):
            raise MissingRow(f"{table.fullname} lacks a row among {[key for key, _ in rows][:10]}")


def _deletes_first(group: tuple[Kind, frozenset[str]]) -> tuple[bool, str, list[str]]:
    """Order statements so that a unique value can move from a deleted row to a new one."""
    return group[0] is not Kind.DELETE, group[0], sorted(group[1])


@dataclass(frozen=True, slots=True)
class Shape:
    """A table's columns as the statements need them: names in order, PostgreSQL types, defaults."""

    keys: tuple[str, ...]
    values: tuple[str, ...]
    types: Mapping[str, str]
    all_values: frozenset[str]
    json: frozenset[str]
    row: tuple[str, ...]  # all columns in the order of the row type: by name
    blank: Mapping[str, Any]  # a row in that order: of each column its default, or None

    def keys_of(self, rows: Sequence[tuple[Any, Row]]) -> list[list[Any]]:
        """Turn keys into one array per key column."""
        if len(self.keys) == 1:
            return [[key for key, _ in rows]]
        return [list(column) for column in zip(*(key for key, _ in rows), strict=True)]

    def values_of(self, rows: Sequence[tuple[Any, Row]], names: tuple[str, ...]) -> list[list[Any]]:
        """Turn what is set into one array per column."""
        return [[encoded(self.types[name], columns[name]) for _, columns in rows] for name in names]

    def rows_of(self, rows: Iterable[tuple[Any, Row]], kind: Kind) -> list[Any]:
        """Turn rows into tuples of the row type, absent columns filled with the default (counters: zero)."""
        blank = self.blank if kind is Kind.PUT else dict.fromkeys(self.row, 0)
        only = self.keys[0] if len(self.keys) == 1 else ""
        found = []
        for key, columns in rows:
            row = {**blank, **columns}  # in the order of `blank`
            if len(row) != len(blank):
                raise KeyError(f"row {key}: no column {sorted(columns.keys() - self.all_values)}")
            if only:
                row[only] = key
            else:
                row.update(zip(self.keys, key, strict=True))
            for name in self.json:
                row[name] = encoded("jsonb", row[name])
            found.append(tuple(row.values()))
        return found


async def copy(conn: asyncpg.Connection, table: sa.Table, rows: Sequence[Any]) -> None:
    """COPY rows of the table's row type as JSON, in half the time that asyncpg takes to encode their values.

    An array of scalars without its brackets is a line of CSV: quotes around every text, none around numbers
    and null. JSON has no bytes: the caller keeps tables with `bytea` away.
    """
    text = _json_lines(rows)[1:-2].replace(b"]\n[", b"\n")
    if b"\\" in text:
        text = _CONTROL.sub(_itself, text)
    csv = {"format": "csv", "null": "null", "escape": "\\"}
    names = shape_of(table).row
    await conn.copy_to_table(table.name, schema_name=table.schema, columns=names, source=BytesIO(text), **csv)


def _itself(found: re.Match[bytes]) -> bytes:
    """Return a control character in place of its escape; CSV lets any stand between quotes."""
    character: str = msgspec.json.decode(b'"\\%b"' % found[2])
    return found[1] + character.encode()


_json_lines = msgspec.json.Encoder().encode_lines
# What JSON escapes beside quotes and backslashes, which CSV escapes alike.
_CONTROL = re.compile(rb'(?<!\\)((?:\\\\)*)\\(u[0-9a-f]{4}|[^"\\])')


def encoded(type_: str, value: Any) -> Any:
    """Return what asyncpg takes: JSONB as text, everything else as it is."""
    if type_ != "jsonb" or value is None or isinstance(value, str):
        return value
    return _json(value)


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode

_TYPES: tuple[tuple[type[Any], str], ...] = (
    (sa.Uuid, "uuid"),
    (sa.BigInteger, "int8"),
    (sa.SmallInteger, "int2"),
    (sa.Integer, "int4"),
    (sa.Boolean, "bool"),
    (sa.Date, "date"),
    (sa.Numeric, "numeric"),
    (JSONB, "jsonb"),
    (sa.LargeBinary, "bytea"),
    (sa.String, "text"),
)


def _postgresql_type(column: sa.Column[Any]) -> str:
    if isinstance(column.type, sa.DateTime) and column.type.timezone:
        return "timestamptz"
    for known, name in _TYPES:
        if isinstance(column.type, known):
            return name
    raise TypeError(f"read model column {column}: {column.type!r} is not a type that read models hold")


@lru_cache(maxsize=256)
def shape_of(table: sa.Table) -> Shape:
    """Read a table's columns once; generated columns are PostgreSQL's to write."""
    written = [column for column in table.columns if column.computed is None]
    values = tuple(column.name for column in written if not column.primary_key)
    types = {column.name: _postgresql_type(column) for column in written}
    row = tuple(sorted(types))
    return Shape(
        keys=tuple(column.name for column in table.primary_key.columns),
        values=values,
        types=types,
        all_values=frozenset(values),
        json=frozenset(name for name in values if types[name] == "jsonb"),
        row=row,
        blank={
            name: default.arg if isinstance(default, ScalarElementColumnDefault) else None
            for name in row
            for default in [table.columns[name].default]
        },
    )


@lru_cache(maxsize=1024)
def _statement(
    table: sa.Table, kind: Kind, names: frozenset[str], *, alone: bool
) -> tuple[str, tuple[str, ...]]:
    """Build a statement's text and the order of its value columns; the key columns come first.

    Rows come in as one array per column; a row `alone` comes as plain values, which takes a fifth less time.
    """
    shape = shape_of(table)
    if not names <= shape.all_values:
        raise KeyError(f"{table.fullname} has no column {sorted(names - shape.all_values)}")
    order = () if kind is Kind.DELETE else tuple(name for name in shape.values if name in names)
    columns = shape.keys + order
    many = "" if alone else "[]"
    given = ", ".join(f"${i}::{shape.types[name]}{many}" for i, name in enumerate(columns, 1))
    listed, key = _quoted(columns), _quoted(shape.keys)
    rows = f"(VALUES ({given})) AS u({listed})" if alone else f"unnest({given}) AS u({listed})"
    same = " AND ".join(f't."{name}" = u."{name}"' for name in shape.keys)
    if kind is Kind.SET:
        changed = ", ".join(f'"{name}" = u."{name}"' for name in order)
        return f"UPDATE {table.fullname} AS t SET {changed} FROM {rows} WHERE {same}", order
    if kind is Kind.DELETE and len(shape.keys) == 1 and not alone:
        return f"DELETE FROM {table.fullname} WHERE {key} = ANY({given})", order
    return f"DELETE FROM {table.fullname} AS t USING {rows} WHERE {same}", order


@lru_cache(maxsize=256)
def insertion(table: sa.Table, kind: Kind, *, argument: int = 1, only_after: str = "") -> str:
    """Return the statement that puts or adds rows given as one array of the table's row type.

    `argument` is the array's number; `only_after` names a row of the same statement that must come first.
    The type is declared beside the table (`read.declare_rows`) and lists the columns by name.
    """
    shape = shape_of(table)
    if kind is Kind.ADD and not all(
        shape.types[name] in ("int2", "int4", "int8", "numeric") for name in shape.values
    ):
        raise TypeError(f"{table.fullname} holds more than counters: nothing can be added to it")
    listed, key = _quoted(shape.row), _quoted(shape.keys)
    plus = 't."{0}" + ' if kind is Kind.ADD else ""
    changed = ", ".join(f'"{name}" = {plus.format(name)}excluded."{name}"' for name in shape.values)
    conflict = f"UPDATE SET {changed}" if changed else "NOTHING"
    row_type = f"{table.schema}.{table.name.removesuffix('_new')}_row"
    rows = f"{only_after}{', ' if only_after else ''}unnest(${argument}::{row_type}[]) AS u"
    given = ", ".join(f'u."{name}"' for name in shape.row)
    insert = f"INSERT INTO {table.fullname} AS t ({listed}) SELECT {given} FROM {rows}"
    return f"{insert} ON CONFLICT ({key}) DO {conflict}"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _sweep(table: sa.Table, sweep: Sweep) -> tuple[Any, ...]:
    types = shape_of(table).types
    used = [(name, value) for part in (sweep.columns, sweep.where) for name, value in part.items()]
    terms = [f'"{name}" = ${i}::{types[name]}' for i, (name, _) in enumerate(used, 1)]
    changed, where = terms[: len(sweep.columns)], terms[len(sweep.columns) :]
    text = f"UPDATE {table.fullname} SET {', '.join(changed)} WHERE {' AND '.join(where)}"
    return text, *(encoded(types[name], value) for name, value in used)
