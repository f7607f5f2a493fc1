"""What intake tells others: stored event -> public contract; people appear as ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.intake.domain.people import person_id
from services.intake.domain.request import events as request
from services.intake.domain.rfc import events as rfc
from shared.contracts import intake as contracts
from shared.contracts.envelope import Contract
from shared.contracts.told import Told, tell
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.publishing import Publisher
from shared.runtime.ids import human_number

_CONTRACTS: dict[type, type[Contract]] = {
    request.RequestSubmitted: contracts.RequestSubmitted,
    request.RequestTriaged: contracts.RequestTriaged,
    request.RequestAccepted: contracts.RequestAccepted,
    request.RequestRejected: contracts.RequestRejected,
    request.RequestAssigned: contracts.RequestAssigned,
    request.RequestHeld: contracts.RequestHeld,
    request.RequestResumed: contracts.RequestResumed,
    request.RequestResponded: contracts.RequestResponded,
    request.ContactReceived: contracts.RequestContactReceived,
    request.RequestReprioritised: contracts.RequestReprioritised,
    request.RequestFulfilled: contracts.RequestFulfilled,
    request.RequestReopened: contracts.RequestReopened,
    request.RequestClosed: contracts.RequestClosed,
    request.RequestWithdrawn: contracts.RequestWithdrawn,
    request.RequestConverted: contracts.RequestConverted,
    rfc.RfcSubmitted: contracts.RfcSubmitted,
    rfc.RfcClassified: contracts.RfcClassified,
    rfc.RiskAssessed: contracts.RfcRiskAssessed,
    rfc.RfcApproved: contracts.RfcApproved,
    rfc.RfcRejected: contracts.RfcRejected,
    rfc.RfcDeferred: contracts.RfcDeferred,
    rfc.RfcScheduled: contracts.RfcScheduled,
    rfc.ImplementationStarted: contracts.RfcImplementationStarted,
    rfc.RfcImplemented: contracts.RfcImplemented,
    rfc.RfcClosed: contracts.RfcClosed,
    rfc.RfcCancelled: contracts.RfcCancelled,
}


def publish(recorded: Recorded) -> Told:
    """Return the public form of an event that `PUBLISHER` names."""
    event = recorded.event
    otherwise = _OTHERWISE.get(type(event))
    return tell(_CONTRACTS[type(event)], event, **(otherwise(recorded) if otherwise else {}))


def _submitted(recorded: Recorded) -> dict[str, Any]:
    return {"number": human_number("REQ", recorded.recorded_at, recorded.event.serial)}


def _assigned(recorded: Recorded) -> dict[str, Any]:
    event: request.RequestAssigned = recorded.event
    return {"assignee": str(person_id(event.assignee)) if event.assignee else None}


def _rfc_number(drafted_at: datetime, serial: int) -> str:
    """Return the RFC's number, made when it was drafted, which is recorded at once."""
    return human_number("RFC", drafted_at, serial)


def _rfc_submitted(recorded: Recorded) -> dict[str, Any]:
    event: rfc.RfcSubmitted = recorded.event
    return {
        "number": _rfc_number(event.drafted_at, event.serial),
        "title": event.text.title,
        "service": event.text.service,
        "business_impact": event.text.business_impact,
        "risk_of_not_accepting": event.text.risk_of_not_accepting,
        "reason": event.text.reason,
        "needed_by": event.text.needed_by,
    }


def _classified(recorded: Recorded) -> dict[str, Any]:
    event: rfc.RfcClassified = recorded.event
    return {"number": _rfc_number(event.drafted_at, event.serial), "urgency": event.urgency_counted}


def _assessed(recorded: Recorded) -> dict[str, Any]:
    event: rfc.RiskAssessed = recorded.event
    return {"factors": [{"name": t.name, "value": t.value, "points": t.points} for t in event.factors]}


# What a contract says otherwise than its event, or what the event does not say; all else has the same names.
_OTHERWISE: dict[type, Callable[[Recorded], dict[str, Any]]] = {
    request.RequestSubmitted: _submitted,
    request.RequestAssigned: _assigned,
    rfc.RfcSubmitted: _rfc_submitted,
    rfc.RfcClassified: _classified,
    rfc.RiskAssessed: _assessed,
}

PUBLISHER = Publisher(
    source="/intake",
    topics={kind: contract.TOPIC for kind, contract in _CONTRACTS.items()},
    publish=publish,
)
