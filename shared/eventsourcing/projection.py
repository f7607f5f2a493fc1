"""Read models: how events change a table, folded per key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

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
        kind, known = self._segment.get(key, (None, columns))
        if kind is Kind.DELETE:
            raise MissingRow(f"set of {sorted(columns)} after the row {key} was deleted")
        if kind is Kind.PUT or kind is Kind.SET:
            known.update(columns)  # ours alone: keyword arguments are a dict of their own
            return
        if kind is Kind.ADD:
            self._cut()
        self._segment[key] = (Kind.SET, columns)

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

    def changes(self, events: Iterable[Recorded], before: Changes | None = None) -> Changes:
        """Fold the events that this model follows, onto what came `before` them and is not written yet."""
        changes = Changes() if before is None else before
        followed = [recorded for recorded in events if type(recorded.event) in self._followed]
        if followed:
            self.fold(followed, changes)
        return changes
