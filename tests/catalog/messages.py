"""Messages of the other services, for tests of what the catalog hears."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from shared.contracts import demand, sla
from shared.contracts.envelope import Contract, Envelope
from shared.messaging.message import Heard

NOW = datetime(2026, 6, 17, 8, 0, tzinfo=UTC)
PROJECT = UUID("0197f000-0000-7000-8000-000000000001")
SLA = UUID("0197f000-0000-7000-8000-000000000002")
RECORD = UUID("0197f000-0000-7000-8000-000000000003")

ENVELOPE = Envelope(
    id=UUID(int=1),
    source="/demand",
    type="",
    subject=str(PROJECT),
    time=NOW,
    recorded_at=NOW,
    topic="",
    partition=0,
    position=41,
    prev=0,
    incarnation=UUID(int=2),
    hash="0" * 64,
    sequence=1,
    correlationid="a conversation",
    actor="the board",
)

APPROVED = demand.ProjectApproved(
    occurred_at=NOW,
    project_id=PROJECT,
    number="CON-2026-000007",
    title="New desks",
    description="Desks that follow people",
    designation="sustaining",
    owner="Retail IT",
    team="Desktop engineering",
    service="Desktop Computing",
    new_service=True,
    decided_by="Project board",
)
IN_FORCE = sla.AgreementInForce(
    occurred_at=NOW,
    agreement_id=SLA,
    version=1,
    kind="sla",
    title="Desktop Computing Service",
    services=("Desktop Computing",),
    in_force_from=NOW,
)
TERMINATED = sla.AgreementTerminated(
    occurred_at=NOW, agreement_id=SLA, version=1, ends_at=NOW, reason="moved to another provider"
)
SUPERSEDED = sla.AgreementSuperseded(
    occurred_at=NOW, agreement_id=SLA, version=1, superseded_by=UUID(int=3), by_version=1, ends_at=NOW
)


def breached(clock: int) -> sla.SlaBreached:
    """Return the breach of one clock."""
    return sla.SlaBreached(
        occurred_at=NOW,
        clock_id=UUID(int=clock),
        record_id=RECORD,
        agreement_id=SLA,
        record="request",
        target="resolution",
        target_version=1,
        due_at=NOW,
        detected_at=NOW,
        elapsed_seconds=7200,
    )


def withdrawn(clock: int) -> sla.SlaBreachWithdrawn:
    """Return the withdrawal of one clock's breach."""
    return sla.SlaBreachWithdrawn(
        occurred_at=NOW,
        clock_id=UUID(int=clock),
        record_id=RECORD,
        agreement_id=SLA,
        record="request",
        target="resolution",
        target_version=1,
        reason="a holiday was missing",
    )


def heard(contract: Contract) -> Heard:
    """Return a contract as the consumer hands it over."""
    return Heard(envelope=ENVELOPE._replace(type=type(contract).TYPE), contract=contract)
