"""What a log has stored stays readable: a golden payload per stored type and version.

A new type or a raised SCHEMA_VERSION asks for a new file; `python -m tests.contracts.test_stored_events`
writes those that are missing and touches no other.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.command_line.services import definitions
from shared.eventsourcing.codec import BOXES, ERASED, SEALED, Codec
from tests.support.examples import example

GOLDEN = Path(__file__).parent / "stored"
KEY = bytes(range(32))
EVENT_ID = UUID("0197a000-0000-7000-8000-0000000000ee")
CODECS = {name: definition.log.codec for name, definition in definitions().items()}
TYPES = [(service, kind) for service, codec in CODECS.items() for kind in codec.types]
FILES = sorted(GOLDEN.glob("*/*.json"))


class EveryKey(dict[UUID, bytes]):
    def get(self, _subject: UUID, _default: Any = None) -> bytes:  # type: ignore[override]
        return KEY


def path_of(service: str, kind: type) -> Path:
    return GOLDEN / service / f"{kind.__name__}.v{getattr(kind, 'SCHEMA_VERSION', 1)}.json"


@pytest.mark.parametrize(("service", "kind"), TYPES, ids=lambda each: getattr(each, "__name__", each))
def test_every_stored_type_has_a_golden_payload_that_reads_as_its_example(service: str, kind: type) -> None:
    stored = json.loads(path_of(service, kind).read_text())
    codec = CODECS[service]
    decoded = codec.decode(stored["type"], stored["schema_version"], stored["payload"], EVENT_ID, EveryKey())
    assert decoded == example(kind)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_everything_ever_stored_can_still_be_read(path: Path) -> None:
    stored = json.loads(path.read_text())
    codec = CODECS[path.parent.name]
    assert codec.knows(stored["type"], stored["schema_version"]), "a stored type is never forgotten"
    codec.decode(stored["type"], stored["schema_version"], stored["payload"], EVENT_ID, EveryKey())


@pytest.mark.parametrize(("service", "kind"), TYPES, ids=lambda each: getattr(each, "__name__", each))
def test_personal_text_never_stands_in_a_stored_payload(service: str, kind: type) -> None:
    codec, event = CODECS[service], example(kind)
    subjects = codec.subjects(event)
    stored = codec.encode(event, EVENT_ID, dict.fromkeys(subjects, KEY))
    assert set(json.loads(stored.payload).get(BOXES, {})) == {str(subject) for subject in subjects}
    sealed = codec.decode(stored.type, stored.schema_version, stored.payload, EVENT_ID, None)
    erased = codec.decode(stored.type, stored.schema_version, stored.payload, EVENT_ID, {})
    assert (SEALED in repr(sealed)) is (ERASED in repr(erased)) is bool(subjects)


def write_missing(codecs: dict[str, Codec]) -> None:
    for service, codec in codecs.items():
        for kind in codec.types:
            path = path_of(service, kind)
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                stored = codec.encode(example(kind), EVENT_ID, EveryKey())
                fields = {
                    "type": stored.type,
                    "schema_version": stored.schema_version,
                    "payload": stored.payload,
                }
                path.write_text(json.dumps(fields, indent=1) + "\n")


if __name__ == "__main__":
    write_missing(CODECS)
