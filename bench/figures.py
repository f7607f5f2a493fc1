"""What a benchmark found: a figure, its limit, their ratio, and what is asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the report.

    `ratio` is the figure over its limit; with `at_most` a smaller figure is better and the limit is the
    ratio's denominator all the same. `bar` must hold, `goal` is where we are going; both are ratios.
    """

    what: str
    unit: str
    figure: float
    limit_name: str
    limit: float
    bar: float | None = None
    goal: float | None = None
    at_most: bool = False
    p50: float | None = None  # milliseconds
    p99: float | None = None
    notes: Sequence[str] = field(default=())

    @property
    def ratio(self) -> float:
        return self.figure / self.limit if self.limit else 0.0

    @property
    def verdict(self) -> str:
        """Say whether bar and goal hold."""

        def holds(asked: float | None) -> bool:
            return asked is not None and (self.ratio <= asked if self.at_most else self.ratio >= asked)

        if self.bar is None and self.goal is None:
            return ""
        if holds(self.goal):
            return "goal"
        return "bar" if self.bar is None or holds(self.bar) else "MISSED"


def middle(values: Sequence[float]) -> float:
    """Return the median of the rounds."""
    return float(median(values))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; 0.99 for p99."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def show(figures: Sequence[Figure]) -> None:
    """Print the report."""
    out = Console(highlight=False, width=170)
    table = Table(title="Medians of interleaved rounds; every limit was measured in the same run")
    for name in ("what", "figure", "limit", "ratio", "bar", "goal", "p50 ms", "p99 ms", ""):
        table.add_column(name, justify="left" if name in ("what", "limit", "") else "right")
    for each in figures:
        sign = "<= " if each.at_most else ""
        table.add_row(
            each.what,
            f"{_number(each.figure)} {each.unit}",
            f"{_number(each.limit)} {each.limit_name}",
            f"{each.ratio:.3f}" if each.limit else "",
            f"{sign}{each.bar:g}" if each.bar is not None else "",
            f"{sign}{each.goal:g}" if each.goal is not None else "",
            f"{each.p50:.1f}" if each.p50 is not None else "",
            f"{each.p99:.1f}" if each.p99 is not None else "",
            each.verdict,
        )
    out.print(table)
    for each in figures:
        for note in each.notes:
            out.print(f"  {each.what}: {note}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"
