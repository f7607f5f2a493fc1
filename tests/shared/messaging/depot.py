"""A service that notes the arrival of parcels, and what else a transport test needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from shared.contracts.envelope import Contract, Envelope, ForeignMessage
from shared.contracts.registry import REGISTRY, UnknownType
from shared.eventsourcing.codec import Codec
from shared.eventsourcing.decider import Decider
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.event_store import EventStore, LogDefinition
from shared.eventsourcing.log import Meta, NewerData, Step, StoreFork, Unit
from shared.eventsourcing.publishing import Publisher
from shared.eventsourcing.schema import kernel_sql, keys_sql, work_sql
from shared.messaging import checkpoints
from shared.messaging.consumer import Consumer
from shared.messaging.feed import FeedPages
from shared.messaging.hearing import Language
from shared.messaging.measures import Measures
from shared.messaging.message import Heard, Message, Subscription
from shared.messaging.outbox import Outbox
from shared.messaging.source_feed import HttpSourceFeed
from shared.runtime.database import Database
from shared.runtime.metrics import Metrics
from shared.runtime.provisioning import ServiceDatabases
from tests.support import parcels

DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteArrival:
    kind: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalNoted:
    kind: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRewound:
    kept: int
    occurred_at: datetime


def _decide(command: Any, _state: int) -> Sequence[Any]:
    if isinstance(command, SourceRewound):
        return [command]
    return [ArrivalNoted(kind=command.kind, occurred_at=command.at)]


DECIDER = Decider(stream="arrival", initial=0, decide=_decide, evolve=lambda state, _event: state + 1)
SILENT = Publisher(source="/depot", topics={}, publish=lambda recorded: recorded.event)
LOG = LogDefinition(
    service="depot", codec=Codec([ArrivalNoted, SourceRewound]), publisher=SILENT, read_models=()
)
MODELS: dict[str, type[Contract]] = {model.TYPE: model for model in (parcels.Sent, parcels.Delivered)}


def decode(kind: str, raw: bytes) -> Contract:
    if kind not in MODELS:
        raise UnknownType(kind)
    return MODELS[kind].model_validate_json(raw)


def check_origin(envelope: Envelope) -> None:
    """As the registry does it, but for parcels, whose topic every test names anew."""
    if envelope.type not in MODELS and envelope.type in REGISTRY:
        raise ForeignMessage("ce_type", f"is wrong: {envelope.type} belongs elsewhere")


async def migrate(databases: ServiceDatabases) -> None:
    conn = await asyncpg.connect(databases.owner_url)
    await conn.execute(kernel_sql(1, app_role="depot_app"))
    await conn.execute(work_sql(1, app_role="depot_app"))
    await conn.execute(kernel_sql(2, app_role="depot_app"))
    await conn.close()
    conn = await asyncpg.connect(databases.keys_owner_url)
    await conn.execute(keys_sql(1, app_role="depot_app"))
    await conn.close()


def parcels_log(topic: str) -> LogDefinition:
    """The parcels service on a topic of its own, so that tests can share a broker."""
    topics = {parcels.ParcelSent: topic, parcels.ParcelDelivered: topic}
    return parcels.definition(publisher=Publisher(source="/parcels", topics=topics, publish=parcels.publish))


def rewound(kept: int) -> Unit:
    step = Step(
        decider=DECIDER,
        stream_id=UUID(int=1),
        command=SourceRewound(kept=kept, occurred_at=parcels.NOON),
    )
    return Unit(steps=(step,), meta=Meta(actor="operator", correlation_id="reconcile"))


@dataclass
class Depot:
    """The hearing service. Parcels in `poison` make its handler fail, as a defect of ours would."""

    database: Database
    store: EventStore
    topic: str
    feed: Any
    poison: set[UUID] = field(default_factory=set)
    metrics: Metrics = field(default_factory=lambda: Metrics("depot"))

    def __post_init__(self) -> None:
        self.consumer = self.another_consumer()

    def another_consumer(self, now: Callable[[], float] | None = None) -> Consumer:
        """A consumer as a second process has it."""
        subscription = Subscription(source="parcels", topics=(self.topic,), handle=self.handle)
        return Consumer(
            self.database,
            self.store,
            [subscription],
            {"parcels": self.feed},
            Measures(self.metrics),
            language=Language(decode=decode, check_origin=check_origin),
            now=now,
        )

    def handle(self, heard: Heard) -> Sequence[Unit]:
        parcel = UUID(heard.envelope.subject)
        if parcel in self.poison:
            raise ValueError(f"cannot take {heard.envelope.position}")
        command = NoteArrival(kind=heard.contract.TYPE, at=heard.contract.occurred_at)
        return [Unit(steps=(Step(decider=DECIDER, stream_id=parcel, command=command),), meta=heard.meta)]

    async def effects(self) -> list[tuple[UUID, int]]:
        """What was noted: (parcel, position in the parcels' log), in the order it was noted."""
        async with self.database.connection() as conn:
            rows = await conn.fetch(
                "SELECT stream_id, split_part(meta->>'causation', '/', 4)::bigint AS cause FROM log.event "
                "WHERE type = 'ArrivalNoted' ORDER BY position"
            )
        return [(row["stream_id"], row["cause"]) for row in rows]

    async def positions(self) -> dict[tuple[str, int], int]:
        """How far each partition was heard."""
        async with self.database.connection() as conn:
            marks = await checkpoints.of_source(conn, "depot", "parcels")
        return {(p.topic, p.number): mark.position for p, mark in marks.items() if mark.position}

    async def scalar(self, statement: str, *arguments: Any) -> Any:
        async with self.database.connection() as conn:
            return await conn.fetchval(statement, *arguments)

    def counted(self, name: str, **labels: str) -> float:
        labels |= {"service": "depot"}
        return self.metrics.registry.get_sample_value(f"plumbline_{name}", labels) or 0.0


@dataclass
class World:
    """Parcels that are sent and delivered at one end, a depot that hears of it at the other."""

    source: parcels.Parcels
    depot: Depot
    pages: FeedPages
    source_databases: ServiceDatabases
    depot_databases: ServiceDatabases
    topic: str
    feed_is_away: bool = False

    async def append(self, *units: Unit) -> None:
        async with self.source.database.transaction() as conn:
            outcomes = await self.source.store.append(conn, units)
        self.source.store.announce(max(outcome.position for outcome in outcomes))  # type: ignore[union-attr]

    async def send(self, count: int, batch: int = 50) -> list[UUID]:
        """Send parcels, weigh and deliver them: two public events and one private one each."""
        sent = [UUID(int=(1 << 80) + n) for n in range(await self.head(), await self.head() + count)]
        for begin in range(0, count, batch):
            some = sent[begin : begin + batch]
            await self.append(*(parcels.a_parcel(to=parcel) for parcel in some))
            await self.append(
                *(parcels.unit(parcels.WeighParcel(grams=3), parcels.DeliverParcel(), to=p) for p in some)
            )
        return sent

    async def head(self) -> int:
        async with self.source.database.connection() as conn:
            return (await self.source.store.head(conn)).position

    async def messages(self) -> list[Message]:
        async with self.source.database.connection() as conn:
            return await Outbox(self.source.store).in_order(conn, 0, 1 << 40, 1 << 20)

    async def facts(self) -> list[tuple[UUID, int]]:
        """What the depot has to have noted in the end."""
        return [(UUID(message.envelope.subject), message.position) for message in await self.messages()]

    async def ends(self) -> dict[tuple[str, int], int]:
        return dict((await self.pages.head()).ends)

    async def heard(self) -> bool:
        return await self.depot.positions() == await self.ends()


def _feed_of(world: Callable[[], World]) -> HttpSourceFeed:
    async def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        if world().feed_is_away:
            raise httpx.ConnectError("the feed is away")
        try:
            if request.url.path.endswith("/head"):
                return httpx.Response(200, content=(await world().pages.head()).to_json())
            place = (asked["topic"], int(asked["partition"])) if "topic" in asked else None
            page = await world().pages.page(
                int(asked["after"]),
                wait=float(asked["wait"]),
                digest=bytes.fromhex(asked.get("hash", "")),
                place=place,
            )
        except StoreFork as fork:
            return httpx.Response(409, text=str(fork))
        except NewerData:
            return httpx.Response(503, text='{"code": "newer-data"}')
        return httpx.Response(200, content=page.to_json())

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return HttpSourceFeed(client, "http://parcels/parcels")


@asynccontextmanager
async def a_world(
    topic: str, source_databases: ServiceDatabases, depot_databases: ServiceDatabases
) -> AsyncIterator[World]:
    async with parcels.opened(source_databases, log=parcels_log(topic)) as source:
        database = await Database.open(depot_databases.url, application_name="depot", max_size=8)
        keys = await Database.open(depot_databases.keys_url, application_name="depot keys")
        store = EventStore(LOG, SubjectKeys(keys))
        async with database.transaction() as conn:
            await store.declare(conn)
        pages = FeedPages(source.database, source.store)
        depot = Depot(database, store, topic, _feed_of(lambda: world))
        world = World(source, depot, pages, source_databases, depot_databases, topic)
        try:
            yield world
        finally:
            await keys.close()
            await database.close()


async def until(condition: Callable[[], Awaitable[bool]], why: str) -> None:
    """Wait for something to become true, or fail with `why`."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, why
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(*loops: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """Run listeners and relays, and stop them as a process does."""
    stopping = asyncio.Event()
    tasks = [asyncio.ensure_future(loop(stopping)) for loop in loops]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 30)
