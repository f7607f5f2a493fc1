"""The AsyncAPI 3.0 document of every topic and message, written from the registry."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from shared.contracts.envelope import SCHEMA_URI, Contract
from shared.contracts.registry import REGISTRY, TOPICS, Topic

Document = dict[str, Any]

_KEY: Final = {"type": "string", "format": "uuid", "description": "Id of the aggregate: `ce_subject`."}
_DIGITS: Final = "^[0-9]+$"
_HEADERS: Final[dict[str, Document]] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "format": "uuid", "description": "Id of the event; a repeat keeps it."},
    "ce_source": {"type": "string", "description": "The service that wrote it, such as `/intake`."},
    "ce_type": {"type": "string", "description": "The type of the event, version included."},
    "ce_subject": {"type": "string", "format": "uuid", "description": "Id of the aggregate."},
    "ce_time": {"type": "string", "format": "date-time", "description": "When it happened, UTC."},
    "ce_dataschema": {"type": "string", "format": "uri", "description": "The schema of the body."},
    "content-type": {"type": "string", "const": "application/json"},
    "ce_partitionkey": {"type": "string", "format": "uuid", "description": "The Kafka message key."},
    "ce_sequence": {
        "type": "string",
        "pattern": _DIGITS,
        "description": "Version of the aggregate, zeros in front so that text sorts.",
    },
    "ce_position": {"type": "string", "pattern": _DIGITS, "description": "Position in the source's log."},
    "ce_prev": {
        "type": "string",
        "pattern": _DIGITS,
        "description": "Position of the partition's preceding message: another value means a gap.",
    },
    "ce_incarnation": {
        "type": "string",
        "format": "uuid",
        "description": "Which life of the log; a restore from backup begins a new one.",
    },
    "ce_hash": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "The log's SHA-256 chain."},
    "ce_recordedtime": {"type": "string", "format": "date-time", "description": "When it was stored, UTC."},
    "ce_correlationid": {"type": "string", "description": "The conversation it belongs to."},
    "ce_causationid": {"type": "string", "description": "The message that caused it."},
    "ce_actor": {"type": "string", "description": "The principal that caused it."},
    "ce_traceparent": {"type": "string", "description": "W3C trace context of the cause."},
    "traceparent": {"type": "string", "description": "The same, for tracers that read bare headers."},
}
_OPTIONAL: Final = {"ce_causationid", "ce_traceparent", "traceparent"}


@cache
def asyncapi_document() -> Document:
    """Return the document; treat it as read-only, it is made once per process."""
    _, schemas = models_json_schema(
        [(contract, "validation") for contract in REGISTRY.values()],
        ref_template="#/components/schemas/{model}",
    )
    topics = TOPICS.values()
    return {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": "application/json",
        "servers": {name: _server(name) for name in ("kafka", "kafka-secure")},
        "channels": {_channel_name(topic): _channel(topic) for topic in topics},
        "operations": {
            f"{action}_{_channel_name(topic)}": _operation(topic, action)
            for topic in topics
            for action in ("send", "receive")
        },
        "components": {
            "schemas": schemas["$defs"],
            "messages": {contract.TYPE: _message(contract) for contract in REGISTRY.values()},
            "messageTraits": {"cloudevent": _cloudevent()},
        },
    }


def _info() -> Document:
    return {
        "title": "Plumbline public events",
        "version": "1",  # of the language; every message carries its own
        "description": (
            "CloudEvents 1.0 in Kafka's binary mode. Events of one aggregate stand on one partition, in "
            "order; a message may come twice (same `ce_position`). Fields are only added inside a version: "
            "ignore those you do not know, and read an unknown value of an open list as other. "
            "Without Kafka the same messages are read from each service's `GET /v1/feed`."
        ),
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    }


def _server(protocol: str) -> Document:
    return {
        "host": "{host}:{port}",
        "protocol": protocol,
        "description": "The cluster named by KAFKA_BOOTSTRAP_SERVERS.",
        "variables": {
            "host": {"default": "localhost", "description": "A bootstrap server."},
            "port": {"default": "9092" if protocol == "kafka" else "9093", "description": "Its port."},
        },
    }


def _channel_name(topic: Topic) -> str:
    """Return `intake_requests` for plumbline.intake.requests.v1, `..._v2` for a later version."""
    _, service, plural, number = topic.name.split(".")
    return f"{service}_{plural}" + ("" if number == "v1" else f"_{number}")


def _channel(topic: Topic) -> Document:
    return {
        "address": topic.name,
        "description": f"Written by `{topic.source}` alone; the key is the id of the aggregate.",
        "messages": {
            contract.TYPE: {"$ref": f"#/components/messages/{contract.TYPE}"} for contract in topic.contracts
        },
        "bindings": {
            "kafka": {"topic": topic.name, "partitions": topic.partitions, "bindingVersion": "0.5.0"}
        },
    }


def _operation(topic: Topic, action: str) -> Document:
    channel = f"#/channels/{_channel_name(topic)}"
    who = f"{topic.source[1:]} publishes" if action == "send" else "a subscriber reads"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "summary": f"What {who} on {topic.name}.",
        "messages": [{"$ref": f"{channel}/messages/{contract.TYPE}"} for contract in topic.contracts],
    }


def _message(contract: type[Contract]) -> Document:
    return {
        "name": contract.TYPE,
        "title": contract.__name__,
        "summary": contract.__doc__,
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudevent"}],
        "headers": {
            "type": "object",
            "properties": {
                "ce_type": {"const": contract.TYPE},
                "ce_source": {"const": TOPICS[contract.TOPIC].source},
                "ce_dataschema": {"const": SCHEMA_URI + contract.TYPE},
            },
        },
        "payload": {"$ref": f"#/components/schemas/{contract.__name__}"},
    }


def _cloudevent() -> Document:
    return {
        "headers": {
            "type": "object",
            "properties": _HEADERS,
            "required": [name for name in _HEADERS if name not in _OPTIONAL],
        },
        "bindings": {"kafka": {"key": _KEY, "bindingVersion": "0.5.0"}},
    }
