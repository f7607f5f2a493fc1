"""Messages of intake and sla, for tests of what demand hears."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.contracts import intake, sla
from shared.contracts.envelope import Contract, Envelope
from shared.messaging.message import Heard

MAY = datetime(2026, 5, 17, 9, 0, tzinfo=UTC)
JULY = datetime(2026, 7, 2, 9, 0, tzinfo=UTC)


def heard(contract: Contract) -> Heard:
    """Return a contract as the consumer hands it over."""
    envelope = Envelope(
        id=UUID(int=1),
        source="/intake",
        type=type(contract).TYPE,
        subject="any",
        time=contract.occurred_at,
        recorded_at=JULY,
        topic=type(contract).TOPIC,
        partition=0,
        position=41,
        prev=0,
        incarnation=UUID(int=2),
        hash="0" * 64,
        sequence=1,
        correlationid="a conversation",
        actor="the desk",
    )
    return Heard(envelope=envelope, contract=contract)


def submitted(request_id: UUID, **changed: Any) -> intake.RequestSubmitted:
    """Return an incident of Retail Banking about Desktop Computing, unless told otherwise."""
    said: dict[str, Any] = {
        "occurred_at": MAY,
        "request_id": request_id,
        "number": "REQ-2026-000001",
        "kind": "incident",
        "requester_id": UUID(int=3),
        "business_unit": "Retail Banking",
        "channel": "portal",
        "source_type": "business_unit",
        "service": "Desktop Computing",
        "impact": "high",
        "urgency": "high",
        "priority": 2,
        "complete_outage": False,
        "units": 3,
    }
    return intake.RequestSubmitted.model_validate(said | changed)


def triaged(request_id: UUID, service: str) -> intake.RequestTriaged:
    """Return a judgement of what a request is for."""
    return intake.RequestTriaged.model_validate(
        {
            "occurred_at": JULY,
            "request_id": request_id,
            "service": service,
            "category": "mail",
            "impact": "high",
            "urgency": "high",
            "priority": 2,
        }
    )


def rfc(rfc_id: UUID) -> intake.RfcSubmitted:
    """Return an RFC for Desktop Computing."""
    return intake.RfcSubmitted(
        occurred_at=JULY,
        rfc_id=rfc_id,
        number="RFC-2026-000001",
        title="Newer desks",
        change_type="normal",
        service="Desktop Computing",
        business_impact="two hours without desks",
        risk_of_not_accepting="desks age",
        reason="support ends",
        requester_id=UUID(int=3),
    )


def breach(record_id: UUID, clock: int) -> dict[str, Any]:
    """Return what a breach and its withdrawal say alike."""
    return {
        "occurred_at": JULY,
        "clock_id": UUID(int=clock),
        "record_id": record_id,
        "record": "request",
        "agreement_id": UUID(int=4),
        "target": "resolution",
        "target_version": 1,
    }


def breached(record_id: UUID, clock: int) -> sla.SlaBreached:
    """Return the breach of a request's clock."""
    late = {"due_at": JULY, "detected_at": JULY, "elapsed_seconds": 7200}
    return sla.SlaBreached.model_validate(breach(record_id, clock) | late)


def withdrawn(record_id: UUID, clock: int) -> sla.SlaBreachWithdrawn:
    """Return the withdrawal of such a breach."""
    return sla.SlaBreachWithdrawn.model_validate(breach(record_id, clock) | {"reason": "a holiday"})
