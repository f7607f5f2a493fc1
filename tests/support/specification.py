"""Decider tests read as given, when, then: what happened, what is asked, what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest

from shared.eventsourcing.decider import Decider, Rejected

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Specification(Generic[C, S, E]):
    """One scenario: `specify(REQUEST).given(*events).when(command).then(*events)`."""

    decider: Decider[C, S, E]
    past: tuple[E, ...] = ()
    asked: tuple[C, ...] = ()

    def given(self, *events: E) -> Specification[C, S, E]:
        return Specification(self.decider, (*self.past, *events))

    def when(self, *commands: C) -> Specification[C, S, E]:
        """Ask these commands one after the other; the verdict is on the last one."""
        return Specification(self.decider, self.past, (*self.asked, *commands))

    def events(self) -> list[E]:
        """Return what the last command yields, having folded it to prove that `evolve` takes it."""
        state = self.decider.fold(self.past)
        decided: list[E] = []
        for command in self.asked:
            decided = list(self.decider.decide(command, state))
            state = self.decider.fold(decided, state)
        return decided

    def then(self, *expected: E) -> None:
        assert self.events() == list(expected)

    def then_nothing(self) -> None:
        assert self.events() == []

    def then_rejected(self, refusal: type[Rejected], field: str = "") -> Rejected:
        """Check the refusal's class (and, when given, the field it blames); return it for its words."""
        with pytest.raises(Rejected) as caught:
            self.events()
        assert type(caught.value) is refusal, f"refused by {caught.value.code}: {caught.value}"
        assert not field or caught.value.field == field
        return caught.value


def specify(decider: Decider[Any, Any, Any]) -> Specification[Any, Any, Any]:
    return Specification(decider)
