"""Rows of the outbox as messages, mapped so that nobody else has to wait."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from shared.contracts.envelope import Envelope, to_headers
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import NewerData
from shared.messaging.message import Message, Partition
from shared.messaging.outbox import Outbox
from shared.runtime.ids import uuid7
from tests.support.parcels import NOON, TOPIC, ParcelDelivered, definition

META = '{"actor":"anna","correlation":"c-1","causation":"k-2","traceparent":""}'
PAYLOAD = '{"occurred_at":"2026-03-02T10:15:00.000001Z"}'
INCARNATION = UUID(int=7)


def row(position: int, topic: str = TOPIC) -> tuple[Any, ...]:
    """Return what the outbox reads for a delivered parcel, in the order of its columns."""
    event = (position, "parcel", uuid7(), 3, uuid7(), ParcelDelivered.__name__, 1, PAYLOAD, META)
    noon = int(NOON.timestamp()) * 1_000_000
    return (*event, noon, bytes([position % 256]) * 32, topic, 2, position - 1, INCARNATION)


@pytest.fixture
def outbox() -> Outbox:
    return Outbox(EventStore(definition(), SubjectKeys(None)))  # type: ignore[arg-type]  no key is looked up


async def test_a_message_says_what_its_row_holds(outbox: Outbox) -> None:
    stored = row(5)
    [message] = await outbox.messages([stored])
    envelope = message.envelope
    assert (message.partition, message.key) == (Partition("parcels", TOPIC, 2), str(stored[2]).encode())
    assert (envelope.id, envelope.subject, envelope.sequence) == (stored[4], str(stored[2]), 3)
    assert (envelope.position, envelope.prev, envelope.incarnation) == (5, 4, INCARNATION)
    assert (envelope.actor, envelope.correlationid, envelope.causationid) == ("anna", "c-1", "k-2")
    assert (envelope.time.isoformat(), envelope.recorded_at) == ("2026-03-02T10:15:00.000001+00:00", NOON)
    assert isinstance(envelope, Envelope)
    assert to_headers(envelope) == message.headers
    assert message == Message.read(TOPIC, 2, message.key, message.headers, message.value)


async def test_others_have_their_turn_while_messages_are_mapped(outbox: Outbox) -> None:
    turns = 0

    async def work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.ensure_future(work())
    messages = await outbox.messages([row(position) for position in range(1, 1001)])
    other.cancel()
    assert [message.position for message in messages] == [*range(1, 1001)]
    assert turns >= 5


async def test_a_row_on_a_topic_that_this_release_does_not_know_stops_all(outbox: Outbox) -> None:
    with pytest.raises(NewerData, match="ParcelDelivered is public on plumbline"):
        await outbox.messages([row(1), Row(row(2, "plumbline.parcels.lost.v9"))])


class Row(tuple[Any, ...]):
    """A row whose type can be asked for by name, as those of the database can."""

    __slots__ = ()

    def __getitem__(self, at: Any) -> Any:
        return super().__getitem__(5 if at == "type" else at)
