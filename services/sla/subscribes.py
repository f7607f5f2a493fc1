"""What sla hears from intake: every fact about a request or RFC, taken as it is told."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.sla.domain.record.commands import RecordFact
from services.sla.domain.record.decider import RECORD
from services.sla.domain.target import RecordKind
from shared.contracts.intake import RequestClosed, RequestFact, RequestHeld, RfcFact
from shared.eventsourcing.log import Step, Unit
from shared.messaging.message import Heard, Subscription

# What conditions may ask for: judgements and categories, never free text about people.
KEPT = (
    "number",
    "kind",
    "business_unit",
    "source_type",
    "source_system",
    "service",
    "category",
    "impact",
    "urgency",
    "priority",
    "complete_outage",
    "units",
    "needed_by",
    "change_type",
    "channel",
    "human",
    "group",
    "to",
    "until",
    "level",
    "outcome",
)


def hear(heard: Heard) -> Sequence[Unit]:
    """Return the fact as a command for the record's own stream."""
    contract = heard.contract
    record_id, record = _record(heard)
    if record_id is None:
        return ()
    command = RecordFact(
        key=str(heard.envelope.id),
        kind=contract.TYPE.removeprefix("plumbline.").rpartition(".v")[0],
        record=record,
        happened_at=contract.occurred_at,
        historic=contract.historic,
        attributes=_attributes(heard),
    )
    step = Step(decider=RECORD, stream_id=record_id, command=command)
    return (Unit(steps=(step,), meta=heard.meta),)


def _record(heard: Heard) -> tuple[UUID | None, RecordKind]:
    match heard.contract:
        case RequestFact() as fact:
            return fact.request_id, RecordKind.REQUEST
        case RfcFact() as fact:
            return fact.rfc_id, RecordKind.RFC
        case _:
            return None, RecordKind.REQUEST


def _attributes(heard: Heard) -> dict[str, str]:
    contract = heard.contract
    kept = (*KEPT, "reason") if isinstance(contract, RequestHeld | RequestClosed) else KEPT
    told = contract.model_dump(mode="json", include=set(kept), exclude_none=True)
    return {name: _text(told[name]) for name in kept if name in told}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


SUBSCRIPTIONS = (Subscription(source="intake", topics=(RequestFact.TOPIC, RfcFact.TOPIC), handle=hear),)
