"""What keeps a timer from firing: a clock that jumped, a row that was tried a moment ago."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Protocol, TypeVar
from uuid import UUID

_LONGEST_BACKOFF_SECONDS = 60.0
_FORGET_SECONDS = 600.0


class Armed(Protocol):
    """A due row as far as it matters here: a new `seq` makes it another timer."""

    @property
    def timer_id(self) -> UUID: ...

    @property
    def seq(self) -> int: ...


A = TypeVar("A", bound=Armed)


@dataclass(slots=True)
class StepGuard:
    """Stops firing when the wall clock jumps ahead, for a jump would invent breaches; pure.

    A wall clock that gains more than `step` on the monotonic one between two looks is doubted until it has
    kept the pace for `calm`. One that is set back only delays, and is believed.
    """

    step: timedelta = timedelta(seconds=60)
    calm: timedelta = timedelta(seconds=30)
    doubted: bool = False
    _wall: datetime | None = None
    _monotonic: float = 0.0

    def trusts(self, wall: datetime, monotonic: float) -> bool:
        """Tell whether timers may fire at this reading of both clocks (monotonic: seconds)."""
        if self._wall is None:
            self._wall, self._monotonic = wall, monotonic
            return True
        passed = timedelta(seconds=monotonic - self._monotonic)
        gained = wall - self._wall - passed
        moved = abs(gained) > self.step if self.doubted else gained > self.step
        if moved:
            self.doubted = True
        elif self.doubted and passed >= self.calm:
            self.doubted = False
        elif self.doubted:
            return False
        self._wall, self._monotonic = wall, monotonic
        return not self.doubted


@dataclass(slots=True)
class Backoff:
    """Rows that were fired and are still there: each is left alone for longer after every try; pure."""

    _tried: dict[UUID, tuple[int, int, float]] = field(default_factory=dict)

    def ready(self, rows: Iterable[A], now: float) -> list[A]:
        """Return the rows that may be fired at `now` (monotonic seconds); a new `seq` starts afresh."""
        return [row for row in rows if self._not_before(row) <= now]

    def fired(self, rows: Iterable[Armed], now: float) -> None:
        """Remember a try: the next waits 1, 2, 4 ... at most 60 seconds."""
        for row in rows:
            seq, tries, _ = self._tried.pop(row.timer_id, (row.seq, 0, 0.0))  # the last tried stand last
            tries = tries if seq == row.seq else 0
            wait = min(2.0**tries, _LONGEST_BACKOFF_SECONDS)
            self._tried[row.timer_id] = (row.seq, min(tries + 1, 10), now + wait)

    def forget(self, now: float) -> None:
        """Drop rows not fired for ten minutes: they are gone."""
        old = takewhile(lambda key: self._tried[key][2] < now - _FORGET_SECONDS, self._tried)
        for key in list(old):
            del self._tried[key]

    def _not_before(self, row: Armed) -> float:
        seq, _, until = self._tried.get(row.timer_id, (row.seq, 0, 0.0))
        return until if seq == row.seq else 0.0
