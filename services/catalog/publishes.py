"""What the catalog tells others: stored event -> public contract, on one topic."""

from __future__ import annotations

from typing import Any

from services.catalog.domain.facts import Party
from services.catalog.domain.service import events
from shared.contracts import catalog as contracts
from shared.contracts.envelope import Contract
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.publishing import Publisher

TOPIC = contracts.ServiceFact.TOPIC


def publish(recorded: Recorded) -> Contract:
    """Return the public form of an event that `PUBLISHER` names."""
    event = recorded.event
    about = _about(recorded)
    match event:
        case events.ServiceRegistered():
            return contracts.ServiceRegistered(
                **about,
                name=event.name,
                phase=event.phase,
                kind=event.facts.kind,
                criticality=event.facts.criticality,
                business_owner=_public(event.owners.business_owner),
                service_owner=_public(event.owners.service_owner),
                project_id=event.project_id,
            )
        case events.PhaseChanged():
            return contracts.ServicePhaseChanged(
                **about,
                phase=event.phase,
                was=event.was,
            )
        case events.OwnersAssigned():
            return contracts.ServiceOwnerChanged(
                **about,
                business_owner=_public(event.owners.business_owner),
                service_owner=_public(event.owners.service_owner),
            )
        case events.FactsRevised():
            return contracts.ServiceUpdated(
                **about,
                name=event.name,
                kind=event.facts.kind,
                criticality=event.facts.criticality,
            )
        case _:
            raise TypeError(f"{type(event).__name__} is not public")


def _about(recorded: Recorded) -> dict[str, Any]:
    return {
        "occurred_at": recorded.occurred_at,
        "historic": recorded.event.historic,
        "service_id": recorded.stream_id,
    }


def _public(party: Party | None) -> str | None:
    return None if party is None else party.public_name


PUBLISHER = Publisher(
    source="/catalog",
    topics={
        events.ServiceRegistered: TOPIC,
        events.PhaseChanged: TOPIC,
        events.OwnersAssigned: TOPIC,
        events.FactsRevised: TOPIC,
    },
    publish=publish,
)
