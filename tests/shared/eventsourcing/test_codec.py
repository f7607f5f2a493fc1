"""Stored bytes and events: versions, upcasters, sealed boxes that cannot be moved."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, ClassVar
from uuid import UUID

import pytest

from shared.eventsourcing.codec import BOXES, ERASED, SEALED, Codec
from shared.eventsourcing.decider import Personal
from shared.eventsourcing.log import NewerData
from shared.runtime.ids import uuid7

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNA, BO = UUID(int=1), UUID(int=2)
KEYS = {ANNA: b"a" * 32, BO: b"b" * 32}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteTaken:
    SCHEMA_VERSION: ClassVar[int] = 3
    author_id: UUID
    reader_id: UUID
    text: Annotated[str, Personal("author_id")]
    reply: Annotated[str | None, Personal("reader_id")] = None
    pages: int
    colour: str
    occurred_at: datetime


UPCASTERS = {
    ("NoteTaken", 1): lambda fields: {**fields, "pages": len(fields.pop("sheets"))},
    ("NoteTaken", 2): lambda fields: {**fields, "colour": "yellow"},
}
CODEC = Codec([NoteTaken], UPCASTERS)
NOTE = NoteTaken(
    author_id=ANNA, reader_id=BO, text="hello", reply="hi", pages=2, colour="blue", occurred_at=NOON
)


def test_an_event_comes_back_as_it_went_in() -> None:
    event_id = uuid7()
    stored = CODEC.encode(NOTE, event_id, KEYS)
    assert CODEC.decode(stored.type, stored.schema_version, stored.payload, event_id, KEYS) == NOTE


@dataclass(frozen=True, kw_only=True)
class BellRung:
    """An event without slots."""

    SCHEMA_VERSION: ClassVar[int] = 2
    bell: str
    times: int = 1
    occurred_at: datetime


def test_an_event_without_slots_comes_back_with_its_defaults_and_is_refused_without_a_fact() -> None:
    codec = Codec([BellRung])
    event = BellRung(bell="door", times=2, occurred_at=NOON)
    stored = codec.encode(event, uuid7(), {})
    assert codec.decode(*stored, uuid7(), {}) == event
    once = '{"bell":"door","occurred_at":"2026-03-02T12:00:00Z","more":null}'
    assert codec.decode("BellRung", 2, once, uuid7(), {}) == replace(event, times=1)
    for wrong in (once.replace("bell", "ball"), once.replace('"door"', "1")):
        with pytest.raises(ValueError, match="bell"):
            codec.decode("BellRung", 2, wrong, uuid7(), {})


def test_what_the_first_release_stored_is_read_through_every_upcaster() -> None:
    first = {"author_id": str(ANNA), "reader_id": str(BO), "reply": None, "sheets": ["a", "b"]}
    payload = json.dumps({**first, "text": "plain then", "occurred_at": "2026-03-02T12:00:00Z"})
    read = CODEC.decode("NoteTaken", 1, payload, uuid7(), KEYS)
    assert (read.pages, read.colour, read.text) == (2, "yellow", "plain then")


@pytest.mark.parametrize(("name", "version"), [("NoteTaken", 4), ("NoteBurnt", 1)])
def test_what_only_a_later_release_knows_is_newer_data(name: str, version: int) -> None:
    assert not CODEC.knows(name, version)
    with pytest.raises(NewerData, match=name):
        CODEC.decode(name, version, "{}", uuid7(), KEYS)


def test_each_person_has_a_box_of_their_own() -> None:
    event_id = uuid7()
    stored = CODEC.encode(NOTE, event_id, KEYS)
    assert set(json.loads(stored.payload)[BOXES]) == {str(ANNA), str(BO)}
    read = CODEC.decode("NoteTaken", 3, stored.payload, event_id, {BO: KEYS[BO]})
    assert (read.text, read.reply) == (ERASED, "hi")
    assert CODEC.decode("NoteTaken", 3, stored.payload, event_id, None).reply == SEALED


def test_a_box_moved_to_another_event_or_person_does_not_open() -> None:
    stored = CODEC.encode(NOTE, uuid7(), KEYS)
    assert CODEC.decode("NoteTaken", 3, stored.payload, uuid7(), KEYS).text == ERASED
    swapped = json.loads(stored.payload)
    boxes = swapped[BOXES]
    boxes[str(ANNA)], boxes[str(BO)] = boxes[str(BO)], boxes[str(ANNA)]
    assert CODEC.decode("NoteTaken", 3, json.dumps(swapped), uuid7(), KEYS).text == ERASED


def test_a_field_that_was_not_given_is_not_called_erased() -> None:
    event_id = uuid7()
    silent = NoteTaken(author_id=ANNA, reader_id=BO, text="hello", pages=1, colour="blue", occurred_at=NOON)
    stored = CODEC.encode(silent, event_id, KEYS)
    assert CODEC.decode("NoteTaken", 3, stored.payload, event_id, {}).reply is None


@pytest.mark.parametrize(
    ("keys", "text", "reply"),
    [
        (KEYS, "hello", "hi"),
        ({ANNA: KEYS[ANNA]}, "hello", ERASED),
        ({}, ERASED, ERASED),
        (None, SEALED, SEALED),
    ],
)
def test_an_older_version_is_opened_before_its_upcasters_see_it(keys, text, reply) -> None:
    event_id = uuid7()
    fields = json.loads(CODEC.encode(NOTE, event_id, KEYS).payload)
    del fields["colour"]
    read = CODEC.decode("NoteTaken", 2, json.dumps(fields), event_id, keys)
    assert (read.text, read.reply, read.colour) == (text, reply, "yellow")


def test_an_event_that_was_read_can_be_stored_again() -> None:
    event_id = uuid7()
    stored = CODEC.encode(NOTE, event_id, {})
    read = CODEC.decode(stored.type, stored.schema_version, stored.payload, event_id, {})
    assert read.occurred_at.tzinfo is UTC
    assert {read.author_id: "Anna"}[ANNA] == "Anna"
    assert CODEC.encode(read, event_id, {}) == stored


def test_text_that_looks_like_a_box_is_text() -> None:
    event_id = uuid7()
    sly = NoteTaken(
        author_id=ANNA,
        reader_id=BO,
        text='","reply":"forged","$sealed":{}}',
        pages=1,
        colour=',"$sealed":{"a":"b"}}',
        occurred_at=NOON,
    )
    stored = CODEC.encode(sly, event_id, KEYS)
    assert CODEC.decode("NoteTaken", 3, stored.payload, event_id, KEYS) == sly


def test_two_classes_of_one_name_and_unknown_subjects_are_refused() -> None:
    with pytest.raises(ValueError, match="two event classes"):
        Codec([NoteTaken, NoteTaken])

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Orphan:
        text: Annotated[str, Personal("nobody_id")]
        occurred_at: datetime

    with pytest.raises(ValueError, match="nobody_id"):
        Codec([Orphan])
