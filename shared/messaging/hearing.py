"""From messages to units of work: decoded, handled, decided and encoded without a lock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, is_
from typing import Any, Final

from shared.contracts import registry
from shared.contracts.envelope import Contract, Envelope
from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import Appended, Unit
from shared.eventsourcing.preparing import Prepared
from shared.messaging.message import Heard, Message, Partition, Subscription

AT_ONCE: Final = 100  # messages, a millisecond or two
by_position: Final = attrgetter("position")


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """What services say to each other: `decode` reads a body, `check_origin` refuses what is out of place."""

    decode: Callable[[str, bytes], Contract] = registry.decode
    check_origin: Callable[[Envelope], None] = registry.check_origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Messages in position order with the units that follow from them."""

    messages: Sequence[Message]
    units: Sequence[Prepared | Appended | Exception]
    unknown: int  # how many were of a type that only a later release knows

    def of(self, messages: Sequence[Message]) -> bool:
        """Tell whether it was made of exactly these messages."""
        return len(messages) == len(self.messages) and all(map(is_, messages, self.messages))


class Hearing:
    """Turns what a service hears into its own units, by its subscriptions."""

    def __init__(
        self, store: EventStore, subscriptions: Mapping[str, Subscription], language: Language
    ) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._decode = language.decode

    def wanted(self, messages: Sequence[Message], stopped: Collection[Partition]) -> list[Message]:
        """Return what the service has subscribed to, without the partitions that are stopped."""
        topics = {source: subscription.topics for source, subscription in self._subscriptions.items()}
        heard = {
            partition
            for partition in {message.partition for message in messages} - set(stopped)
            if partition.topic in topics.get(partition.source, ())
        }
        return [message for message in messages if message.partition in heard]

    async def ready(self, conn: Any, source: str, messages: Sequence[Message]) -> Ready:
        """Return the messages' units, decided on what their streams are now."""
        units: list[Unit] = []
        unknown = 0
        for begin in range(0, len(messages), AT_ONCE):
            if begin:
                await asyncio.sleep(0)  # what else this process does has its turn
            found, more = self._units(source, messages[begin : begin + AT_ONCE])
            units += found
            unknown += more
        return Ready(
            messages=messages, units=await self._store.prepare(conn, units) if units else (), unknown=unknown
        )

    def _units(self, source: str, messages: Iterable[Message]) -> tuple[list[Unit], int]:
        handle = self._subscriptions[source].handle
        units: list[Unit] = []
        unknown = 0
        for message in messages:
            envelope = message.envelope
            try:
                contract = self._decode(envelope.type, message.value)
            except registry.UnknownType:
                unknown += 1
            else:
                units += handle(Heard(envelope=envelope, contract=contract))
        return units, unknown
