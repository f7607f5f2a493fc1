"""What the catalog hears: public contract -> own command, which records the fact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.catalog.domain.agreement import commands as agreement
from services.catalog.domain.agreement.decider import AGREEMENT
from services.catalog.domain.breach import commands as breach
from services.catalog.domain.breach.decider import BREACH
from services.catalog.domain.facts import service_id_of
from services.catalog.domain.service import commands as service
from services.catalog.domain.service.decider import SERVICE
from shared.contracts import demand, sla
from shared.eventsourcing.decider import AnyDecider
from shared.eventsourcing.log import Step, Unit
from shared.messaging.message import Heard, Subscription


def hear_demand(heard: Heard) -> Sequence[Unit]:
    """Bring the service of an approved project into the pipeline, or link it to the one there is."""
    match heard.contract:
        case demand.ProjectApproved() as said if said.service or said.new_service:
            name = said.service or said.title
            command = service.AdmitProject(
                service_id=service_id_of(name),
                service_name=name,
                project_id=said.project_id,
                number=said.number,
                title=said.title,
                description=said.description,
                designation=said.designation,
                owner=said.owner,
                team=said.team,
                new_service=said.new_service,
                approved_at=said.occurred_at,
                historic=said.historic,
            )
            return _unit(heard, SERVICE, command.service_id, command)
        case _:
            return ()


def hear_sla(heard: Heard) -> Sequence[Unit]:
    """Note agreements in force and breaches: they make a service's health."""
    match heard.contract:
        case sla.AgreementInForce() as said:
            command: Any = agreement.NoteInForce(
                agreement_id=said.agreement_id,
                version=said.version,
                kind=said.kind,
                title=said.title,
                services=said.services,
                starts_at=said.in_force_from,
                ends_at=said.in_force_until,
                noted_at=said.occurred_at,
                historic=said.historic,
            )
            return _unit(heard, AGREEMENT, said.agreement_id, command)
        case sla.AgreementSuperseded() | sla.AgreementTerminated() as said:
            command = agreement.NoteEnd(
                agreement_id=said.agreement_id,
                version=said.version,
                ends_at=said.ends_at,
                noted_at=said.occurred_at,
                historic=said.historic,
            )
            return _unit(heard, AGREEMENT, said.agreement_id, command)
        case _:
            return _hear_breach(heard)


def _hear_breach(heard: Heard) -> Sequence[Unit]:
    match heard.contract:
        case sla.SlaBreached() as said:
            command: Any = breach.NoteBreach(
                agreement_id=said.agreement_id,
                clock_id=said.clock_id,
                target=said.target,
                breached_at=said.occurred_at,
                historic=said.historic,
            )
            return _unit(heard, BREACH, said.clock_id, command)
        case sla.SlaBreachWithdrawn() as said:
            command = breach.NoteBreachWithdrawn(
                agreement_id=said.agreement_id,
                clock_id=said.clock_id,
                withdrawn_at=said.occurred_at,
                historic=said.historic,
            )
            return _unit(heard, BREACH, said.clock_id, command)
        case _:
            return ()


def _unit(heard: Heard, decider: AnyDecider, stream_id: UUID, command: Any) -> tuple[Unit]:
    return (Unit(steps=(Step(decider=decider, stream_id=stream_id, command=command),), meta=heard.meta),)


SUBSCRIPTIONS = (
    Subscription(source="demand", topics=(demand.ProjectFact.TOPIC,), handle=hear_demand),
    Subscription(source="sla", topics=(sla.AgreementFact.TOPIC, sla.ClockFact.TOPIC), handle=hear_sla),
)
