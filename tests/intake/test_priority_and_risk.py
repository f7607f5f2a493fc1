"""Matrices and risk models judge every change, and say how they came to it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.domain.classification import classify
from services.intake.domain.priority import THREE_BY_THREE, IncompleteMatrix, PriorityMatrix
from services.intake.domain.risk import STANDARD_MODEL, BadRiskModel, Band, Factor, RiskModel, UnknownAnswer
from services.intake.domain.vocabulary import ChangeCategory, Level
from tests.intake.builders import CALM, FACTS

HIGH, MEDIUM, LOW = Level


def test_the_three_by_three_preset_is_the_one_that_was_agreed() -> None:
    values = [THREE_BY_THREE.priority(impact, urgency).value for impact, urgency in product(Level, Level)]
    assert values == [1, 2, 3, 2, 3, 4, 3, 4, 5]


def test_a_matrix_with_a_hole_cannot_be_made() -> None:
    cells = {pair: 1 for pair in product(Level, Level) if pair != (HIGH, LOW)}
    with pytest.raises(IncompleteMatrix, match="high x low"):
        PriorityMatrix(name="holey", version=1, cells=cells)
    with pytest.raises(IncompleteMatrix):
        PriorityMatrix(name="zero", version=1, cells={**cells, (HIGH, LOW): 0})


@pytest.mark.parametrize(
    ("changes", "category"),
    [
        ({"new_service": True, "service_impact": HIGH}, ChangeCategory.NEW_SERVICE),
        ({"service_impact": HIGH, "expected_risk": HIGH}, ChangeCategory.SERVICE_IMPACT),
        ({"service_impact": MEDIUM, "expected_risk": HIGH}, ChangeCategory.RISK),
        ({"service_impact": MEDIUM}, ChangeCategory.SERVICE_IMPACT),
        ({"service_impact": LOW}, ChangeCategory.RESOURCES),
    ],
)
def test_a_change_is_filed_under_its_weightiest_fact(
    changes: dict[str, object], category: ChangeCategory
) -> None:
    assert classify(replace(FACTS, **changes), THREE_BY_THREE).category is category


@pytest.mark.parametrize(("urgency", "counted"), [(LOW, MEDIUM), (MEDIUM, HIGH), (HIGH, HIGH)])
def test_a_high_risk_of_not_accepting_raises_the_urgency_by_one_step(urgency: Level, counted: Level) -> None:
    result = classify(replace(FACTS, urgency=urgency, risk_of_not_accepting=HIGH), THREE_BY_THREE)
    assert result.urgency_counted is counted
    assert ("raised" in result.rule) is (urgency is not counted)


def test_a_risk_explains_every_term_of_its_score() -> None:
    risk = STANDARD_MODEL.assess(CALM | {"tested_back_out": "none"})
    assert (risk.score, risk.level) == (40, "medium")
    assert "tested_back_out none 20" in risk.explanation
    assert risk.explanation.endswith("= 40, which is medium (from 30), model version 1")


def test_a_question_the_model_does_not_ask_is_refused() -> None:
    with pytest.raises(UnknownAnswer, match="moon_phase"):
        STANDARD_MODEL.assess(CALM | {"moon_phase": "full"})
    with pytest.raises(UnknownAnswer, match="no answer 'sometimes'"):
        STANDARD_MODEL.assess(CALM | {"done_before": "sometimes"})


@given(st.fixed_dictionaries({f.name: st.sampled_from(sorted(f.degrees)) for f in STANDARD_MODEL.factors}))
def test_every_possible_change_has_exactly_one_level(answers: dict[str, str]) -> None:
    risk = STANDARD_MODEL.assess(answers)
    assert 0 <= risk.score <= 100
    assert risk.score == sum(term.points for term in risk.terms)
    reached = [band.level for band in STANDARD_MODEL.bands if band.least <= risk.score]
    assert risk.level == reached[-1]


LONE = Factor(name="size", weight=10, degrees=MappingProxyType({"small": 0, "large": 10}))


@pytest.mark.parametrize(
    ("factors", "bands"),
    [
        ((replace(LONE, weight=9),), (Band(level="low", least=0),)),
        ((replace(LONE, degrees={}),), (Band(level="low", least=0),)),
        ((replace(LONE, degrees={"huge": 11}),), (Band(level="low", least=0),)),
        ((LONE,), ()),
        ((LONE,), (Band(level="low", least=1),)),
        ((LONE,), (Band(level="low", least=0), Band(level="high", least=0))),
        ((LONE,), (Band(level="low", least=0), Band(level="high", least=101))),
    ],
)
def test_a_risk_model_with_gaps_cannot_be_made(factors: tuple[Factor, ...], bands: tuple[Band, ...]) -> None:
    with pytest.raises(BadRiskModel):
        RiskModel(version=1, factors=factors, bands=bands)
