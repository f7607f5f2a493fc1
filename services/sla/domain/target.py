"""A time target: when its clock starts and stops, and how long that may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from uuid import UUID


class Limit(StrEnum):
    """Whether the last instant still keeps the promise."""

    WITHIN = "within"
    UNDER = "under"


class Share(StrEnum):
    """How the promised percentage is meant."""

    AT_LEAST = "at_least"
    MORE_THAN = "more_than"


class OnChange(StrEnum):
    """What counts when a record comes under the target after it began."""

    RESTART = "restart"
    KEEP_START = "keep_start"


class RecordKind(StrEnum):
    """What a clock runs for."""

    REQUEST = "request"
    RFC = "rfc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something heard about a record. `kind` is such as request.held; `key` tells repeats apart."""

    key: str
    kind: str
    occurred_at: datetime
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Holds for a fact of this kind whose attributes have one of the listed values each."""

    fact: str
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def holds(self, fact: Fact) -> bool:
        """Tell whether the fact meets the condition."""
        return fact.kind == self.fact and matches(self.where, fact.attributes)


Conditions = tuple[Condition, ...]

DEFAULT_PAUSE = (Condition(fact="request.held", where={"reason": ("requester",)}),)
# Held for another reason is no longer held for the requester: the customer's clock runs on.
DEFAULT_RESUME = (
    Condition(fact="request.resumed"),
    Condition(fact="request.held", where={"reason": ("supplier", "problem", "evidence", "change")}),
)
DEFAULT_CANCEL = (
    Condition(fact="request.withdrawn"),
    Condition(fact="request.rejected"),
    Condition(fact="request.converted"),
    Condition(fact="rfc.cancelled"),
)
DEFAULT_REOPEN = (Condition(fact="request.reopened"),)
DEFAULT_THRESHOLDS = (50, 75, 90, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A promise about time. Exactly one of `seconds` (business seconds) and `business_days` is set.

    `words` is the agreement's own sentence. `applies` limits the records by what was last told of them.
    `share_percent` (a decimal string) of the records must keep it, per `period`. `business_days` end with the
    close of the n-th business day after the start, or after the instant that the attribute named `anchor` of
    the starting fact holds. `calendar_id` None counts round the clock. `every` starts a clock per start fact.
    """

    name: str
    words: str
    start: Conditions
    stop: Conditions
    seconds: int | None = None
    business_days: int | None = None
    anchor: str = ""
    limit: Limit = Limit.WITHIN
    share_percent: str = "100"
    share: Share = Share.AT_LEAST
    period: str = ""
    calendar_id: UUID | None = None
    record: RecordKind = RecordKind.REQUEST
    applies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    pause: Conditions = DEFAULT_PAUSE
    resume: Conditions = DEFAULT_RESUME
    cancel: Conditions = DEFAULT_CANCEL
    reopen: Conditions = DEFAULT_REOPEN
    thresholds: tuple[int, ...] = DEFAULT_THRESHOLDS
    on_change: OnChange = OnChange.RESTART
    every: bool = False


def matches(wanted: Mapping[str, tuple[str, ...]], told: Mapping[str, str]) -> bool:
    """Tell whether every wanted attribute has one of its values; nothing wanted matches all."""
    return all(told.get(name) in values for name, values in wanted.items())


def any_holds(conditions: Conditions, fact: Fact) -> bool:
    """Tell whether one of the conditions holds for the fact."""
    return any(condition.holds(fact) for condition in conditions)


def faults(target: Target) -> list[str]:
    """Say what is wrong with a target, in words; empty when a clock can run on it."""
    found: list[str] = []
    if not target.start or not target.stop:
        found.append("a target says what starts and what stops its clock")
    if (target.seconds is None) == (target.business_days is None):
        found.append("a target is either a number of seconds or a number of business days")
    if min(target.seconds or 1, target.business_days or 1) < 1:
        found.append("a promised time is at least one second or one day")
    if target.business_days is not None and target.calendar_id is None:
        found.append("business days need a calendar")
    if target.business_days is not None and target.pause:
        found.append("a target in business days ends on a date and cannot pause")
    if target.every and target.reopen:
        found.append("a clock for every start is not reopened")
    if target.anchor and target.business_days is None:
        found.append("an anchor date belongs to a target in business days")
    if any(threshold < 1 for threshold in target.thresholds):
        found.append("a threshold is a percentage from 1")
    if len(set(target.thresholds)) != len(target.thresholds):
        found.append("a threshold is named once")
    return found + _share_faults(target.share_percent)


def _share_faults(percent: str) -> list[str]:
    try:
        value = Decimal(percent)
    except InvalidOperation:
        return [f"{percent!r} is not a percentage"]
    return [] if Decimal(0) < value <= Decimal(100) else [f"{percent} is not a percentage above 0 up to 100"]
