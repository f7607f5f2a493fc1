"""Appends new streams in one statement, where the log is as this process left it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from shared.eventsourcing.appending import APPENDED, ARGUMENTS, Appending, Left, recorded_from
from shared.eventsourcing.log import Appended, Recorded
from shared.eventsourcing.preparing import Prepared
from shared.eventsourcing.projection import Kind, ReadModel, Sweep
from shared.eventsourcing.writing import insertion, shape_of

_NOT_SO = "PL001"  # SQLSTATE of log.append_v2 when something is not as foreseen
_FIRST_ROWS = 9  # the first argument behind those of log.append_v2
_LONGEST_PAUSE = 64
_OLDEST_SECONDS = 10.0  # what is known for longer is not worth a guess: the long way learns it anew
_SLOWEST = 0.999  # of two clocks that are set by NTP, which slews by 500 ppm: no guess lies in the future


class NotForeseen(Exception):
    """Another process has appended, or a unit cannot be: nothing was stored."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A batch with the outcomes it has if nobody comes between, and the statement that makes them true."""

    outcomes: list[Appended]
    statement: str
    arguments: list[Any]


class Foresight:
    """Foresees positions and moment of the next append from where this process's last one left the log.

    An append has to know its positions and its moment before it can fold read models, which takes a round
    trip under the lock. A process that foresees both sends the read models' rows along with the events, and
    the one statement is the transaction. `log.append_v2` undoes it when anything is different; the batch is
    then appended the long way. While that happens, as it does when several processes append, foreseeing
    pauses for 1, 2, 4 ... 64 batches.
    """

    def __init__(self, appending: Appending, models: Sequence[ReadModel]) -> None:
        self._appending = appending
        self._models = [model for model in models if not model.asynchronous]
        self._pause = 0
        self._left_out = 0

    def foresee(self, units: Sequence[Prepared]) -> Foreseen | None:
        """Return how to append the batch in one statement, or None if it has to go the long way."""
        left = self._appending.left
        passed = 0.0 if left is None else time.monotonic() - left.heard
        if left is None or passed > _OLDEST_SECONDS or not all(unit.rows for unit in units):
            return None
        if self._left_out < self._pause:
            self._left_out += 1
            return None
        at = left.clock + timedelta(seconds=passed * _SLOWEST)
        recorded = recorded_from(left.head, at, units, [APPENDED] * len(units))
        written = self._rows([event for events in recorded for event in events])
        if written is None:
            return None
        outcomes = [
            unit.appended(events[-1].position, at, events)
            for unit, events in zip(units, recorded, strict=True)
        ]
        inserts, rows = written
        arguments = [*self._appending.arguments(units), left.head, at, *rows]
        return Foreseen(outcomes, _statement(inserts), arguments)

    async def append(self, conn: Any, foreseen: Foreseen) -> None:
        """Make it true, durably, outside any transaction; raises `NotForeseen` when it is not to be."""
        try:
            clock = await conn.fetchval(foreseen.statement, *foreseen.arguments)
        except asyncpg.PostgresError as error:
            self._appending.left = None
            if error.sqlstate != _NOT_SO:
                raise
            self._pause, self._left_out = min(2 * self._pause or 1, _LONGEST_PAUSE), 0
            raise NotForeseen(str(error)) from None
        self._pause = 0
        self._appending.left = Left(foreseen.outcomes[-1].position, clock, time.monotonic())

    def _rows(self, events: Sequence[Recorded]) -> tuple[list[str], list[Any]] | None:
        """Return the statements and rows of the read models; None where one does more than put whole rows."""
        inserts: list[str] = []
        rows: list[Any] = []
        for model in self._models:
            for step in model.changes(events).steps:
                if isinstance(step, Sweep) or any(kind is not Kind.PUT for kind, _ in step.values()):
                    return None
                if step:
                    number = _FIRST_ROWS + len(inserts)
                    inserts.append(insertion(model.table, Kind.PUT, argument=number, only_after="appended"))
                    put = ((key, columns) for key, (_, columns) in step.items())
                    rows.append(shape_of(model.table).rows_of(put, Kind.PUT))
        return inserts, rows


def _statement(inserts: Sequence[str]) -> str:
    writes = "".join(f", w{n} AS ({insert})" for n, insert in enumerate(inserts))
    call = f"SELECT * FROM log.append_v2({ARGUMENTS})"
    return f"WITH appended AS MATERIALIZED ({call}){writes} SELECT clock FROM appended"
