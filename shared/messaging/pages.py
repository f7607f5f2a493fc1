"""What travels over the feed: pages of messages and the head of a log, with their JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic_core import from_json, to_json

from shared.eventsourcing.log import StoreFork
from shared.messaging.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPage:
    """Messages in position order. All up to `position`, whose hash is `hash`, has been said with them."""

    messages: tuple[Message, ...]
    position: int
    hash: bytes

    def to_json(self) -> bytes:
        """Return the answer's body; the contracts' own JSON goes in as it is."""
        items = b",".join(_item(message) for message in self.messages)
        return b'{"items":[%b],"position":%d,"hash":"%b"}' % (items, self.position, self.hash.hex().encode())

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read an answer's body; raises `ForeignMessage` for items that are not ours."""
        held = from_json(body)
        return cls(
            messages=tuple(_message(item) for item in held["items"]),
            position=held["position"],
            hash=bytes.fromhex(held["hash"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Incarnation:
    """One life of a log: it began after position `after`, 0 for the first; a restore begins the next."""

    id: UUID
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedHead:
    """The end of a source's log at `as_of`, in the source's recorded time (aware UTC).

    `ends` are the last public positions of every (topic, partition) that has one: who has heard those has
    heard everything recorded up to `as_of`.
    """

    incarnations: tuple[Incarnation, ...]
    position: int
    hash: bytes
    as_of: datetime
    ends: Mapping[tuple[str, int], int]

    def to_json(self) -> bytes:
        """Return the answer's body."""
        return to_json(
            {
                "incarnation": self.incarnations[-1].id,
                "incarnations": [{"id": each.id, "after": each.after} for each in self.incarnations],
                "position": self.position,
                "hash": self.hash.hex(),
                "as_of": self.as_of,
                "ends": [
                    {"topic": topic, "partition": partition, "position": position}
                    for (topic, partition), position in self.ends.items()
                ],
            }
        )

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Read an answer's body."""
        held = from_json(body)
        return cls(
            incarnations=tuple(
                Incarnation(id=UUID(each["id"]), after=each["after"]) for each in held["incarnations"]
            ),
            position=held["position"],
            hash=bytes.fromhex(held["hash"]),
            as_of=datetime.fromisoformat(held["as_of"]),
            ends={(each["topic"], each["partition"]): each["position"] for each in held["ends"]},
        )

    def limit(self, incarnation: UUID) -> int | None:
        """Return the last position of that life that still counts; see `limit_of`."""
        return limit_of(incarnation, self.incarnations)


def limit_of(incarnation: UUID, incarnations: Sequence[Incarnation]) -> int | None:
    """Return the last position of a life of a log that still counts; None while that life goes on.

    Raises `StoreFork` for a life that is not among `incarnations`, a log's own list, oldest first.
    """
    ids = [each.id for each in incarnations]
    if incarnation not in ids:
        raise StoreFork(f"incarnation {incarnation} is not one of this log")
    return min((each.after for each in incarnations[ids.index(incarnation) + 1 :]), default=None)


def _item(message: Message) -> bytes:
    place = to_json(
        {
            "topic": message.topic,
            "partition": message.partition.number,
            "position": message.position,
            "prev": message.prev,
            "hash": message.hash.hex(),
            "key": message.key.decode(),
            "headers": {name: value.decode() for name, value in message.headers},
        }
    )
    return b'%b,"data":%b}' % (place[:-1], message.value)


def _message(item: Mapping[str, Any]) -> Message:
    headers = [(name, value.encode()) for name, value in item["headers"].items()]
    return Message.read(
        item["topic"], item["partition"], item["key"].encode(), headers, to_json(item["data"])
    )
