"""Priority from impact and urgency by a complete, versioned matrix that explains itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType

from services.intake.domain.vocabulary import Level


class IncompleteMatrix(ValueError):
    """A matrix leaves a pair of impact and urgency without a priority, or gives one below 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Priority:
    """A priority (1 is the most pressing) and the rule that gave it."""

    value: int
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityMatrix:
    """Every pair of impact and urgency has its priority: completeness is checked when it is made."""

    name: str
    version: int
    cells: Mapping[tuple[Level, Level], int]
    _explained: Mapping[tuple[Level, Level], Priority] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wanted = set(product(Level, Level))
        if set(self.cells) != wanted or any(value < 1 for value in self.cells.values()):
            missing = sorted(f"{impact} x {urgency}" for impact, urgency in wanted - set(self.cells))
            raise IncompleteMatrix(
                f"matrix {self.name}: no valid priority for {', '.join(missing) or 'a cell'}"
            )

        object.__setattr__(self, "_explained", {pair: self._explain(*pair) for pair in self.cells})

    def priority(self, impact: Level, urgency: Level) -> Priority:
        """Return the priority of this pair with the sentence that explains it."""
        return self._explained[impact, urgency]

    def _explain(self, impact: Level, urgency: Level) -> Priority:
        value = self.cells[impact, urgency]
        rule = f"impact {impact} x urgency {urgency} = {value} by matrix {self.name} version {self.version}"
        return Priority(value=value, rule=rule)


_ROWS = {
    Level.HIGH: (1, 2, 3),
    Level.MEDIUM: (2, 3, 4),
    Level.LOW: (3, 4, 5),
}

THREE_BY_THREE = PriorityMatrix(
    name="3x3",
    version=1,
    cells=MappingProxyType(
        {
            (impact, urgency): value
            for impact, row in _ROWS.items()
            for urgency, value in zip((Level.HIGH, Level.MEDIUM, Level.LOW), row, strict=True)
        }
    ),
)
