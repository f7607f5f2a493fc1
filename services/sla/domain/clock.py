"""A clock as a pure function of its target, its calendar, the facts heard and the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from services.sla.domain.business_time import Calendar, NeverOpen
from services.sla.domain.lifecycle import ClockState, Run, Segment, runs, whole_second
from services.sla.domain.target import Fact, Limit, Target

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A share of the promised time used up, at the instant at which it was."""

    threshold: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a clock shows at an instant. Nothing of it is stored: it is worked out from the facts each time.

    `promised_at` is the deadline as it stood at the start; `due_at` the present one, None while paused.
    `elapsed` and `limit` are business seconds. `next_at` is the next instant at which something will happen
    by itself (a threshold, the breach); None while nothing will.
    """

    key: str
    state: ClockState
    started_at: datetime
    promised_at: datetime
    limit: int
    elapsed: int
    due_at: datetime | None
    breached_at: datetime | None
    ended_at: datetime | None
    reason: str
    reached: tuple[Reached, ...]
    next_at: datetime | None
    segments: tuple[Segment, ...]

    @property
    def remaining(self) -> int:
        """Business seconds left; negative once too late."""
        return self.limit - self.elapsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A part of a clock's life: `kind` running, paused, stopped or closed; only running counts."""

    start: datetime
    end: datetime
    kind: str
    why: str
    seconds: int


def evaluate(target: Target, calendar: Calendar, facts: Iterable[Fact], now: datetime) -> tuple[Reading, ...]:
    """Read every clock of the target for the record whose facts these are, as of `now` (aware UTC).

    A calendar that never opens again makes no deadline, hence no clock.
    """
    at = whole_second(now)
    known = [fact for fact in facts if whole_second(fact.occurred_at) <= at]
    try:
        return tuple(_read(target, calendar, run, at) for run in runs(target, known))
    except NeverOpen:
        return ()


def explain(reading: Reading, calendar: Calendar, now: datetime) -> tuple[Interval, ...]:
    """List a clock's life in order; the seconds of the running parts sum exactly to `reading.elapsed`."""
    found: list[Interval] = []
    for segment in _with_stops(reading.segments):
        end = segment.end or max(whole_second(now), segment.start)
        if not segment.running:
            kind = "stopped" if segment.why == "stopped" else "paused"
            seconds = int((end - segment.start).total_seconds())
            found.append(Interval(start=segment.start, end=end, kind=kind, why=segment.why, seconds=seconds))
            continue
        for part in calendar.explain(segment.start, end):
            kind = "running" if part.open else "closed"
            found.append(
                Interval(start=part.start, end=part.end, kind=kind, why=part.why, seconds=part.seconds)
            )
    return tuple(found)


def due_after_pause(reading: Reading, calendar: Calendar, resumed_at: datetime) -> datetime | None:
    """Return the deadline if the clock paused at the time of reading and resumed at `resumed_at`."""
    if reading.ended_at is not None or reading.remaining < 0:
        return None
    return calendar.add(resumed_at, reading.remaining)


def _read(target: Target, calendar: Calendar, run: Run, now: datetime) -> Reading:
    promised_at = _promised(target, calendar, run)
    limit = target.seconds
    if limit is None:
        limit = max(calendar.between(run.started_at, promised_at), 0)
    walk = _Walk(target=target, calendar=calendar, limit=limit)
    walk.fixed_due = promised_at if target.business_days is not None else None
    for segment in run.segments:
        if segment.running:
            walk.through(segment, segment.end or now, open_ended=segment.end is None)
    return Reading(
        key=run.key,
        state=run.state,
        started_at=run.started_at,
        promised_at=promised_at,
        limit=limit,
        elapsed=walk.elapsed,
        due_at=walk.due_at if run.state is not ClockState.PAUSED or walk.breached_at else None,
        breached_at=walk.breached_at,
        ended_at=run.ended_at,
        reason=run.reason,
        reached=tuple(walk.reached),
        next_at=min(walk.ahead, default=None) if run.state is ClockState.RUNNING else None,
        segments=tuple(run.segments),
    )


def _promised(target: Target, calendar: Calendar, run: Run) -> datetime:
    if target.business_days is not None:
        return calendar.end_of_business_day(run.anchor_at, target.business_days)
    return calendar.add(run.started_at, target.seconds or 0)


class _Walk:
    """Adds up running segments and notes the instants at which shares of the limit were used up."""

    def __init__(self, *, target: Target, calendar: Calendar, limit: int) -> None:
        self.target, self.calendar, self.limit = target, calendar, limit
        self.fixed_due: datetime | None = None
        self.elapsed = 0
        self.due_at: datetime | None = None
        self.breached_at: datetime | None = None
        self.reached: list[Reached] = []
        self.ahead: list[datetime] = []
        # Rounded up: at the threshold's instant the share is used up, not nearly.
        self._marks = [(share, -(-limit * share // 100)) for share in sorted(target.thresholds)]

    def through(self, segment: Segment, end: datetime, *, open_ended: bool) -> None:
        worked = self.calendar.between(segment.start, end)
        self._pass_thresholds(segment.start, worked, open_ended=open_ended)
        if self.breached_at is None:
            self._pass_deadline(segment.start, end, open_ended=open_ended)
        self.elapsed += worked

    def _pass_thresholds(self, start: datetime, worked: int, *, open_ended: bool) -> None:
        for share, mark in self._marks:
            needed = mark - self.elapsed
            if needed <= worked and not any(each.threshold == share for each in self.reached):
                self.reached.append(Reached(threshold=share, at=self.calendar.add(start, max(needed, 0))))
            elif needed > worked and open_ended:
                self.ahead.append(self.calendar.add(start, needed))

    def _pass_deadline(self, start: datetime, end: datetime, *, open_ended: bool) -> None:
        needed = max(self.limit - self.elapsed, 0)
        # A fixed deadline that passed while the clock stood still counts from the moment it runs again.
        self.due_at = max(self.fixed_due, start) if self.fixed_due else self.calendar.add(start, needed)
        late_from = self.due_at if self.target.limit is Limit.UNDER else self.due_at + SECOND
        if end >= late_from:
            self.breached_at = self.due_at
        elif open_ended:
            self.ahead.append(late_from)


def _with_stops(segments: tuple[Segment, ...]) -> list[Segment]:
    """Fill the time between a stop and the reopening, which belongs to no segment."""
    if not segments:
        return []
    found = [segments[0]]
    for earlier, later in pairwise(segments):
        if earlier.end is not None and earlier.end < later.start:
            found.append(Segment(start=earlier.end, end=later.start, running=False, why="stopped"))
        found.append(later)
    return found
