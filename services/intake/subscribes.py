"""What intake hears: public contract -> own command; facts are recorded, never refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.intake.domain.request import commands as request
from services.intake.domain.request.decider import REQUEST
from services.intake.domain.rfc.commands import LinkProject
from services.intake.domain.rfc.decider import RFC
from shared.contracts import demand, sla
from shared.eventsourcing.log import Step, Unit
from shared.messaging.message import Heard, Subscription


def hear_sla(heard: Heard) -> Sequence[Unit]:
    """Mark a request whose clock ran out; a breach on an RFC is not shown here yet."""
    match heard.contract:
        case sla.SlaBreached(record="request") as said:
            command: request.RequestCommand = request.NoteBreach(
                occurred_at=said.occurred_at,
                clock_id=said.clock_id,
                target=said.target,
                due_at=said.due_at,
                historic=said.historic,
            )
        case sla.SlaBreachWithdrawn(record="request") as said:
            command = request.NoteBreachWithdrawn(
                occurred_at=said.occurred_at, clock_id=said.clock_id, historic=said.historic
            )
        case _:
            return ()
    return (Unit(steps=(Step(decider=REQUEST, stream_id=said.record_id, command=command),), meta=heard.meta),)


def hear_demand(heard: Heard) -> Sequence[Unit]:
    """Note on the request and on the RFC they came from that a project has come of it."""
    match heard.contract:
        case demand.ProjectApproved() as said:
            return tuple(Unit(steps=(step,), meta=heard.meta) for step in _project_steps(said))
        case _:
            return ()


def _project_steps(said: demand.ProjectApproved) -> Iterator[Step]:
    if said.request_id is not None:
        noted = request.NoteProject(
            occurred_at=said.occurred_at,
            project_id=said.project_id,
            project_number=said.number,
            historic=said.historic,
        )
        yield Step(decider=REQUEST, stream_id=said.request_id, command=noted)
    if said.rfc_id is not None:
        linked = LinkProject(
            occurred_at=said.occurred_at,
            project_id=said.project_id,
            project_number=said.number,
            service=said.service,
            new_service=said.new_service,
            historic=said.historic,
        )
        yield Step(decider=RFC, stream_id=said.rfc_id, command=linked)


SUBSCRIPTIONS = (
    Subscription(source="sla", topics=(sla.ClockFact.TOPIC,), handle=hear_sla),
    Subscription(source="demand", topics=(demand.ProjectFact.TOPIC,), handle=hear_demand),
)
