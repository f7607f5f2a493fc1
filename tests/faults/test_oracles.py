"""The oracles of the fault tests can fail: each is shown what it has to find."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.eventsourcing.chain import GENESIS, link
from tests.faults import oracles
from tests.faults.oracles import Effect, Sent

A, B = uuid4(), uuid4()


def line(kind: str, op: str, stream: UUID | None = None) -> dict[str, Any]:
    return {"type": kind, "op": op, "id": str(stream)}


HISTORY = [
    *[line("invoke", op) for op in ("asked", "refused", "unknown", "retried")],
    line("ok", "asked", A),
    line("fail", "refused"),
    line("info", "unknown"),
    line("info", "retried"),
    line("ok", "retried", B),
]
EFFECTS = [Effect(operation="asked", stream_id=A), Effect(operation="retried", stream_id=B)]


def test_nothing_is_wrong_with_what_is_right():
    assert not oracles.acknowledged_but_not_stored(HISTORY, EFFECTS)
    assert not oracles.stored_but_not_invoked(HISTORY, EFFECTS)
    assert not oracles.more_than_one_effect(EFFECTS)
    unknown = Effect(operation="unknown", stream_id=uuid4())
    assert not oracles.stored_but_not_invoked(HISTORY, [*EFFECTS, unknown])


def test_an_acknowledged_command_without_its_event_is_found():
    assert oracles.acknowledged_but_not_stored(HISTORY, EFFECTS[:1])
    elsewhere = replace(EFFECTS[1], stream_id=A)
    assert oracles.acknowledged_but_not_stored(HISTORY, [EFFECTS[0], elsewhere])


@pytest.mark.parametrize("operation", ["never sent", "refused"])
def test_an_event_that_nobody_asked_for_is_found(operation: str):
    assert oracles.stored_but_not_invoked(HISTORY, [Effect(operation=operation, stream_id=A)])


def test_a_command_that_took_effect_twice_is_found():
    assert oracles.more_than_one_effect([*EFFECTS, replace(EFFECTS[0], stream_id=uuid4())])


def a_log() -> list[dict[str, Any]]:
    rows, previous = [], GENESIS
    for position, (stream, version) in enumerate([(A, 1), (B, 1), (A, 2)], start=1):
        row = {
            "position": position,
            "stream_id": stream,
            "version": version,
            "type": "Sent",
            "recorded_at": datetime(2026, 3, 2, 12, 0, position, tzinfo=UTC),
            "payload": f'{{"parcel": {position}}}',
            "meta": "{}",
        }
        row["digest"] = sha256(f"{row['payload']}\n{row['meta']}".encode()).digest()
        previous = row["hash"] = link(previous, row)
        rows.append(row)
    return rows


def test_a_whole_log_is_whole():
    assert not oracles.broken_log(a_log())


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        (1, "position", 7),
        (2, "version", 1),
        (1, "digest", bytes(32)),
        (0, "hash", bytes(32)),
        (2, "payload", "{}"),
        (0, "meta", "[]"),
    ],
)
def test_a_log_that_was_meddled_with_is_found(row: int, column: str, value: Any):
    rows = a_log()
    rows[row][column] = value
    assert oracles.broken_log(rows)


def test_a_log_with_a_hole_is_found():
    rows = a_log()
    assert oracles.broken_log([rows[0], rows[2]])


def chain(*positions: int) -> list[Sent]:
    return [
        Sent(topic="t", partition=0, position=position, prev=prev)
        for prev, position in zip((0, *positions), positions, strict=False)
    ]


def test_duplicates_on_a_topic_are_no_fault():
    one, two, three = chain(2, 5, 9)
    assert not oracles.broken_topics([one, two, one, two, three], [one, two, three])


def test_a_lost_a_foreign_and_a_disordered_message_are_found():
    one, two, three = chain(2, 5, 9)
    assert oracles.broken_topics([one, two], [one, two, three])
    assert oracles.broken_topics([one, two, three], [one, two])
    assert oracles.broken_topics([one, three, two], [one, two, three])
    assert oracles.broken_topics([one, replace(two, prev=1)], [one, two])


def test_what_was_applied_twice_never_or_from_nowhere_is_found():
    assert not oracles.not_applied_once([2, 5, 9], [9, 2, 5])
    assert oracles.not_applied_once([2, 5, 9], [2, 5])
    assert oracles.not_applied_once([2, 5, 9], [2, 5, 5, 9])
    assert oracles.not_applied_once([2, 5], [2, 5, 9])
