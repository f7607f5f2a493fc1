"""What intake tells others: stored event -> public contract; people appear as ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from services.intake.domain.people import person_id
from services.intake.domain.request import events as request
from services.intake.domain.rfc import events as rfc
from shared.contracts import intake as contracts
from shared.contracts.envelope import Contract
from shared.contracts.told import Told, tell
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.publishing import Publisher
from shared.runtime.ids import human_number

REQUESTS = contracts.RequestFact.TOPIC
RFCS = contracts.RfcFact.TOPIC


def _told(contract: type[Contract]) -> Callable[[Recorded], Told]:
    """Make the mapping of an event whose public fields have the same names and values."""
    return lambda recorded: tell(contract, recorded.event)


def _submitted(recorded: Recorded) -> Told:
    event: request.RequestSubmitted = recorded.event
    number = human_number("REQ", recorded.recorded_at, event.serial)
    return tell(contracts.RequestSubmitted, event, number=number)


def _assigned(recorded: Recorded) -> Told:
    event: request.RequestAssigned = recorded.event
    assignee = str(person_id(event.assignee)) if event.assignee else None
    return tell(contracts.RequestAssigned, event, assignee=assignee)


def _rfc_number(drafted_at: datetime, serial: int) -> str:
    """Return the RFC's number, made when it was drafted, which is recorded at once."""
    return human_number("RFC", drafted_at, serial)


def _rfc_submitted(recorded: Recorded) -> Told:
    event: rfc.RfcSubmitted = recorded.event
    return tell(
        contracts.RfcSubmitted,
        event,
        number=_rfc_number(event.drafted_at, event.serial),
        title=event.text.title,
        service=event.text.service,
        business_impact=event.text.business_impact,
        risk_of_not_accepting=event.text.risk_of_not_accepting,
        reason=event.text.reason,
        needed_by=event.text.needed_by,
    )


def _classified(recorded: Recorded) -> Told:
    event: rfc.RfcClassified = recorded.event
    number = _rfc_number(event.drafted_at, event.serial)
    return tell(contracts.RfcClassified, event, number=number, urgency=event.urgency_counted)


def _assessed(recorded: Recorded) -> Told:
    event: rfc.RiskAssessed = recorded.event
    factors = [{"name": t.name, "value": t.value, "points": t.points} for t in event.factors]
    return tell(contracts.RfcRiskAssessed, event, factors=factors)


_MAPPINGS: dict[type, tuple[str, Callable[[Recorded], Told]]] = {
    request.RequestSubmitted: (REQUESTS, _submitted),
    request.RequestTriaged: (REQUESTS, _told(contracts.RequestTriaged)),
    request.RequestAccepted: (REQUESTS, _told(contracts.RequestAccepted)),
    request.RequestRejected: (REQUESTS, _told(contracts.RequestRejected)),
    request.RequestAssigned: (REQUESTS, _assigned),
    request.RequestHeld: (REQUESTS, _told(contracts.RequestHeld)),
    request.RequestResumed: (REQUESTS, _told(contracts.RequestResumed)),
    request.RequestResponded: (REQUESTS, _told(contracts.RequestResponded)),
    request.ContactReceived: (REQUESTS, _told(contracts.RequestContactReceived)),
    request.RequestReprioritised: (REQUESTS, _told(contracts.RequestReprioritised)),
    request.RequestFulfilled: (REQUESTS, _told(contracts.RequestFulfilled)),
    request.RequestReopened: (REQUESTS, _told(contracts.RequestReopened)),
    request.RequestClosed: (REQUESTS, _told(contracts.RequestClosed)),
    request.RequestWithdrawn: (REQUESTS, _told(contracts.RequestWithdrawn)),
    request.RequestConverted: (REQUESTS, _told(contracts.RequestConverted)),
    rfc.RfcSubmitted: (RFCS, _rfc_submitted),
    rfc.RfcClassified: (RFCS, _classified),
    rfc.RiskAssessed: (RFCS, _assessed),
    rfc.RfcApproved: (RFCS, _told(contracts.RfcApproved)),
    rfc.RfcRejected: (RFCS, _told(contracts.RfcRejected)),
    rfc.RfcDeferred: (RFCS, _told(contracts.RfcDeferred)),
    rfc.RfcScheduled: (RFCS, _told(contracts.RfcScheduled)),
    rfc.ImplementationStarted: (RFCS, _told(contracts.RfcImplementationStarted)),
    rfc.RfcImplemented: (RFCS, _told(contracts.RfcImplemented)),
    rfc.RfcClosed: (RFCS, _told(contracts.RfcClosed)),
    rfc.RfcCancelled: (RFCS, _told(contracts.RfcCancelled)),
}


def publish(recorded: Recorded) -> Told:
    """Return the public form of an event that `PUBLISHER` names."""
    _, mapping = _MAPPINGS[type(recorded.event)]
    return mapping(recorded)


PUBLISHER = Publisher(
    source="/intake", topics={kind: topic for kind, (topic, _) in _MAPPINGS.items()}, publish=publish
)
