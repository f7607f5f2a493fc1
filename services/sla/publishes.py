"""What sla tells others: agreements in force, clocks and breaches."""

from __future__ import annotations

from typing import Any, assert_never

from services.sla.domain.agreement import events as agreement
from services.sla.domain.record import events as record
from services.sla.domain.terms import Terms
from shared.contracts import sla as contracts
from shared.contracts.told import Told, tell
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.publishing import Publisher

CLOCKS = contracts.ClockFact.TOPIC
AGREEMENTS = contracts.AgreementFact.TOPIC


_ClockEvent = (
    record.ClockAttached
    | record.ThresholdReached
    | record.ClockMet
    | record.ClockCancelled
    | record.ClockBreached
    | record.BreachWithdrawn
)
_AgreementEvent = (
    agreement.AgreementSigned
    | agreement.AgreementInForce
    | agreement.AgreementSuperseded
    | agreement.AgreementTerminated
)
_CLOCK_EVENTS = _ClockEvent.__args__
_AGREEMENT_EVENTS = _AgreementEvent.__args__


def publish(recorded: Recorded) -> Told:
    """Return the public form of a stored event; raises `LookupError` for one that is not public."""
    event = recorded.event
    if isinstance(event, _CLOCK_EVENTS):
        return tell(_of_clock(event), event, record_id=recorded.stream_id)
    if isinstance(event, _AGREEMENT_EVENTS):
        return _agreement(recorded, event)
    raise LookupError(f"{type(event).__name__} is not public")


def _of_clock(event: _ClockEvent) -> type[contracts.ClockFact]:
    match event:
        case record.ClockAttached():
            return contracts.ClockAttached
        case record.ThresholdReached():
            return contracts.ClockThresholdReached
        case record.ClockMet():
            return contracts.ClockMet
        case record.ClockCancelled():
            return contracts.ClockCancelled
        case record.ClockBreached():
            return contracts.SlaBreached
        case record.BreachWithdrawn():
            return contracts.SlaBreachWithdrawn
        case _:
            assert_never(event)


def _agreement(recorded: Recorded, event: _AgreementEvent) -> Told:
    agreement_id = recorded.stream_id
    match event:
        case agreement.AgreementSigned():
            return tell(contracts.AgreementSigned, event, agreement_id=agreement_id, **_terms(event.terms))
        case agreement.AgreementInForce():
            return tell(contracts.AgreementInForce, event, agreement_id=agreement_id, **_terms(event.terms))
        case agreement.AgreementSuperseded():
            return tell(contracts.AgreementSuperseded, event, agreement_id=agreement_id)
        case agreement.AgreementTerminated():
            return tell(contracts.AgreementTerminated, event, agreement_id=agreement_id)
        case _:
            assert_never(event)


def _terms(terms: Terms) -> dict[str, Any]:
    return {
        "kind": terms.kind,
        "title": terms.title,
        "services": terms.services,
        "in_force_from": terms.in_force_from,
        "in_force_until": terms.in_force_until,
    }


PUBLISHER = Publisher(
    source="/sla",
    topics=dict.fromkeys(_CLOCK_EVENTS, CLOCKS) | dict.fromkeys(_AGREEMENT_EVENTS, AGREEMENTS),
    publish=publish,
)
