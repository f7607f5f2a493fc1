"""One service in one process: starts and stops its parts in the right order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from pydantic import SecretStr

from shared.eventsourcing.catch_up import CatchUp
from shared.eventsourcing.command_handler import CommandHandler
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.group_commit import GroupCommit
from shared.http import feed
from shared.http.app import Api, create_app
from shared.http.auth import TokenAuthenticator
from shared.http.consistency import Consistency, Tokens
from shared.http.context import ServiceContext, ServiceDefinition
from shared.http.gate import Rules, Traffic, hot_routes
from shared.http.keyring import KeyRing
from shared.http.management import Check
from shared.http.measures import Measures
from shared.http.migrations import wait_for_migrations
from shared.http.rates import Rates
from shared.http.workers import Transport, Worker
from shared.messaging.feed import FeedPages
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.database import Database
from shared.runtime.ids import NumberBlocks
from shared.runtime.metrics import Metrics
from shared.runtime.settings import ServiceSettings

_LOG = structlog.get_logger(__name__)
_PART_SECONDS = 10.0
API, WORKER = "api", "worker"

Stop = Callable[[], Awaitable[Any]]


class NoKeys(Exception):
    """An API without public keys could let nobody in."""


class Service:
    """The running service. `start` once; then `app` answers (role api) and `stop` ends it in order."""

    def __init__(
        self,
        definition: ServiceDefinition,
        settings: ServiceSettings,
        *,
        roles: frozenset[str] = frozenset({API, WORKER}),
        metrics: Metrics | None = None,
        clock: Clock | None = None,
        traffic: Traffic | None = None,
        transport: Transport = lambda _: None,
    ) -> None:
        if API in roles and settings.jwks is None:
            raise NoKeys("PLUMBLINE_JWKS is not set: give the public keys that tokens are verified with")
        self.definition = definition
        self.settings = settings
        self.roles = roles
        self.metrics = metrics or Metrics(definition.name)
        self.clock = clock or SystemClock()
        self.traffic = traffic or Traffic()
        self._transport = transport
        self.app: Api | None = None
        self.context: ServiceContext | None = None
        self._waiting_for = "its turn to start"
        self._stops: list[tuple[str, Stop]] = []
        self._database: Database | None = None
        self._worker: Worker | None = None
        self._caught_up: Callable[[int], Awaitable[bool]] | None = None
        self._target = 0

    @property
    def name(self) -> str:
        return self.definition.name

    async def start(self) -> None:
        """Start every part, waiting for the database and the migrations.

        What was started is stopped again when a later part cannot start.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        database = self._database = await self._open("database", self.settings.database_url)
        keys = SubjectKeys(await self._open("keys database", self.settings.keys_database_url))
        self._waiting_for = "migrations"
        await wait_for_migrations(database, self.definition, self.settings.database_wait_seconds)
        self._waiting_for = "its parts"
        store = EventStore(self.definition.log, keys)
        async with database.transaction() as conn:
            await store.declare(conn)
            self._target = (await store.head(conn)).position
        catch_up = CatchUp(database, store, metrics=self.metrics)
        catch_up.start()
        self._stops.append(("read models", catch_up.stop))
        self._caught_up = catch_up.caught_up_to
        commit = GroupCommit(database, store)
        commit.start()
        self._stops.append(("group commit", commit.stop))
        worker = self._worker = Worker(
            self.definition, self.settings, database, store, self.metrics, transport=self._transport
        )
        self._stops.append(("worker", worker.stop))
        numbers = self.definition.numbers.items()
        self.context = ServiceContext(
            settings=self.settings,
            clock=self.clock,
            database=database,
            keys=keys,
            store=store,
            commands=CommandHandler(commit, self.definition.permissions),
            numbers={prefix: NumberBlocks(database, sequence) for prefix, sequence in numbers},
            progress=worker.progress,
            metrics=self.metrics,
        )
        if WORKER in self.roles:
            worker.start(self.context)
        if API in self.roles:
            await self._start_api(self.context, catch_up, worker)
        self._waiting_for = ""
        _LOG.info("service started", name=self.name, roles=sorted(self.roles))

    async def _start_api(self, context: ServiceContext, catch_up: CatchUp, worker: Worker) -> None:
        keys = KeyRing(self.settings.jwks or "")
        await keys.open()
        pages = FeedPages(context.database, context.store)
        publisher = self.definition.log.publisher
        tokens = Tokens(self.name, publisher.topics, context.store.partitions)
        hot = self.definition.hot_routes
        rules = Rules(
            service=self.name,
            authenticator=TokenAuthenticator(
                keys,
                issuer=self.settings.issuer,
                audience=self.settings.audience,
                now=lambda: self.clock.now().timestamp(),
            ),
            measures=Measures(self.metrics),
            rates=Rates(self.settings.requests_per_second),
            consistency=Consistency(self.name, catch_up.caught_up_to, worker.progress.reached),
            token_of=tokens.of,
            traced="OTEL_EXPORTER_OTLP_ENDPOINT" in os.environ,
            body_limit=self.settings.body_limit_bytes,
            seconds=self.settings.request_timeout_seconds,
            traffic=self.traffic,
            hot=hot_routes(hot(context) if hot else ()),
        )
        self.app = create_app(rules, [*self.definition.routers(context), feed.router(pages, self.traffic)])

    async def stop(self) -> None:
        """Stop the parts in the reverse of their start; one that hangs is left behind after 10 seconds."""
        self._waiting_for = "its end"
        while self._stops:
            name, stop = self._stops.pop()
            try:
                async with asyncio.timeout(_PART_SECONDS):
                    await stop()
            except Exception as error:  # noqa: BLE001  the others must be stopped all the same
                _LOG.warning("could not be stopped in order", part=name, error=type(error).__name__)

    def checks(self) -> list[Check]:
        """Return what readiness depends on; Kafka does not count, for the log keeps what it could not say."""
        found = [
            Check(f"{self.name}: started", self._started),
            Check(f"{self.name}: database", self._answers),
            Check(f"{self.name}: read models", self._shown),
        ]
        if self._worker is not None:
            found.append(Check(f"{self.name}: relay", self._worker.refusal, needed=False))
        return found

    async def _started(self) -> str:
        if self.traffic.draining:
            return "draining"
        return f"waiting for {self._waiting_for}" if self._waiting_for else ""

    async def _answers(self) -> str:
        if self._database is None:
            return "not connected yet"
        async with self._database.connection() as conn:
            await conn.fetchval("SELECT 1")
        return ""

    async def _shown(self) -> str:
        """Demand that the head read at the start has been shown once; later lag is measured, not refused."""
        if self._caught_up is None:
            return "not started yet"
        if self._target and await self._caught_up(self._target):
            self._target = 0
        return f"behind position {self._target}" if self._target else ""

    async def _open(self, what: str, url: SecretStr) -> Database:
        self._waiting_for = what
        database = await Database.open(
            url.get_secret_value(),
            application_name=f"plumbline {self.name}",
            min_size=self.settings.pool_min_size,
            max_size=self.settings.pool_max_size,
            wait_seconds=self.settings.database_wait_seconds,
        )
        self._stops.append((what, database.close))
        return database
