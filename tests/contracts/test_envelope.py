"""The envelope: what we write we read, and what is not ours is refused by name."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as kafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.envelope import (
    Envelope,
    ForeignMessage,
    from_headers,
    murmur2,
    partition_for,
    to_headers,
)
from tests.contracts.messages import golden

BREACHED = golden("plumbline.sla.breached.v1")
CLASSIFIED = golden("plumbline.rfc.classified.v1")

counts = st.integers(min_value=1, max_value=10**15)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
moments = st.datetimes(
    min_value=datetime.fromisoformat("1970-01-01"),
    max_value=datetime.fromisoformat("2200-01-01"),
    timezones=st.just(UTC),
)
envelopes = st.builds(
    Envelope,
    id=st.uuids(),
    source=st.sampled_from(["/intake", "/sla"]),
    type=st.sampled_from(["plumbline.request.held.v1", "plumbline.sla.breached.v1"]),
    subject=st.uuids().map(str),
    time=moments,
    recorded_at=moments,
    topic=st.just("plumbline.sla.clocks.v1"),
    partition=st.integers(0, 5),
    position=counts,
    prev=st.just(0),
    incarnation=st.uuids(),
    hash=st.binary(min_size=32, max_size=32).map(bytes.hex),
    sequence=counts,
    correlationid=words,
    causationid=words | st.just(""),
    actor=words,
    traceparent=words | st.just(""),
)


def read(headers: dict[str, bytes | None]) -> Envelope:
    return from_headers(list(headers.items()), BREACHED.topic, BREACHED.partition, BREACHED.key.encode())


@given(envelopes)
def test_an_envelope_survives_the_journey(envelope: Envelope) -> None:
    headers = to_headers(envelope)

    assert from_headers(headers, envelope.topic, envelope.partition, envelope.key) == envelope


@pytest.mark.parametrize(
    "name", sorted(BREACHED.headers.keys() - {"ce_causationid", "ce_traceparent", "traceparent"})
)
@pytest.mark.parametrize("value", ["absent", None, b"", b"\xff"])
def test_a_header_missing_or_damaged_is_named(name: str, value: str | bytes | None) -> None:
    headers: dict = dict(BREACHED.wire_headers)
    headers[name] = value
    if value == "absent":
        del headers[name]

    with pytest.raises(ForeignMessage) as refused:
        read(headers)

    assert refused.value.part == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("content-type", b"text/plain"),
        ("ce_id", b"17"),
        ("ce_time", b"2026-03-02T09:15:00"),
        ("ce_partitionkey", b"another"),
        ("ce_incarnation", b"17"),
        ("ce_position", b"-1"),
        ("ce_position", b"1_000"),
        ("ce_position", b"9" * 40),
        ("ce_prev", BREACHED.headers["ce_position"].encode()),
        ("ce_hash", b"AB" * 32),
        ("ce_dataschema", b"urn:plumbline:schema:plumbline.rfc.classified.v1"),
        ("ce_traceparent", b"\xff"),
        ("traceparent", b"\xff"),
    ],
)
def test_a_header_that_cannot_be_ours_is_named(name: str, value: bytes) -> None:
    headers: dict = {**dict(BREACHED.wire_headers), name: value}
    if name == "ce_traceparent":
        del headers["traceparent"]

    with pytest.raises(ForeignMessage, match=f"^{name} is wrong") as refused:
        read(headers)

    assert refused.value.part == name


@given(st.sampled_from(sorted(BREACHED.headers)), st.none() | st.binary(max_size=40))
def test_no_damage_is_worse_than_a_foreign_message(name: str, value: bytes | None) -> None:
    with suppress(ForeignMessage):  # some damage goes unseen, such as another text for `ce_actor`
        read({**dict(BREACHED.wire_headers), name: value})


def test_a_message_without_headers_or_key_is_foreign() -> None:
    with pytest.raises(ForeignMessage, match="ce_type is missing"):
        from_headers([], BREACHED.topic, 0, b"key")
    with pytest.raises(ForeignMessage, match="ce_partitionkey is wrong"):
        from_headers(BREACHED.wire_headers, BREACHED.topic, 0, None)


def test_one_header_given_twice_is_refused_unless_it_is_none_of_ours() -> None:
    ours = [*BREACHED.wire_headers, ("ce_position", b"7")]
    others = [*BREACHED.wire_headers, ("x-proxy", b"a"), ("x-proxy", b"b")]
    key = BREACHED.key.encode()

    with pytest.raises(ForeignMessage, match="ce_position is wrong: given 2 times"):
        from_headers(ours, BREACHED.topic, BREACHED.partition, key)

    assert from_headers(others, BREACHED.topic, BREACHED.partition, key) == BREACHED.envelope


def test_times_travel_as_utc_whatever_zone_they_came_in() -> None:
    amsterdam = timezone(timedelta(hours=1))
    here = BREACHED.envelope._replace(time=datetime(2026, 3, 2, 10, 15, tzinfo=amsterdam))

    headers = dict(to_headers(here))

    assert headers["ce_time"] == b"2026-03-02T09:15:00.000000Z"
    assert read({**headers, "ce_time": b"2026-03-02T10:15:00+01:00"}).time.tzinfo is UTC


def test_an_absent_cause_and_trace_leave_no_header() -> None:
    bare = BREACHED.envelope._replace(causationid="", traceparent="")

    assert not {"ce_causationid", "ce_traceparent", "traceparent"} & dict(to_headers(bare)).keys()


def test_sequences_sort_as_text() -> None:
    texts = [dict(to_headers(BREACHED.envelope._replace(sequence=n)))["ce_sequence"] for n in (9, 10, 111)]

    assert texts == sorted(texts)


@given(st.binary(max_size=70))
def test_keys_hash_as_in_every_kafka_client(key: bytes) -> None:
    partitions = list(range(6))

    assert murmur2(key) == kafka_murmur2(key)
    assert partition_for(key, 6) == DefaultPartitioner()(key, partitions, partitions)


def test_the_java_client_hashes_alike() -> None:
    # org.apache.kafka.common.utils.UtilsTest, testMurmur2, as unsigned numbers.
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}

    assert {key: murmur2(key) for key in known} == {key: value % 2**32 for key, value in known.items()}


def test_the_key_of_an_event_is_its_subject() -> None:
    assert CLASSIFIED.envelope.key == CLASSIFIED.body["rfc_id"].encode()
    assert isinstance(CLASSIFIED.envelope.incarnation, UUID)
