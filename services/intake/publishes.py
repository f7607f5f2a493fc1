"""What intake tells others: stored event -> public contract; people appear as ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from services.intake.domain.people import person_id
from services.intake.domain.request import events as request
from services.intake.domain.rfc import events as rfc
from shared.contracts import intake as contracts
from shared.contracts.envelope import Contract
from shared.contracts.fields import RiskFactor
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.publishing import Publisher
from shared.runtime.ids import human_number

REQUESTS = contracts.RequestFact.TOPIC
RFCS = contracts.RfcFact.TOPIC


def _request(event: Any) -> dict[str, Any]:
    return {"request_id": event.request_id, "occurred_at": event.occurred_at, "historic": event.historic}


def _rfc(event: Any) -> dict[str, Any]:
    return {"rfc_id": event.rfc_id, "occurred_at": event.occurred_at, "historic": event.historic}


def _weight(event: Any) -> dict[str, Any]:
    return {"impact": event.impact, "urgency": event.urgency, "priority": event.priority}


def _submitted(recorded: Recorded) -> Contract:
    event: request.RequestSubmitted = recorded.event
    return contracts.RequestSubmitted(
        **_request(event),
        **_weight(event),
        number=human_number("REQ", recorded.recorded_at, event.serial),
        kind=event.kind,
        requester_id=event.requester_id,
        on_behalf_of_id=event.on_behalf_of_id,
        business_unit=event.business_unit,
        channel=event.channel,
        source_type=event.source_type,
        source_system=event.source_system,
        external_id=event.external_id,
        service=event.service,
        category=event.category,
        needed_by=event.needed_by,
        complete_outage=event.complete_outage,
        units=event.units,
        portfolio_item=event.portfolio_item,
    )


def _triaged(recorded: Recorded) -> Contract:
    event: request.RequestTriaged = recorded.event
    return contracts.RequestTriaged(
        **_request(event), **_weight(event), service=event.service, category=event.category
    )


def _assigned(recorded: Recorded) -> Contract:
    event: request.RequestAssigned = recorded.event
    return contracts.RequestAssigned(
        **_request(event),
        group=event.group,
        assignee=str(person_id(event.assignee)) if event.assignee else None,
    )


def _rfc_number(drafted_at: datetime, serial: int) -> str:
    """Return the RFC's number, made when it was drafted, which is recorded at once."""
    return human_number("RFC", drafted_at, serial)


def _rfc_submitted(recorded: Recorded) -> Contract:
    event: rfc.RfcSubmitted = recorded.event
    return contracts.RfcSubmitted(
        **_rfc(event),
        number=_rfc_number(event.drafted_at, event.serial),
        title=event.text.title,
        request_id=event.request_id,
        change_type=event.change_type,
        service=event.text.service,
        business_impact=event.text.business_impact,
        risk_of_not_accepting=event.text.risk_of_not_accepting,
        reason=event.text.reason,
        requester_id=event.requester_id,
        needed_by=event.text.needed_by,
    )


def _classified(recorded: Recorded) -> Contract:
    event: rfc.RfcClassified = recorded.event
    return contracts.RfcClassified(
        **_rfc(event),
        number=_rfc_number(event.drafted_at, event.serial),
        title=event.title,
        change_type=event.change_type,
        category=event.category,
        impact=event.impact,
        urgency=event.urgency_counted,
        priority=event.priority,
        service=event.service,
        affected_services=event.affected_services,
        initial_resources=event.initial_resources,
        rule=event.rule,
        policy_version=event.policy_version,
    )


def _assessed(recorded: Recorded) -> Contract:
    event: rfc.RiskAssessed = recorded.event
    return contracts.RfcRiskAssessed(
        **_rfc(event),
        level=event.level,
        score=event.score,
        factors=tuple(RiskFactor(name=t.name, value=t.value, points=t.points) for t in event.factors),
        model_version=event.model_version,
    )


def _same(
    contract: type[Contract], common: Callable[[Any], dict[str, Any]], *fields: str
) -> Callable[[Recorded], Contract]:
    """Make the mapping of an event whose public fields have the same names and values."""

    def publish(recorded: Recorded) -> Contract:
        event = recorded.event
        values = {name: getattr(event, name) for name in fields}
        public = {name: str(value) if isinstance(value, UUID) else value for name, value in values.items()}
        return contract(**common(event), **public)

    return publish


_MAPPINGS: dict[type, tuple[str, Callable[[Recorded], Contract]]] = {
    request.RequestSubmitted: (REQUESTS, _submitted),
    request.RequestTriaged: (REQUESTS, _triaged),
    request.RequestAccepted: (REQUESTS, _same(contracts.RequestAccepted, _request)),
    request.RequestRejected: (REQUESTS, _same(contracts.RequestRejected, _request, "reason")),
    request.RequestAssigned: (REQUESTS, _assigned),
    request.RequestHeld: (REQUESTS, _same(contracts.RequestHeld, _request, "reason")),
    request.RequestResumed: (REQUESTS, _same(contracts.RequestResumed, _request)),
    request.RequestResponded: (REQUESTS, _same(contracts.RequestResponded, _request, "human", "channel")),
    request.ContactReceived: (REQUESTS, _same(contracts.RequestContactReceived, _request, "channel")),
    request.RequestReprioritised: (
        REQUESTS,
        lambda recorded: contracts.RequestReprioritised(
            **_request(recorded.event), **_weight(recorded.event)
        ),
    ),
    request.RequestFulfilled: (REQUESTS, _same(contracts.RequestFulfilled, _request)),
    request.RequestReopened: (REQUESTS, _same(contracts.RequestReopened, _request)),
    request.RequestClosed: (REQUESTS, _same(contracts.RequestClosed, _request, "reason")),
    request.RequestWithdrawn: (REQUESTS, _same(contracts.RequestWithdrawn, _request)),
    request.RequestConverted: (REQUESTS, _same(contracts.RequestConverted, _request, "to", "target_id")),
    rfc.RfcSubmitted: (RFCS, _rfc_submitted),
    rfc.RfcClassified: (RFCS, _classified),
    rfc.RiskAssessed: (RFCS, _assessed),
    rfc.RfcApproved: (RFCS, _same(contracts.RfcApproved, _rfc, "decided_by", "revision")),
    rfc.RfcRejected: (RFCS, _same(contracts.RfcRejected, _rfc, "reason")),
    rfc.RfcDeferred: (RFCS, _same(contracts.RfcDeferred, _rfc, "until", "reason")),
    rfc.RfcScheduled: (RFCS, _same(contracts.RfcScheduled, _rfc, "starts_at", "ends_at")),
    rfc.ImplementationStarted: (RFCS, _same(contracts.RfcImplementationStarted, _rfc)),
    rfc.RfcImplemented: (RFCS, _same(contracts.RfcImplemented, _rfc, "outcome")),
    rfc.RfcClosed: (RFCS, _same(contracts.RfcClosed, _rfc, "outcome")),
    rfc.RfcCancelled: (RFCS, _same(contracts.RfcCancelled, _rfc, "reason")),
}


def publish(recorded: Recorded) -> Contract:
    """Return the public form of an event that `PUBLISHER` names."""
    _, mapping = _MAPPINGS[type(recorded.event)]
    return mapping(recorded)


PUBLISHER = Publisher(
    source="/intake", topics={kind: topic for kind, (topic, _) in _MAPPINGS.items()}, publish=publish
)
