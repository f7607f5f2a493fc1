"""A public event on its way between two services, and what a service wants to hear."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from shared.contracts.envelope import Contract, Envelope, from_headers
from shared.eventsourcing.log import Meta, Unit


class Partition(NamedTuple):
    """One ordered chain of a source's public events. `source` is the service's name, such as `intake`."""

    source: str
    topic: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A public event as both transports carry it.

    `position` counts in the source's log, `prev` is the position before it in the same partition (0 begins
    it), `hash` the log's chain at `position`. `headers` are those of Kafka; `value` is the contract's JSON.
    """

    envelope: Envelope
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @classmethod
    def read(
        cls, topic: str, partition: int, key: bytes | None, headers: Sequence[tuple[str, bytes]], value: bytes
    ) -> Message:
        """Return the message behind raw bytes; raises `ForeignMessage` for what no service of ours wrote."""
        envelope = from_headers(headers, topic, partition, key)
        return cls(envelope=envelope, headers=tuple(headers), value=value)

    @property
    def topic(self) -> str:
        return self.envelope.topic

    @property
    def partition(self) -> Partition:
        return Partition(self.envelope.source.strip("/"), self.envelope.topic, self.envelope.partition)

    @property
    def position(self) -> int:
        return self.envelope.position

    @property
    def prev(self) -> int:
        return self.envelope.prev

    @property
    def incarnation(self) -> UUID:
        return self.envelope.incarnation

    @property
    def hash(self) -> bytes:
        return bytes.fromhex(self.envelope.hash)

    @property
    def key(self) -> bytes:
        return self.envelope.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
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
        return Meta(
            actor=heard.actor,
            correlation_id=heard.correlationid,
            causation_id=f"{heard.source}/{heard.incarnation}/{heard.position}",
            traceparent=heard.traceparent,
        )


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
