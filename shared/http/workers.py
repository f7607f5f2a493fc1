"""What a worker process does for a service: relays, listens, fires timers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import structlog

from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.timers import TimerPoller
from shared.http.context import ServiceContext, ServiceDefinition
from shared.messaging.brokers import KafkaAccess
from shared.messaging.consumer import Consumer
from shared.messaging.feed_listener import FeedListener
from shared.messaging.kafka_listener import EXIT_CODE, KafkaListener
from shared.messaging.measures import Measures
from shared.messaging.progress import Progress
from shared.messaging.relay import Relay
from shared.messaging.source_feed import HttpSourceFeed
from shared.runtime.database import Database
from shared.runtime.http_client import http_client
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceSettings

_LOG = structlog.get_logger(__name__)
_LISTENER_SECONDS = 5.0

Transport = Callable[[str], httpx.AsyncBaseTransport | None]
"""Answers how to reach the service of this name; None: over the network."""


class NoAddress(Exception):
    """A service is to hear another one whose address nobody told."""


class Worker:
    """The tasks of one service that no request starts. One that ends by itself ends the process.

    A supervisor then begins anew, which is safe at any moment: nothing is held outside the database.
    """

    def __init__(
        self,
        definition: ServiceDefinition,
        settings: ServiceSettings,
        database: Database,
        store: EventStore,
        metrics: Metrics,
        *,
        transport: Transport = lambda _: None,
        give_up: Callable[[], None] = lambda: os._exit(EXIT_CODE),
    ) -> None:
        self._settings = settings
        self._database = database
        self._store = store
        self._definition = definition
        self._give_up = give_up
        self._measures = Measures(metrics)
        self._clients = {s.source: self._client(s.source, transport) for s in definition.subscriptions}
        feeds = {source: HttpSourceFeed(client, "") for source, client in self._clients.items()}
        self._consumer = Consumer(database, store, definition.subscriptions, feeds, self._measures)
        self.progress = Progress(self._consumer)
        self._relaying, self._listening = asyncio.Event(), asyncio.Event()
        self._relays: Relay | None = None
        self._relay: asyncio.Task[None] | None = None
        self._listeners: list[asyncio.Task[None]] = []
        self._timers: list[TimerPoller] = []

    def start(self, context: ServiceContext) -> None:
        """Begin to relay (with Kafka), to listen and to fire; raises `NoAddress`."""
        for source in self._clients.keys() - self._settings.sources.keys():
            raise NoAddress(
                f"{self._definition.name} hears {source}: set PLUMBLINE_SOURCES__{source.upper()}"
            )
        servers = self._settings.kafka_bootstrap_servers
        access = KafkaAccess(bootstrap_servers=servers, settings=self._settings.kafka) if servers else None
        if access is not None and self._store.partitions:
            self._relays = Relay(self._database, self._store, access, self._measures)
            self._relay = self._task("relay", self._relays.run, self._relaying)
        if self._clients:
            listeners: dict[str, Callable[[asyncio.Event], Any]] = {"progress": self.progress.run}
            if access is not None:
                listeners["listener"] = KafkaListener(self._consumer, access, give_up=self._give_up).run
            else:
                for source in self._clients:
                    listeners[f"listener to {source}"] = FeedListener(self._consumer, source).run
            self._listeners = [self._task(name, run, self._listening) for name, run in listeners.items()]
        make = self._definition.timers
        self._timers = list(make(context)) if make is not None else []
        for timer in self._timers:
            timer.start()

    async def refusal(self) -> str:
        """Return why nothing goes to Kafka now; empty while it does, or where there is no Kafka."""
        return self._relays.refused if self._relays is not None else ""

    async def stop(self) -> None:
        """End in this order: no more timers, the relay's round, the batches in hand."""
        for timer in self._timers:
            await timer.stop()
        self._relaying.set()
        if self._relay is not None:
            await asyncio.wait([self._relay], timeout=_LISTENER_SECONDS)
        self._listening.set()
        if self._listeners:
            await asyncio.wait(self._listeners, timeout=_LISTENER_SECONDS)
        for task in [self._relay, *self._listeners]:
            if task is not None:
                task.cancel()
        for client in self._clients.values():
            await client.aclose()

    def _client(self, source: str, transport: Transport) -> httpx.AsyncClient:
        address = self._settings.sources.get(source, "")
        secret = self._settings.service_token
        token = None if secret is None else secret.get_secret_value
        return http_client(address.rstrip("/"), token=token, transport=transport(source), tries=1)

    def _task(
        self, name: str, run: Callable[[asyncio.Event], Awaitable[None]], stopping: asyncio.Event
    ) -> asyncio.Task[None]:
        async def watched() -> None:
            try:
                await run(stopping)
            except Exception as error:  # noqa: BLE001  without this task the service would be deaf or mute
                _LOG.error("ended by itself", part=name, error=repr(error))
            if not stopping.is_set():
                self._give_up()

        return asyncio.create_task(watched(), name=f"{self._definition.name} {name}")
