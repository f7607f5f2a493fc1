"""Every event that a service may store comes back from its JSON as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.runtime.ids import uuid7

SERVICES = ("intake", "demand", "catalog", "sla")
CODECS = {service: import_module(f"services.{service}.app").LOG.codec for service in SERVICES}
EVENTS = [(service, kind) for service, codec in CODECS.items() for kind in codec.types]

st.register_type_strategy(datetime, st.datetimes(timezones=st.just(UTC)))
st.register_type_strategy(Decimal, st.decimals(allow_nan=False, allow_infinity=False))
st.register_type_strategy(str, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
st.register_type_strategy(UUID, st.builds(uuid7))
st.register_type_strategy(int, st.integers(-(2**53), 2**53))


@pytest.mark.parametrize(
    ("service", "kind"), EVENTS, ids=[f"{service}-{kind.__name__}" for service, kind in EVENTS]
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_stored_event_is_read_as_it_was_written(service, kind, data):
    codec, event_id = CODECS[service], uuid7()
    event = data.draw(st.from_type(kind))
    keys = {subject: bytes(32) for subject in codec.subjects(event)}
    stored = codec.encode(event, event_id, keys)
    assert codec.decode(stored.type, stored.schema_version, stored.payload, event_id, keys) == event
