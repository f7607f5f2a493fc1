"""What others are told of a service: contracts that carry no person's name."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.catalog.domain.service import events
from services.catalog.publishes import PUBLISHER
from shared.contracts import catalog as contracts
from shared.eventsourcing.log import Meta, Recorded
from tests.catalog.test_service import LINKED, LIVE, NAME, NOW, OWNED, PROPOSED
from tests.support.heard import as_heard

SERVICE_ID = UUID("0197f000-0000-7000-8000-000000000009")


def recorded(event: Any) -> Recorded:
    return Recorded(
        position=1,
        stream="service",
        stream_id=SERVICE_ID,
        version=1,
        event_id=UUID(int=1),
        event=event,
        told=Meta(actor="anna", correlation_id="c"),
        recorded_at=datetime(2026, 6, 17, 9, 0, tzinfo=UTC),
        hash=b"",
    )


def test_others_hear_of_a_new_service() -> None:
    told = as_heard(PUBLISHER.publish(recorded(PROPOSED)))
    assert told == contracts.ServiceRegistered(
        occurred_at=NOW, service_id=SERVICE_ID, name=NAME, phase="proposed"
    )


def test_others_hear_of_a_new_phase() -> None:
    told = as_heard(PUBLISHER.publish(recorded(LIVE)))
    assert isinstance(told, contracts.ServicePhaseChanged)
    assert (told.was, told.phase) == ("approved", "in_service")


def test_a_person_is_told_by_id_and_a_role_by_name() -> None:
    told = as_heard(PUBLISHER.publish(recorded(OWNED)))
    assert isinstance(told, contracts.ServiceOwnerChanged)
    assert told.service_owner == str(UUID(int=7))
    assert told.business_owner == "Chief Operating Officer"
    assert b"Orint" not in told.to_body()


def test_others_hear_that_an_entry_changed() -> None:
    revised = events.FactsRevised(name=NAME, facts=PROPOSED.facts, occurred_at=NOW, historic=True)
    told = as_heard(PUBLISHER.publish(recorded(revised)))
    assert isinstance(told, contracts.ServiceUpdated)
    assert told.historic


def test_links_to_projects_stay_inside() -> None:
    assert events.ProjectLinked not in PUBLISHER.topics
    with pytest.raises(TypeError):
        PUBLISHER.publish(recorded(LINKED))
