"""Targets as they are written in requests, with the conditions that most agreements share."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.sla.domain.target import (
    DEFAULT_CANCEL,
    DEFAULT_PAUSE,
    DEFAULT_REOPEN,
    DEFAULT_RESUME,
    DEFAULT_THRESHOLDS,
    Condition,
    Conditions,
    Limit,
    OnChange,
    RecordKind,
    Share,
    Target,
)
from shared.http.validation import Body

Word = Annotated[str, Field(min_length=1, max_length=100)]
Values = Annotated[list[Word], Field(min_length=1, max_length=50)]


class ConditionBody(Body):
    """Holds for a fact such as request.held whose attributes have one of these values each."""

    fact: Word = Field(examples=["request.held"])
    where: dict[Word, Values] = Field(default={}, max_length=20, examples=[{"reason": ["requester"]}])

    def condition(self) -> Condition:
        return Condition(fact=self.fact, where=_values(self.where))


ConditionsBody = Annotated[list[ConditionBody], Field(max_length=20)]


class TargetBody(Body):
    """A promise about time; conditions left out are the usual ones."""

    name: Word = Field(description="unique in the agreement")
    words: str = Field(max_length=2000, description="the agreement's own sentence")
    record: RecordKind = RecordKind.REQUEST
    applies: dict[Word, Values] = Field(default={}, max_length=20)
    start: ConditionsBody
    stop: ConditionsBody
    pause: ConditionsBody | None = Field(default=None, description="default: held for the requester")
    resume: ConditionsBody | None = None
    cancel: ConditionsBody | None = None
    reopen: ConditionsBody | None = None
    seconds: int | None = Field(default=None, ge=1, le=10**9, description="business seconds")
    business_days: int | None = Field(default=None, ge=1, le=1000)
    anchor: str = Field(default="", max_length=100)
    limit: Limit = Limit.WITHIN
    share_percent: str = Field(default="100", max_length=10)
    share: Share = Share.AT_LEAST
    period: str = Field(default="", max_length=100)
    calendar_id: UUID | None = Field(default=None, description="none: round the clock")
    thresholds: list[int] = Field(default=list(DEFAULT_THRESHOLDS), max_length=20)
    on_change: OnChange = OnChange.RESTART
    every: bool = Field(default=False, description="a clock for every start, such as each contact")

    def target(self) -> Target:
        pausable = self.business_days is None
        return Target(
            name=self.name,
            words=self.words,
            record=self.record,
            applies=_values(self.applies),
            start=_or(self.start, ()),
            stop=_or(self.stop, ()),
            pause=_or(self.pause, DEFAULT_PAUSE if pausable else ()),
            resume=_or(self.resume, DEFAULT_RESUME),
            cancel=_or(self.cancel, DEFAULT_CANCEL),
            reopen=_or(self.reopen, () if self.every else DEFAULT_REOPEN),
            seconds=self.seconds,
            business_days=self.business_days,
            anchor=self.anchor,
            limit=self.limit,
            share_percent=self.share_percent,
            share=self.share,
            period=self.period,
            calendar_id=self.calendar_id,
            thresholds=tuple(self.thresholds),
            on_change=self.on_change,
            every=self.every,
        )


def _values(wanted: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values) for name, values in wanted.items()}


def _or(given: list[ConditionBody] | None, usual: Conditions) -> Conditions:
    return usual if given is None else tuple(each.condition() for each in given)
