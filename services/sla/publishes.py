"""What sla tells others: agreements in force, clocks and breaches."""

from __future__ import annotations

from typing import Any, assert_never

from services.sla.domain.agreement import events as agreement
from services.sla.domain.record import events as record
from services.sla.domain.terms import Terms
from shared.contracts import sla as contracts
from shared.contracts.envelope import Contract
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


def publish(recorded: Recorded) -> Contract:
    """Return the public form of a stored event; raises `LookupError` for one that is not public."""
    event = recorded.event
    if isinstance(event, _CLOCK_EVENTS):
        return _clock(recorded, event)
    if isinstance(event, _AGREEMENT_EVENTS):
        return _agreement(recorded, event)
    raise LookupError(f"{type(event).__name__} is not public")


def _clock(recorded: Recorded, event: _ClockEvent) -> Contract:
    told: dict[str, Any] = {
        "record_id": recorded.stream_id,
        "clock_id": event.clock_id,
        "record": event.record,
        "agreement_id": event.agreement_id,
        "target": event.target,
        "target_version": event.target_version,
        "occurred_at": event.occurred_at,
        "historic": event.historic,
    }
    match event:
        case record.ClockAttached():
            return contracts.ClockAttached(**told, due_at=event.due_at)
        case record.ThresholdReached():
            return contracts.ClockThresholdReached(**told, threshold=event.threshold, due_at=event.due_at)
        case record.ClockMet():
            return contracts.ClockMet(**told, late=event.late)
        case record.ClockCancelled():
            return contracts.ClockCancelled(**told, reason=event.reason)
        case record.ClockBreached():
            return contracts.SlaBreached(
                **told,
                due_at=event.due_at,
                detected_at=event.detected_at,
                elapsed_seconds=event.elapsed_seconds,
            )
        case record.BreachWithdrawn():
            return contracts.SlaBreachWithdrawn(**told, reason=event.reason)
        case _:
            assert_never(event)


def _agreement(recorded: Recorded, event: _AgreementEvent) -> Contract:
    told: dict[str, Any] = {
        "agreement_id": recorded.stream_id,
        "version": event.version,
        "occurred_at": event.occurred_at,
        "historic": event.historic,
    }
    match event:
        case agreement.AgreementSigned():
            return contracts.AgreementSigned(**told, **_terms(event.terms))
        case agreement.AgreementInForce():
            return contracts.AgreementInForce(**told, **_terms(event.terms))
        case agreement.AgreementSuperseded():
            return contracts.AgreementSuperseded(
                **told,
                superseded_by=event.superseded_by,
                by_version=event.by_version,
                ends_at=event.ends_at,
            )
        case agreement.AgreementTerminated():
            return contracts.AgreementTerminated(**told, ends_at=event.ends_at, reason=event.reason)
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
