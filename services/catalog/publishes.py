"""What the catalog tells others: stored event -> public contract, on one topic."""

from __future__ import annotations

from services.catalog.domain.facts import Party
from services.catalog.domain.service import events
from shared.contracts import catalog as contracts
from shared.contracts.told import Told, tell
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.publishing import Publisher

TOPIC = contracts.ServiceFact.TOPIC


def publish(recorded: Recorded) -> Told:
    """Return the public form of an event that `PUBLISHER` names."""
    event, service_id = recorded.event, recorded.stream_id
    match event:
        case events.ServiceRegistered():
            return tell(
                contracts.ServiceRegistered,
                event,
                service_id=service_id,
                kind=event.facts.kind,
                criticality=event.facts.criticality,
                business_owner=_public(event.owners.business_owner),
                service_owner=_public(event.owners.service_owner),
            )
        case events.PhaseChanged():
            return tell(contracts.ServicePhaseChanged, event, service_id=service_id)
        case events.OwnersAssigned():
            return tell(
                contracts.ServiceOwnerChanged,
                event,
                service_id=service_id,
                business_owner=_public(event.owners.business_owner),
                service_owner=_public(event.owners.service_owner),
            )
        case events.FactsRevised():
            kind, criticality = event.facts.kind, event.facts.criticality
            return tell(
                contracts.ServiceUpdated, event, service_id=service_id, kind=kind, criticality=criticality
            )
        case _:
            raise TypeError(f"{type(event).__name__} is not public")


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
