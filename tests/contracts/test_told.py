"""What a publisher tells is, byte for byte, what the validated contract would say."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shared.contracts.envelope import ForeignMessage
from shared.contracts.intake import RequestHeld
from shared.contracts.registry import decode
from shared.contracts.told import tell
from shared.eventsourcing.log import Meta, Recorded
from shared.runtime.ids import uuid7
from tests.contracts.test_events_read_back import CODECS

PUBLISHERS = {service: import_module(f"services.{service}.publishes").PUBLISHER for service in CODECS}
PUBLIC = [(service, kind) for service, publisher in PUBLISHERS.items() for kind in publisher.topics]
NEVER_DECIDED = re.compile(": (greater_than_equal|string_pattern_mismatch)")
MONDAY = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)


def recorded(event: Any) -> Recorded:
    return Recorded(
        position=1, stream="s", stream_id=uuid7(), version=1, event_id=uuid7(), event=event,
        told=Meta(actor="anna", correlation_id="c"), recorded_at=MONDAY,
    )  # fmt: skip


@pytest.mark.parametrize(("service", "kind"), PUBLIC, ids=[f"{s}-{kind.__name__}" for s, kind in PUBLIC])
@settings(max_examples=20, deadline=None, suppress_health_check=[*HealthCheck])
@given(data=st.data())
def test_what_is_told_of_an_event_is_what_a_reader_would_write(service, kind, data):
    event = data.draw(st.from_type(kind))
    told = PUBLISHERS[service].publish(recorded(event))
    body = told.to_body()
    try:
        expected = decode(told.TYPE, body).to_body()
    except ForeignMessage as refused:
        if NEVER_DECIDED.search(str(refused)) is None:
            raise
        assume(False)
    assert body == expected


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_words_are_written_as_ever(reason: str) -> None:
    event = Held(request_id=uuid7(), occurred_at=MONDAY, reason=reason)
    assert tell(RequestHeld, event, historic=False).to_body() == RequestHeld(**asdict(event)).to_body()


@dataclass(frozen=True)
class Held:
    request_id: UUID
    occurred_at: datetime
    reason: str | None = None


def test_what_nobody_tells_is_noticed() -> None:
    with pytest.raises(TypeError, match=r"Held does not tell historic of plumbline\.request\.held\.v1"):
        tell(RequestHeld, Held(request_id=uuid7(), occurred_at=MONDAY))
    with pytest.raises(AttributeError, match="weather"):
        tell(RequestHeld, Held(request_id=uuid7(), occurred_at=MONDAY), historic=False, weather="fine")
