"""A public event on its way between two services, and what a service wants to hear."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from shared.contracts.envelope import Contract, Envelope, Headers, from_headers
from shared.eventsourcing.log import Meta, Unit


class Partition(NamedTuple):
    """One ordered chain of a source's public events. `source` is the service's name, such as `intake`."""

    source: str
    topic: str
    number: int


@lru_cache(maxsize=4096)  # of every message
def partition_of(source: str, topic: str, number: int) -> Partition:
    """Return the chain that an envelope's source, topic and partition name."""
    return Partition(source.strip("/"), topic, number)


@dataclass(slots=True, kw_only=True)  # frozen, each would take four times as long to make
class Message:
    """A public event as both transports carry it.

    `position` counts in the source's log, `prev` is the position before it in the same partition (0 begins
    it), `hash` the log's chain at `position`. `headers` are those of Kafka; `value` is the contract's JSON.
    """

    partition: Partition
    position: int
    prev: int
    incarnation: UUID
    hash: bytes
    key: bytes
    headers: Headers
    value: bytes
    read_as: Envelope | None = field(default=None, compare=False, repr=False)  # what `read` made of them

    @classmethod
    def read(
        cls, topic: str, partition: int, key: bytes | None, headers: Sequence[tuple[str, bytes]], value: bytes
    ) -> Message:
        """Return the message behind raw bytes; raises `ForeignMessage` for what no service of ours wrote."""
        envelope = from_headers(headers, topic, partition, key)
        return cls(
            partition=partition_of(envelope.source, topic, partition),
            position=envelope.position,
            prev=envelope.prev,
            incarnation=envelope.incarnation,
            hash=bytes.fromhex(envelope.hash),
            key=key or b"",
            headers=list(headers),
            value=value,
            read_as=envelope,
        )

    @property
    def topic(self) -> str:
        return self.partition.topic

    @property
    def envelope(self) -> Envelope:
        """What the headers say."""
        return self.read_as or from_headers(
            self.headers, self.partition.topic, self.partition.number, self.key
        )


class Heard(NamedTuple):
    """What a handler gets: where the event stands, and what it says."""

    envelope: Envelope
    contract: Contract

    @property
    def meta(self) -> Meta:
        """The meta of the units that follow from it.

        The cause is named by its place in the source's log, so that `plumbline reconcile` finds what a lost
        position has led to.
        """
        heard = self.envelope
        cause = f"{heard.source}/{_text(heard.incarnation)}/{heard.position}"
        return Meta(heard.actor, heard.correlationid, cause, heard.traceparent)


_text = lru_cache(maxsize=256)(str)  # an incarnation stands on every message of a log


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a service hears from one other: `handle` maps a contract to own units, without I/O.

    It records the fact and nothing else (an empty sequence: not of interest), and must not reject a fact
    because another one, from elsewhere, is still missing.
    """

    source: str
    topics: tuple[str, ...]
    handle: Callable[[Heard], Sequence[Unit]]


def demultiplex(messages: Iterable[Message]) -> dict[Partition, list[Message]]:
    """Return the messages of every partition, each in the order given; partitions in a stable order."""
    chains: dict[Partition, list[Message]] = {}
    for message in messages:
        chains.setdefault(message.partition, []).append(message)
    return dict(sorted(chains.items()))
