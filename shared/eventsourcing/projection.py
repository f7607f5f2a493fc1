"""Read models: how events change a table, folded per key and written in bulk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.schema import ScalarElementColumnDefault

from shared.eventsourcing.log import Recorded

Row = dict[str, Any]


class Kind(StrEnum):
    """What happens to one row."""

    PUT = "put"
    SET = "set"
    ADD = "add"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Sweep:
    """`columns` for every row whose columns equal `where`, whatever its key."""

    where: Row
    columns: Row


Segment = dict[Any, tuple[Kind, Row]]


class MissingRow(LookupError):
    """`set` met a key that has no row: the read model lost a row or its fold is wrong."""


class Changes:
    """What a batch of events does to a table: one change per key, the last writer winning per column.

    A key is the primary key's value, a tuple where it has several columns. JSONB values are plain Python
    values; a `str` there is taken as JSON text. Changes do not read the table, so the same events give the
    same table however they are batched.
    """

    __slots__ = ("_segment", "steps")

    def __init__(self) -> None:
        self._segment: Segment = {}
        self.steps: list[Segment | Sweep] = [self._segment]

    def put(self, key: Any, **columns: Any) -> None:
        """Make this the whole row, new or not: a column left out gets its default, else NULL."""
        self._segment[key] = (Kind.PUT, columns)

    def set(self, key: Any, **columns: Any) -> None:
        """Change these columns of a row that exists; writing raises `MissingRow` where it does not."""
        kind, known = self._segment.get(key, (Kind.SET, {}))
        if kind is Kind.DELETE:
            raise MissingRow(f"set of {sorted(columns)} after the row {key} was deleted")
        if kind is Kind.ADD:
            kind, known = Kind.SET, self._cut()
        self._segment[key] = (kind, known | columns)

    def add(self, key: Any, **deltas: Any) -> None:
        """Count: insert the row with these numbers or add them. Only for tables that hold nothing else."""
        kind, known = self._segment.get(key, (Kind.ADD, {}))
        if kind is not Kind.ADD:
            known = self._cut()
        summed = {name: known.get(name, 0) + delta for name, delta in deltas.items()}
        self._segment[key] = (Kind.ADD, known | summed)

    def delete(self, key: Any) -> None:
        """Remove the row, if there is one."""
        self._segment[key] = (Kind.DELETE, {})

    def set_every(self, where: Mapping[str, Any], **columns: Any) -> None:
        """Change these columns of every row that matches `where` by now, such as an erased person's."""
        self.steps.append(Sweep(dict(where), columns))
        self._cut()

    def _cut(self) -> Row:
        """Write what was gathered before what comes now: the two do not fold into one change."""
        self._segment = {}
        self.steps.append(self._segment)
        return {}


Fold = Callable[[Sequence[Recorded], Changes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadModel:
    """One question's answer, kept as a table: which events it follows and how they change it.

    The table stands in schema `read` and is called `<name>_v<version>`; another shape or another fold is
    another version. `fold` is pure: no clock, no serial, no float. `asynchronous` keeps an expensive table
    (full text) out of the append; the catch-up task fills it.
    """

    name: str
    version: int
    table: sa.Table
    follows: tuple[type, ...]
    fold: Fold
    asynchronous: bool = False
    _followed: frozenset[type] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        expected = f"{self.name}_v{self.version}"
        if self.table.schema != "read" or self.table.name not in (expected, f"{expected}_new"):
            raise ValueError(f"read model {self.name} wants table read.{expected}, not {self.table.fullname}")
        object.__setattr__(self, "_followed", frozenset(self.follows))

    def changes(self, events: Iterable[Recorded]) -> Changes:
        """Fold the events that this model follows."""
        changes = Changes()
        followed = [recorded for recorded in events if type(recorded.event) in self._followed]
        if followed:
            self.fold(followed, changes)
        return changes


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
        if kind is Kind.SET and not names:
            continue
        statement, written = _statement(table, kind, names, alone=len(rows) == 1)
        arguments = [*shape.keys_of(rows), *shape.values_of(rows, written, kind)]
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
    defaults: Mapping[str, Any]
    all_values: frozenset[str]

    def keys_of(self, rows: Sequence[tuple[Any, Row]]) -> list[list[Any]]:
        """Turn keys into one array per key column."""
        if len(self.keys) == 1:
            return [[key for key, _ in rows]]
        return [list(column) for column in zip(*(key for key, _ in rows), strict=True)]

    def values_of(
        self, rows: Sequence[tuple[Any, Row]], names: tuple[str, ...], kind: Kind
    ) -> list[list[Any]]:
        """Turn rows into one array per column, absent ones filled with the default (counters: zero)."""
        if kind is not Kind.SET:
            for key, columns in rows:
                if not columns.keys() <= self.all_values:
                    raise KeyError(f"row {key}: no column {sorted(columns.keys() - self.all_values)}")
        blank = dict.fromkeys(names, 0) if kind is Kind.ADD else self.defaults
        return [
            [encoded(self.types[name], columns.get(name, blank.get(name))) for _, columns in rows]
            if self.types[name] == "jsonb"
            else [columns.get(name, blank.get(name)) for _, columns in rows]
            for name in names
        ]


def encoded(type_: str, value: Any) -> Any:
    """Return what asyncpg takes: JSONB as text, everything else as it is."""
    if type_ != "jsonb" or value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


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
    return Shape(
        keys=tuple(column.name for column in table.primary_key.columns),
        values=values,
        types={column.name: _postgresql_type(column) for column in written},
        defaults={
            c.name: c.default.arg for c in written if isinstance(c.default, ScalarElementColumnDefault)
        },
        all_values=frozenset(values),
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
    if kind is Kind.DELETE:
        return f"DELETE FROM {table.fullname} AS t USING {rows} WHERE {same}", order
    if kind is Kind.ADD and not all(
        shape.types[name] in ("int2", "int4", "int8", "numeric") for name in order
    ):
        raise TypeError(f"{table.fullname} holds more than counters: nothing can be added to it")
    plus = 't."{0}" + ' if kind is Kind.ADD else ""
    changed = ", ".join(f'"{name}" = {plus.format(name)}excluded."{name}"' for name in order)
    conflict = f"UPDATE SET {changed}" if order else "NOTHING"
    insert = f"INSERT INTO {table.fullname} AS t ({listed}) SELECT * FROM {rows}"
    return f"{insert} ON CONFLICT ({key}) DO {conflict}", order


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _sweep(table: sa.Table, sweep: Sweep) -> tuple[Any, ...]:
    types = shape_of(table).types
    used = [(name, value) for part in (sweep.columns, sweep.where) for name, value in part.items()]
    terms = [f'"{name}" = ${i}::{types[name]}' for i, (name, _) in enumerate(used, 1)]
    changed, where = terms[: len(sweep.columns)], terms[len(sweep.columns) :]
    text = f"UPDATE {table.fullname} SET {', '.join(changed)} WHERE {' AND '.join(where)}"
    return text, *(encoded(types[name], value) for name, value in used)
