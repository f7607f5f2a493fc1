"""The official CloudEvents SDK reads what we write, and we read what it writes."""

from __future__ import annotations

import json

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary_event

from shared.contracts.envelope import from_headers
from tests.contracts.messages import golden, golden_types


@pytest.mark.parametrize("kind", golden_types())
def test_the_official_sdk_reads_our_messages(kind: str) -> None:
    message = golden(kind)

    event = from_binary_event(
        KafkaMessage(headers=dict(message.wire_headers), key=message.key.encode(), value=message.wire_body)
    )

    assert event.get_type() == kind
    assert event.get_id() == str(message.envelope.id)
    assert event.get_source() == message.envelope.source
    assert event.get_subject() == message.key
    assert event.get_time() == message.envelope.time
    assert event.get_dataschema() == f"urn:plumbline:schema:{kind}"
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("partitionkey") == message.key
    assert event.get_extension("position") == str(message.envelope.position)
    assert event.get_data() == message.body


@pytest.mark.parametrize("kind", golden_types())
def test_we_read_what_the_official_sdk_writes(kind: str) -> None:
    message = golden(kind)
    ours = KafkaMessage(headers=dict(message.wire_headers), key=message.key.encode(), value=message.wire_body)

    theirs = to_binary_event(from_binary_event(ours))
    key = theirs.key.encode() if isinstance(theirs.key, str) else theirs.key

    assert (
        from_headers(list(theirs.headers.items()), message.topic, message.partition, key) == message.envelope
    )
    assert json.loads(theirs.value) == message.body
