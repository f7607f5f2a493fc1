"""Classifies a change by four facts and its priority by impact and urgency, with reasons."""

from __future__ import annotations

from dataclasses import dataclass

from services.intake.domain.priority import PriorityMatrix
from services.intake.domain.vocabulary import ChangeCategory, Level

POLICY_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known when a change is classified: four separate facts, then impact and urgency.

    `risk_of_not_accepting` is no change risk: it says how bad it is to leave things as they are.
    """

    service_impact: Level
    new_service: bool
    expected_risk: Level
    initial_resources: str
    impact: Level
    urgency: Level
    risk_of_not_accepting: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    category: ChangeCategory
    urgency_counted: Level
    priority: int
    rule: str
    policy_version: int


def classify(facts: Facts, matrix: PriorityMatrix) -> Classification:
    """File the change under its weightiest fact and give it a priority.

    A new service outweighs everything; then a high service impact; then a high risk; what is left is a
    question of resources. A high risk of not accepting raises the urgency by one step.
    """
    category, why = _category(facts)
    urgency, raised = _urgency(facts)
    priority = matrix.priority(facts.impact, urgency)
    return Classification(
        category=category,
        urgency_counted=urgency,
        priority=priority.value,
        rule=f"{category}: {why}; {raised}{priority.rule}",
        policy_version=POLICY_VERSION,
    )


def _category(facts: Facts) -> tuple[ChangeCategory, str]:
    if facts.new_service:
        return ChangeCategory.NEW_SERVICE, "it brings a new service"
    if facts.service_impact is Level.HIGH:
        return ChangeCategory.SERVICE_IMPACT, "service impact is high"
    if facts.expected_risk is Level.HIGH:
        return ChangeCategory.RISK, "expected risk is high"
    if facts.service_impact is Level.MEDIUM:
        return ChangeCategory.SERVICE_IMPACT, "service impact is medium and the expected risk is not high"
    return ChangeCategory.RESOURCES, "neither service nor risk decides"


def _urgency(facts: Facts) -> tuple[Level, str]:
    if facts.risk_of_not_accepting is Level.HIGH and facts.urgency is not Level.HIGH:
        raised = Level.HIGH if facts.urgency is Level.MEDIUM else Level.MEDIUM
        return raised, f"urgency {facts.urgency} raised to {raised} by a high risk of not accepting; "
    return facts.urgency, ""
