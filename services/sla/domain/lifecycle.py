"""From a record's facts to the stretches in which a target's clock ran or paused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.sla.domain.target import Fact, OnChange, Target, any_holds, matches

NO_LONGER_APPLIES = "the target no longer applies"


class ClockState(StrEnum):
    """Where a clock stands; a breach is a fact beside it."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    CANCELLED = "cancelled"


LIVE = frozenset({ClockState.RUNNING, ClockState.PAUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Time in one state, whole seconds; `end` None: until now. `why` is the fact that began it."""

    start: datetime
    end: datetime | None
    running: bool
    why: str


@dataclass(slots=True, kw_only=True)
class Run:
    """One clock's life while its record's facts are read; `key` is that of the fact that began it."""

    key: str
    started_at: datetime
    anchor_at: datetime
    segments: list[Segment]
    state: ClockState = ClockState.RUNNING
    ended_at: datetime | None = None
    reason: str = ""

    def copy(self, key: str) -> Run:
        """Return the same life under another key."""
        return Run(
            key=key,
            started_at=self.started_at,
            anchor_at=self.anchor_at,
            segments=list(self.segments),
            state=self.state,
        )

    def hear(self, fact: Fact, target: Target) -> None:
        """Pause, resume, end or reopen as the target's conditions say."""
        at = whole_second(fact.occurred_at)
        if self.state is ClockState.MET and any_holds(target.reopen, fact):
            self._turn(ClockState.RUNNING, at, fact)
            self.ended_at = None
        elif self.state not in LIVE:
            return
        elif any_holds(target.stop, fact):
            self._end(ClockState.MET, at, fact.kind)
        elif any_holds(target.cancel, fact):
            self._end(ClockState.CANCELLED, at, fact.kind)
        elif any_holds(target.pause, fact):
            if self.state is ClockState.RUNNING:
                self._turn(ClockState.PAUSED, at, fact)
        elif self.state is ClockState.PAUSED and any_holds(target.resume, fact):
            self._turn(ClockState.RUNNING, at, fact)

    def cancel(self, fact: Fact) -> None:
        """End it because the record changed and the target no longer fits."""
        self._end(ClockState.CANCELLED, whole_second(fact.occurred_at), NO_LONGER_APPLIES)

    def _turn(self, state: ClockState, at: datetime, fact: Fact) -> None:
        self._close(at)
        running = state is ClockState.RUNNING
        self.segments.append(Segment(start=at, end=None, running=running, why=_told(fact)))
        self.state = state

    def _end(self, state: ClockState, at: datetime, reason: str) -> None:
        self._close(at)
        self.state, self.ended_at, self.reason = state, at, reason

    def _close(self, at: datetime) -> None:
        last = self.segments[-1]
        if last.end is None:
            self.segments[-1] = Segment(start=last.start, end=at, running=last.running, why=last.why)


def runs(target: Target, facts: Iterable[Fact]) -> list[Run]:
    """Read the facts in the order in which they happened; return every clock the target began."""
    reading = _Reading(target)
    for fact in sorted(facts, key=lambda each: each.occurred_at):
        reading.hear(fact)
    return reading.runs


def whole_second(moment: datetime) -> datetime:
    """Cut an instant to the second: clocks count whole ones."""
    return moment.replace(microsecond=0)


def attributes_of(facts: Sequence[Fact]) -> dict[str, str]:
    """Return what was last told of the record, attribute by attribute."""
    told: dict[str, str] = {}
    for fact in sorted(facts, key=lambda each: each.occurred_at):
        told.update(fact.attributes)
    return told


@dataclass(slots=True)
class _Reading:
    """Where the reading of a record's facts stands.

    `whole` is the record's life as if the target had applied from its first start on: a target that comes to
    apply later either begins at that moment or takes this life over with its start and its pauses.
    """

    target: Target
    told: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    whole: Run | None = None

    def hear(self, fact: Fact) -> None:
        self.told.update(fact.attributes)
        for run in self.runs:
            run.hear(fact, self.target)
        begins = self._begins(fact)
        if self.whole is not None and not (begins and self.whole.state is ClockState.CANCELLED):
            self.whole.hear(fact, self.target)
        elif begins:
            self.whole = self._run(fact)
        if not matches(self.target.applies, self.told):
            for run in self.runs:
                if run.state in LIVE:
                    run.cancel(fact)
        elif self.target.every:
            if begins:
                self.runs.append(self._run(fact))
        elif self._may_open():
            self.runs.append(self._opened(fact, at_start=begins))

    def _begins(self, fact: Fact) -> bool:
        target = self.target
        if not any_holds(target.start, fact) or any_holds(target.stop, fact):
            return False
        return not target.anchor or target.anchor in fact.attributes

    def _may_open(self) -> bool:
        if self.whole is None or self.whole.state not in LIVE:
            return False
        return all(run.state is ClockState.CANCELLED for run in self.runs)

    def _opened(self, fact: Fact, *, at_start: bool) -> Run:
        whole = self.whole
        if at_start or whole is None:
            return self._run(fact)
        if self.target.on_change is OnChange.KEEP_START:
            return whole.copy(fact.key)
        run = self._run(fact)
        if whole.state is ClockState.PAUSED:
            run.state = ClockState.PAUSED
            run.segments = [
                Segment(start=run.started_at, end=None, running=False, why=whole.segments[-1].why)
            ]
        return run

    def _run(self, fact: Fact) -> Run:
        at = whole_second(fact.occurred_at)
        anchor = fact.attributes.get(self.target.anchor) if self.target.anchor else None
        return Run(
            key=fact.key,
            started_at=at,
            anchor_at=datetime.fromisoformat(anchor) if anchor else at,
            segments=[Segment(start=at, end=None, running=True, why=_told(fact))],
        )


def _told(fact: Fact) -> str:
    reason = fact.attributes.get("reason", "")
    return f"{fact.kind} ({reason})" if reason else fact.kind
