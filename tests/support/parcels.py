"""A service as small as can be, for tests of the kernel: parcels sent, weighed, delivered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, assert_never
from uuid import UUID

import asyncpg
import sqlalchemy as sa

from shared.contracts.envelope import Contract
from shared.contracts.told import Told, tell
from shared.eventsourcing.codec import Codec
from shared.eventsourcing.decider import Decider, Personal, Rejected
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.event_store import EventStore, LogDefinition
from shared.eventsourcing.log import IdempotencyKey, Meta, Recorded, Step, Unit
from shared.eventsourcing.projection import Changes, ReadModel
from shared.eventsourcing.publishing import Publisher
from shared.eventsourcing.schema import kernel_sql, keys_sql, work_sql
from shared.runtime.database import Database
from shared.runtime.ids import derived, uuid7
from shared.runtime.provisioning import ServiceDatabases

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNA = derived(UUID(int=0), "anna")
TOPIC = "plumbline.parcels.parcels.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SendParcel:
    sender_id: UUID
    label: str
    sent_at: datetime = NOON


@dataclass(frozen=True, slots=True, kw_only=True)
class WeighParcel:
    grams: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverParcel:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelSent:
    sender_id: UUID
    label: Annotated[str, Personal("sender_id")]
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelWeighed:
    grams: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelDelivered:
    occurred_at: datetime


class AlreadyDelivered(Rejected):
    """A delivered parcel stays delivered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    sent: bool = False
    grams: int = 0
    delivered: bool = False


def decide(command: Any, state: Parcel) -> Sequence[Any]:
    match command:
        case SendParcel():
            return (
                []
                if state.sent
                else [
                    ParcelSent(sender_id=command.sender_id, label=command.label, occurred_at=command.sent_at)
                ]
            )
        case WeighParcel():
            if state.delivered:
                raise AlreadyDelivered("the parcel has been delivered", remedy="weigh it before")
            return [ParcelWeighed(grams=command.grams, occurred_at=NOON)]
        case DeliverParcel():
            if state.delivered:
                raise AlreadyDelivered("the parcel has been delivered")
            return [ParcelDelivered(occurred_at=NOON)]
        case _:
            assert_never(command)


def evolve(state: Parcel, event: Any) -> Parcel:
    match event:
        case ParcelSent():
            return Parcel(sent=True)
        case ParcelWeighed():
            return Parcel(sent=state.sent, grams=event.grams, delivered=state.delivered)
        case ParcelDelivered():
            return Parcel(sent=state.sent, grams=state.grams, delivered=True)
        case _:
            assert_never(event)


DECIDER = Decider(stream="parcel", initial=Parcel(), decide=decide, evolve=evolve)


class Sent(Contract):
    """A parcel is on its way."""

    TYPE: ClassVar[str] = "plumbline.parcel.sent.v1"
    TOPIC: ClassVar[str] = TOPIC
    parcel_id: UUID


class Delivered(Contract):
    """A parcel has arrived."""

    TYPE: ClassVar[str] = "plumbline.parcel.delivered.v1"
    TOPIC: ClassVar[str] = TOPIC
    parcel_id: UUID


def publish(recorded: Recorded) -> Told:
    match recorded.event:
        case ParcelSent():
            return tell(Sent, recorded.event, parcel_id=recorded.stream_id, historic=False)
        case ParcelDelivered():
            return tell(Delivered, recorded.event, parcel_id=recorded.stream_id, historic=False)
        case _:
            raise LookupError(type(recorded.event).__name__)


PUBLISHER = Publisher(source="/parcels", topics={ParcelSent: TOPIC, ParcelDelivered: TOPIC}, publish=publish)
CODEC = Codec([ParcelSent, ParcelWeighed, ParcelDelivered])


def parcel_list(version: int = 1) -> ReadModel:
    table = sa.Table(
        f"parcel_list_v{version}",
        sa.MetaData(schema="read"),
        sa.Column("parcel_id", sa.Uuid, primary_key=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("grams", sa.Integer, nullable=False, default=0),
        sa.Column("delivered", sa.Boolean, nullable=False, default=False),
    )

    def fold(events: Sequence[Recorded], changes: Changes) -> None:
        for recorded in events:
            match recorded.event:
                case ParcelSent(label=label):
                    changes.put(recorded.stream_id, label=label)
                case ParcelWeighed(grams=grams):
                    changes.set(recorded.stream_id, grams=grams)
                case ParcelDelivered():
                    changes.set(recorded.stream_id, delivered=True)

    return ReadModel(
        name="parcel_list",
        version=version,
        table=table,
        follows=(ParcelSent, ParcelWeighed, ParcelDelivered),
        fold=fold,
    )


PARCEL_LIST = parcel_list()


def definition(*models: ReadModel, publisher: Publisher = PUBLISHER, codec: Codec = CODEC) -> LogDefinition:
    return LogDefinition(
        service="parcels", codec=codec, publisher=publisher, read_models=models or (PARCEL_LIST,)
    )


async def migrate(databases: ServiceDatabases) -> None:
    """Prepare the databases as a service's migrations do, with two versions of the read model's table."""
    conn = await asyncpg.connect(databases.owner_url)
    await conn.execute(kernel_sql(1, app_role="parcels_app"))
    await conn.execute(work_sql(1, app_role="parcels_app"))
    for version in (1, 2):
        await conn.execute(
            f"CREATE TABLE read.parcel_list_v{version} (parcel_id uuid PRIMARY KEY, label text NOT NULL, "
            "grams integer NOT NULL, delivered boolean NOT NULL)"
        )
    await conn.execute(kernel_sql(2, app_role="parcels_app"))
    await conn.close()
    conn = await asyncpg.connect(databases.keys_owner_url)
    await conn.execute(keys_sql(1, app_role="parcels_app"))
    await conn.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcels:
    """The store of one process on opened databases."""

    database: Database
    keys: SubjectKeys
    store: EventStore


@asynccontextmanager
async def opened(
    databases: ServiceDatabases, *models: ReadModel, log: LogDefinition | None = None
) -> AsyncIterator[Parcels]:
    """Open the databases as one process of the service does."""
    database = await Database.open(databases.url, application_name="parcels", max_size=12)
    keys_database = await Database.open(databases.keys_url, application_name="parcels keys", max_size=4)
    try:
        keys = SubjectKeys(keys_database)
        store = EventStore(log or definition(*models), keys)
        async with database.transaction() as conn:
            await store.declare(conn)
        yield Parcels(database=database, keys=keys, store=store)
    finally:
        await keys_database.close()
        await database.close()


META = Meta(actor="tests", correlation_id="c-1")


def unit(
    *commands: Any, to: UUID | None = None, key: str | None = None, body: bytes = b"", **step: Any
) -> Unit:
    """One unit whose commands go to one parcel."""
    parcel = to or uuid7()
    return Unit(
        steps=tuple(Step(decider=DECIDER, stream_id=parcel, command=command, **step) for command in commands),
        meta=META,
        idempotency=IdempotencyKey(scope="tests POST /parcels", key=key, request_sha256=body.ljust(32, b"."))
        if key
        else None,
    )


def a_parcel(label: str = "books", *, sender_id: UUID = ANNA, **kwargs: Any) -> Unit:
    """A unit that sends a new parcel."""
    return unit(SendParcel(sender_id=sender_id, label=label), new=True, **kwargs)
