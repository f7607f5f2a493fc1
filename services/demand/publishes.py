"""What demand tells others: stored event -> public contract, on one topic."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from services.demand.domain.concept import events
from shared.contracts import demand as contracts
from shared.contracts.envelope import Contract
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.publishing import Publisher

TOPIC = contracts.ProjectFact.TOPIC


def publish(recorded: Recorded) -> Contract:
    """Return the public form of an event that `PUBLISHER` names."""
    event = recorded.event
    about = _about(recorded)
    match event:
        case events.ConceptSubmitted():
            return contracts.ConceptSubmitted(
                **about,
                number=event.number,
                title=event.proposal.title,
                designation=event.proposal.designation or "",
                business_unit=event.proposal.business_unit or None,
                service=event.proposal.facts.service_or_group,
                rfc_id=event.proposal.rfc_id,
                request_id=event.proposal.request_id,
            )
        case events.ConceptQualified():
            return contracts.ConceptQualified(
                **about,
                number=event.number,
                revision=event.revision,
            )
        case events.ConceptApproved():
            return _approved(recorded, event)
        case events.ConceptDeclined():
            return contracts.ProjectDeclined(
                **about,
                reason=event.reason,
            )
        case events.ConceptDeferred():
            return contracts.ProjectDeferred(
                **about,
                until=datetime.combine(event.until, time(), UTC),
            )
        case _:
            raise TypeError(f"{type(event).__name__} is not public")


def _about(recorded: Recorded) -> dict[str, Any]:
    return {
        "occurred_at": recorded.occurred_at,
        "historic": recorded.event.historic,
        "project_id": recorded.stream_id,
    }


def _approved(recorded: Recorded, event: events.ConceptApproved) -> contracts.ProjectApproved:
    proposal = event.proposal
    about = _about(recorded)
    return contracts.ProjectApproved(
        **about,
        number=event.number,
        title=proposal.title,
        description=proposal.facts.description_and_benefit,
        designation=proposal.designation or "",
        owner=event.owner.public_name,
        team=event.team,
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
