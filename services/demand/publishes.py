"""What demand tells others: stored event -> public contract, on one topic."""

from __future__ import annotations

from datetime import UTC, datetime, time
from uuid import UUID

from services.demand.domain.concept import events
from shared.contracts import demand as contracts
from shared.contracts.told import Told, tell
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.publishing import Publisher

TOPIC = contracts.ProjectFact.TOPIC


def publish(recorded: Recorded) -> Told:
    """Return the public form of an event that `PUBLISHER` names."""
    event, project_id = recorded.event, recorded.stream_id
    match event:
        case events.ConceptSubmitted():
            return tell(
                contracts.ConceptSubmitted,
                event,
                project_id=project_id,
                title=event.proposal.title,
                designation=event.proposal.designation or "",
                business_unit=event.proposal.business_unit or None,
                service=event.proposal.facts.service_or_group,
                rfc_id=event.proposal.rfc_id,
                request_id=event.proposal.request_id,
            )
        case events.ConceptQualified():
            return tell(contracts.ConceptQualified, event, project_id=project_id)
        case events.ConceptApproved():
            return _approved(project_id, event)
        case events.ConceptDeclined():
            return tell(contracts.ProjectDeclined, event, project_id=project_id)
        case events.ConceptDeferred():
            until = datetime.combine(event.until, time(), UTC)
            return tell(contracts.ProjectDeferred, event, project_id=project_id, until=until)
        case _:
            raise TypeError(f"{type(event).__name__} is not public")


def _approved(project_id: UUID, event: events.ConceptApproved) -> Told:
    proposal = event.proposal
    return tell(
        contracts.ProjectApproved,
        event,
        project_id=project_id,
        title=proposal.title,
        description=proposal.facts.description_and_benefit,
        designation=proposal.designation or "",
        owner=event.owner.public_name,
        service=proposal.facts.service_or_group,
        new_service=proposal.new_service,
        rfc_id=proposal.rfc_id,
        request_id=proposal.request_id,
        budget=None if proposal.budget is None else format(proposal.budget, "f"),
        currency=proposal.currency or None,
        # The board decided; who wrote its decision down is the actor of the message.
        decided_by=event.board_name,
    )


PUBLISHER = Publisher(
    source="/demand",
    topics={
        events.ConceptSubmitted: TOPIC,
        events.ConceptQualified: TOPIC,
        events.ConceptApproved: TOPIC,
        events.ConceptDeclined: TOPIC,
        events.ConceptDeferred: TOPIC,
    },
    publish=publish,
)
