"""What must hold after every fault, as functions of what was seen; each says what is not."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any
from uuid import UUID

from shared.eventsourcing.chain import GENESIS, link


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """An event that a command of the load brought about: which operation, on which stream."""

    operation: str
    stream_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message as it lies on a partition of a topic, in the partition's order."""

    topic: str
    partition: int
    position: int
    prev: int


Line = Mapping[str, Any]


def acknowledged_but_not_stored(history: Iterable[Line], effects: Iterable[Effect]) -> list[str]:
    """C1: every command that was answered with success has its event, on the stream the answer named."""
    stored = {(effect.operation, str(effect.stream_id)) for effect in effects}
    return [
        f"{line['op']} was answered {line['id']} and is not in the log"
        for line in history
        if line["type"] == "ok" and (line["op"], line["id"]) not in stored
    ]


def stored_but_not_invoked(history: Iterable[Line], effects: Iterable[Effect]) -> list[str]:
    """C2: no event without a command that was sent and not refused."""
    lines = list(history)
    invoked = {line["op"] for line in lines if line["type"] == "invoke"}
    refused = {line["op"] for line in lines if line["type"] == "fail"}
    invoked -= refused - {line["op"] for line in lines if line["type"] in ("ok", "info")}
    return [f"{each.operation} is in the log, unasked" for each in effects if each.operation not in invoked]


def more_than_one_effect(effects: Iterable[Effect]) -> list[str]:
    """C3: one effect per idempotency key, which names the operation, however often it was sent."""
    counted = Counter(effect.operation for effect in effects)
    return [f"{operation} took effect {times} times" for operation, times in counted.items() if times > 1]


def broken_log(rows: Sequence[Any]) -> list[str]:
    """C4: count = max(position), versions contiguous per stream, the hash chain verifies."""
    wrong: list[str] = []
    versions: dict[UUID, int] = defaultdict(int)
    previous, expected = GENESIS, 0
    for row in rows:
        position, what = row["position"], f"{row['type']} at position {row['position']}"
        expected += 1
        if position != expected:
            wrong.append(f"positions {expected} to {position - 1} are missing before {what}")
        versions[row["stream_id"]] += 1
        if row["version"] != versions[row["stream_id"]]:
            wrong.append(f"stream {row['stream_id']} has version {row['version']} with {what}")
        if sha256(row["payload"].encode() + b"\n" + row["meta"].encode()).digest() != row["digest"]:
            wrong.append(f"payload or meta is not what was appended: {what}, {row['payload']}")
        if link(previous, row) != row["hash"]:
            wrong.append(
                f"the chain breaks: {what}, recorded {row['recorded_at']}, stream {row['stream_id']}"
            )
        previous, expected = row["hash"], position
    return wrong


def broken_topics(sent: Iterable[Sent], outbox: Iterable[Sent]) -> list[str]:
    """C5: the topics hold every public position, rising once duplicates are dropped, each chain closed."""
    wrong: list[str] = []
    found, wanted = _by_partition(sent), _by_partition(outbox)
    for place, messages in found.items():
        fresh: list[Sent] = []
        for message in messages:
            if not fresh or message.position > fresh[-1].position:
                fresh.append(message)
        known = {0} | {message.position for message in fresh}
        wrong += [
            f"{place}: {m.position} came, never in its turn" for m in messages if m.position not in known
        ]
        for before, after in pairwise([0, *fresh]):
            last = before.position if isinstance(before, Sent) else 0
            if isinstance(after, Sent) and after.prev != last:
                wrong.append(f"{place}: {after.position} follows {after.prev}, but came behind {last}")
    for place in found.keys() | wanted.keys():
        there = {message.position for message in found.get(place, ())}
        due = {message.position for message in wanted.get(place, ())}
        wrong += [f"{place}: {position} is not on the topic" for position in sorted(due - there)]
        wrong += [f"{place}: {position} is nowhere in the log" for position in sorted(there - due)]
    return wrong


def not_applied_once(heard: Iterable[int], taken: Iterable[int]) -> list[str]:
    """C6: each of the `heard` positions of a source brought about exactly one own event in the consumer."""
    counted, wanted = Counter(taken), set(heard)
    missing = sorted(wanted - counted.keys())
    return [
        *[f"position {position} was never applied" for position in missing],
        *[f"position {p} was applied {times} times" for p, times in counted.items() if times > 1],
        *[f"position {p} was applied and never said" for p in sorted(counted.keys() - wanted)],
    ]


def _by_partition(messages: Iterable[Sent]) -> dict[tuple[str, int], list[Sent]]:
    found: dict[tuple[str, int], list[Sent]] = defaultdict(list)
    for message in messages:
        found[message.topic, message.partition].append(message)
    return found
