"""The risk of making a change: versioned weighted factors, a score, bands without a gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from shared.eventsourcing.decider import Unprocessable

MOST = 10  # the highest degree an answer can have


class BadRiskModel(ValueError):
    """A risk model whose weights or bands cannot judge every change."""


class UnknownAnswer(Unprocessable):
    """A factor was given an answer that the risk model does not know, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One question about a change. `degrees` maps each possible answer to 0 (harmless) .. 10 (worst)."""

    name: str
    weight: int
    degrees: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Scores from `least` up to the next band's `least` have this level."""

    level: str
    least: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What one factor adds: `points` = weight x degree of `answer`."""

    name: str
    answer: str
    points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """A level, the score behind it, the terms of that sum and the sentence that explains it."""

    level: str
    score: int
    terms: tuple[Term, ...]
    explanation: str
    model_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskModel:
    """Weighted factors and bands. Weights add up to 10, so that scores run from 0 to 100.

    Bands start at 0 and rise strictly: every score from 0 to 100 has exactly one level.
    """

    version: int
    factors: tuple[Factor, ...]
    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        if sum(factor.weight for factor in self.factors) != MOST:
            raise BadRiskModel("the factors' weights must add up to 10")
        for factor in self.factors:
            if factor.weight < 1 or not factor.degrees:
                raise BadRiskModel(f"factor {factor.name} needs a weight and answers")
            if any(not 0 <= degree <= MOST for degree in factor.degrees.values()):
                raise BadRiskModel(f"factor {factor.name}: degrees run from 0 to {MOST}")
        if not self.bands or self.bands[0].least != 0:
            raise BadRiskModel("the lowest band must start at 0")
        if any(upper.least <= lower.least for lower, upper in pairwise(self.bands)):
            raise BadRiskModel("bands must rise strictly")
        if self.bands[-1].least > MOST * MOST:
            raise BadRiskModel("the highest band is out of reach")

    def assess(self, answers: Mapping[str, str]) -> Risk:
        """Judge a change by its answers, one for every factor; raises `UnknownAnswer`."""
        extra = set(answers) - {factor.name for factor in self.factors}
        if extra:
            raise UnknownAnswer(f"the risk model has no factor {min(extra)}", field="/answers")
        terms = tuple(_term(factor, answers.get(factor.name)) for factor in self.factors)
        score = sum(term.points for term in terms)
        band = next(band for band in reversed(self.bands) if band.least <= score)
        sums = " + ".join(f"{term.name} {term.answer} {term.points}" for term in terms)
        explanation = (
            f"{sums} = {score}, which is {band.level} (from {band.least}), model version {self.version}"
        )
        return Risk(
            level=band.level, score=score, terms=terms, explanation=explanation, model_version=self.version
        )


def _term(factor: Factor, answer: str | None) -> Term:
    if answer is None or answer not in factor.degrees:
        known = ", ".join(factor.degrees)
        raise UnknownAnswer(
            f"factor {factor.name} has no answer {answer!r}"
            if answer
            else f"factor {factor.name} is unanswered",
            remedy=f"answer one of: {known}",
            field=f"/answers/{factor.name}",
        )
    return Term(name=factor.name, answer=answer, points=factor.weight * factor.degrees[answer])


def _factor(name: str, weight: int, **degrees: int) -> Factor:
    return Factor(name=name, weight=weight, degrees=MappingProxyType(degrees))


STANDARD_MODEL = RiskModel(
    version=1,
    factors=(
        _factor("service_criticality", 2, low=0, medium=4, high=7, critical=10),
        _factor("blast_radius", 2, one_component=0, one_service=4, several_services=8, everything=10),
        _factor("window", 1, maintenance=0, out_of_hours=4, support_hours=10),
        _factor("lead_time", 1, ample=0, short=5, none=10),
        _factor("tested_back_out", 2, tested=0, written=6, none=10),
        _factor("done_before", 1, often=0, once=4, never=10),
        _factor("open_incidents", 1, none=0, some=5, many=10),
    ),
    bands=(
        Band(level="low", least=0),
        Band(level="medium", least=30),
        Band(level="high", least=55),
        Band(level="very_high", least=80),
    ),
)
