"""Golden messages: what was once published can be read, and written, for ever."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from shared.contracts.envelope import partition_for, to_headers
from shared.contracts.publish import PUBLISHED
from shared.contracts.registry import REGISTRY, TOPICS, check_origin, decode
from tests.contracts.messages import golden, golden_types


def test_every_published_type_has_its_golden_message() -> None:
    assert golden_types() == sorted(REGISTRY)


@pytest.mark.parametrize("kind", golden_types())
def test_a_golden_message_is_read_and_written_again_unchanged(kind: str) -> None:
    message = golden(kind)

    written = dict(to_headers(message.envelope))
    contract = decode(kind, message.wire_body)
    body = json.loads(contract.to_body())

    assert written == dict(message.wire_headers)
    assert message.body.items() <= body.items()  # a newer model may add fields, with their defaults
    assert decode(kind, contract.to_body()) == contract


@pytest.mark.parametrize("kind", golden_types())
def test_a_golden_message_stands_where_its_publisher_put_it(kind: str) -> None:
    message = golden(kind)

    check_origin(message.envelope)

    assert message.partition == partition_for(message.key.encode(), TOPICS[message.topic].partitions)
    assert message.key in message.body.values()


@pytest.mark.parametrize("kind", golden_types())
def test_a_golden_message_obeys_the_schema_it_names(kind: str) -> None:
    message = golden(kind)
    schema = _published(PUBLISHED / "schemas" / f"{kind}.json")

    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(message.body)

    assert schema["$id"] == message.headers["ce_dataschema"]


@pytest.mark.parametrize("kind", golden_types())
def test_a_golden_message_has_the_headers_that_the_asyncapi_document_describes(kind: str) -> None:
    components = _published(PUBLISHED / "asyncapi.json")["components"]
    message = golden(kind)

    Draft202012Validator(components["messageTraits"]["cloudevent"]["headers"]).validate(message.headers)
    Draft202012Validator(components["messages"][kind]["headers"]).validate(message.headers)

    assert message.headers.keys() <= components["messageTraits"]["cloudevent"]["headers"]["properties"].keys()


def test_a_reader_ignores_what_a_newer_publisher_adds() -> None:
    message = golden("plumbline.sla.breached.v1")

    newer = json.dumps({**message.body, "severity": "high"}).encode()

    assert decode("plumbline.sla.breached.v1", newer) == decode(
        "plumbline.sla.breached.v1", message.wire_body
    )


def test_a_reader_accepts_a_value_that_an_open_list_gained() -> None:
    message = golden("plumbline.request.held.v1")

    newer = json.dumps({**message.body, "reason": "customs"}).encode()

    assert json.loads(decode("plumbline.request.held.v1", newer).to_body())["reason"] == "customs"


def _published(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))
