"""What sla hears from intake: every fact about a request or RFC, taken as it is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydantic_core import to_jsonable_python

from services.sla.domain.record.commands import RecordFact
from services.sla.domain.record.decider import RECORD
from services.sla.domain.target import RecordKind
from shared.contracts.envelope import Contract
from shared.contracts.intake import RequestClosed, RequestFact, RequestHeld, RfcFact
from shared.eventsourcing.decider import made
from shared.eventsourcing.log import Step, Unit
from shared.messaging.message import Heard, Subscription
from shared.runtime.ids import uuid_of

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
    envelope, contract = heard
    form = _form(type(contract))
    if form is None:
        return ()
    fact = {
        "key": str(envelope.id),
        "kind": form.fact,
        "record": form.record,
        "happened_at": contract.occurred_at,
        "historic": contract.historic,
        "attributes": {
            name: value if type(value) is str else _text(value)
            for name, value in zip(form.kept, map(vars(contract).__getitem__, form.kept), strict=True)
            if value is not None
        },
    }
    # Before the first thing that is said of a record nothing can have been heard of it.
    begins = envelope.sequence == 1
    step = Step(RECORD, uuid_of(envelope.subject), made(RecordFact, fact), new=begins)
    return (Unit((step,), heard.meta),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How the facts of one contract are taken."""

    fact: str
    record: RecordKind
    kept: tuple[str, ...]


@lru_cache
def _form(contract: type[Contract]) -> _Form | None:
    if issubclass(contract, RequestFact):
        record = RecordKind.REQUEST
    elif issubclass(contract, RfcFact):
        record = RecordKind.RFC
    else:
        return None
    kept = (*KEPT, "reason") if issubclass(contract, RequestHeld | RequestClosed) else KEPT
    return _Form(
        fact=contract.TYPE.removeprefix("plumbline.").rpartition(".v")[0],
        record=record,
        kept=tuple(name for name in kept if name in contract.model_fields),
    )


def _text(value: object) -> str:
    """Return a value as the contract's JSON shows it."""
    if isinstance(value, int):
        return str(value).lower()  # true and false
    return str(to_jsonable_python(value))


SUBSCRIPTIONS = (Subscription(source="intake", topics=(RequestFact.TOPIC, RfcFact.TOPIC), handle=hear),)
