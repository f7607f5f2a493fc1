"""What is judged of a change before it is decided: its classification and its risk."""

from __future__ import annotations

from uuid import UUID

from services.intake.domain.change_lifecycle import FourEyes, ReasonMissing, Rfc
from services.intake.domain.classification import classify
from services.intake.domain.priority import THREE_BY_THREE
from services.intake.domain.rfc import commands as ask
from services.intake.domain.rfc import events as past
from services.intake.domain.rfc.events import RfcEvent, RiskTerm
from services.intake.domain.risk import STANDARD_MODEL


def classified(command: ask.ClassifyRfc, state: Rfc, rfc_id: UUID) -> list[RfcEvent]:
    """File the change; another type than before needs a reason and voids votes."""
    retyped = command.change_type is not state.change_type
    if retyped and not command.type_reason:
        raise ReasonMissing(
            f"to make a {state.change_type} change a {command.change_type} one, say why", field="/type_reason"
        )
    facts = command.facts
    result = classify(facts, THREE_BY_THREE)
    return [
        past.RfcClassified(
            rfc_id=rfc_id,
            serial=state.serial,
            drafted_at=state.drafted_at or command.occurred_at,
            occurred_at=command.occurred_at,
            title=state.text.title,
            change_type=command.change_type,
            type_reason=command.type_reason,
            category=result.category,
            service=state.text.service,
            service_impact=facts.service_impact,
            new_service=facts.new_service,
            expected_risk=facts.expected_risk,
            initial_resources=facts.initial_resources,
            affected_services=command.affected_services,
            impact=facts.impact,
            urgency=facts.urgency,
            risk_of_not_accepting=facts.risk_of_not_accepting,
            urgency_counted=result.urgency_counted,
            priority=result.priority,
            rule=result.rule,
            policy_version=result.policy_version,
            revision=state.revision + 1 if retyped else state.revision,
        )
    ]


def assessed(command: ask.AssessRisk, state: Rfc, rfc_id: UUID) -> list[RfcEvent]:
    """Score the change; whoever asks for it cannot alone talk its risk down."""
    risk = STANDARD_MODEL.assess(command.answers)
    if (
        command.assessed_by == state.requester_id
        and state.risk_score is not None
        and risk.score < state.risk_score
    ):
        raise FourEyes(
            f"the requester cannot lower the risk from {state.risk_score} to {risk.score}",
            remedy="ask somebody else to assess it",
        )
    return [
        past.RiskAssessed(
            rfc_id=rfc_id,
            occurred_at=command.occurred_at,
            assessed_by=command.assessed_by,
            level=risk.level,
            score=risk.score,
            factors=tuple(RiskTerm(name=t.name, value=t.answer, points=t.points) for t in risk.terms),
            explanation=risk.explanation,
            model_version=risk.model_version,
            revision=state.revision,
        )
    ]
