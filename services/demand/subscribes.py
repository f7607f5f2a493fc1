"""What demand hears: public contract -> own command; facts are recorded, never refused."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from services.demand.domain.demand_ledger import commands as ledger
from services.demand.domain.demand_ledger.decider import DEMAND_LEDGER
from shared.contracts import intake, sla
from shared.eventsourcing.log import Step, Unit
from shared.messaging.message import Heard, Subscription


def hear_intake(heard: Heard) -> Sequence[Unit]:
    """Count requests and RFCs as demand, and follow them to the service they are judged to be for."""
    match heard.contract:
        case intake.RequestSubmitted() as said:
            return _unit(
                heard,
                said.request_id,
                ledger.HearRequest(
                    request_id=said.request_id,
                    kind=said.kind,
                    service=said.service or "",
                    business_unit=said.business_unit,
                    units=said.units,
                    submitted_at=said.occurred_at,
                    historic=said.historic,
                ),
            )
        case intake.RequestTriaged() as said:
            return _judged(heard, said.request_id, said.service)
        case intake.RfcSubmitted() as said:
            return _unit(
                heard,
                said.rfc_id,
                ledger.HearRfc(
                    rfc_id=said.rfc_id,
                    request_id=said.request_id,
                    change_type=said.change_type,
                    service=said.service,
                    submitted_at=said.occurred_at,
                    historic=said.historic,
                ),
            )
        case intake.RfcClassified() as said:
            return _judged(heard, said.rfc_id, said.service)
        case _:
            return ()


def hear_sla(heard: Heard) -> Sequence[Unit]:
    """Count broken promises where the record they were made for counts."""
    match heard.contract:
        case sla.SlaBreached() as said:
            breach = ledger.HearBreach(
                clock_id=said.clock_id,
                target=said.target,
                breached_at=said.occurred_at,
                historic=said.historic,
            )
            return _unit(heard, said.record_id, breach)
        case sla.SlaBreachWithdrawn() as said:
            withdrawn = ledger.HearBreachWithdrawn(
                clock_id=said.clock_id, withdrawn_at=said.occurred_at, historic=said.historic
            )
            return _unit(heard, said.record_id, withdrawn)
        case _:
            return ()


def _judged(heard: Heard, record_id: UUID, service: str | None) -> tuple[Unit, ...]:
    """Follow a judgement that names a service; a blank one says nothing new."""
    if not service:
        return ()
    said = heard.contract
    command = ledger.HearService(service=service, judged_at=said.occurred_at, historic=said.historic)
    return _unit(heard, record_id, command)


def _unit(heard: Heard, record_id: UUID, command: ledger.Command) -> tuple[Unit]:
    step = Step(decider=DEMAND_LEDGER, stream_id=record_id, command=command)
    return (Unit(steps=(step,), meta=heard.meta),)


SUBSCRIPTIONS = (
    Subscription(
        source="intake", topics=(intake.RequestFact.TOPIC, intake.RfcFact.TOPIC), handle=hear_intake
    ),
    Subscription(source="sla", topics=(sla.ClockFact.TOPIC,), handle=hear_sla),
)
