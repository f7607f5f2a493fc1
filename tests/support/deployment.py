"""A whole deployment by settings alone: services as processes, durable PostgreSQL, Kafka."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from services.command_line.access import Access
from services.command_line.installation import SERVICES
from shared.http.issuer import Issuer
from shared.runtime.clock import SystemClock
from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.provisioning import ServiceDatabases, provision
from tests.support.kafka import Broker
from tests.support.processes import Process, clean_environment, finished, free_ports
from tests.support.real import temporary_server

ROLES = ("api", "worker")
DURABLE = {"max_connections": "200", "full_page_writes": "on", "synchronous_commit": "on"}
_HOURS = timedelta(hours=8)


class Server:
    """A durable PostgreSQL server that can be cut off and come back with what was committed."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        self._folder = server.folder

    @property
    def url(self) -> str:
        return self._server.url()

    def password(self, role: str) -> str:
        return self._server.password(role)

    async def cut(self) -> None:
        """Shut down at once, without a checkpoint: the next start recovers from the log."""
        os.kill(self._server.pid, signal.SIGQUIT)
        await asyncio.to_thread(self._server.stop)

    async def come_back(self) -> None:
        """Start again on the same port."""
        self._server = await asyncio.to_thread(
            EmbeddedPostgres.start, self._folder, os.environ, binaries=self._server.binaries, settings=DURABLE
        )

    def stop(self) -> None:
        self._server.stop()


@dataclass
class Deployment:
    """The services as `python -m services.<name> <role>`, told everything by their environment."""

    folder: Path
    server: Server
    broker: Broker
    databases: Mapping[str, ServiceDatabases]
    services: Collection[str]
    issuer: Issuer
    ports: Mapping[str, int]
    processes: dict[str, Process] = field(default_factory=dict)

    def environment(self, service: str) -> dict[str, str]:
        """Return what every process of a service is told."""
        found = self.databases[service]
        sources = {other: self.address(other) for other in SERVICES if other != service}
        token = self.issuer.mint(f"service:{service}", ["event_consumer"], _HOURS)
        return {
            **clean_environment(),
            "DATABASE_URL": found.url,
            "KEYS_DATABASE_URL": found.keys_url,
            "PLUMBLINE_MIGRATION_DATABASE_URL": found.owner_url,
            "PLUMBLINE_KEYS_MIGRATION_DATABASE_URL": found.keys_owner_url,
            "KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "PLUMBLINE_KAFKA__REPLICATION_FACTOR": "1",
            **{f"PLUMBLINE_SOURCES__{name.upper()}": address for name, address in sources.items()},
            "PLUMBLINE_JWKS": self.issuer.jwks(),
            "PLUMBLINE_SERVICE_TOKEN": token,
            "PLUMBLINE_HOST": "127.0.0.1",
            "PLUMBLINE_POOL_MAX_SIZE": "5",
            "PLUMBLINE_LOG_LEVEL": "info",
        }

    def address(self, service: str) -> str:
        """Return the base URL of a service's API."""
        return f"http://127.0.0.1:{self.ports[service]}/{service}"

    def process(self, service: str, role: str, *, another: str = "") -> Process:
        """Make a process, not started yet. `another` names a second one of the same service and role."""
        name = f"{service}-{role}{another}"
        [management, port] = free_ports(2)
        environment = {
            **self.environment(service),
            "PLUMBLINE_PORT": str(port if another else self.ports[service]),
            "PLUMBLINE_MANAGEMENT_PORT": str(management),
        }
        made = Process(
            name, ["-m", f"services.{service}", role], environment, self.folder / f"{name}.log", management
        )
        self.processes[name] = made
        return made

    async def prepare(self) -> None:
        """Declare the topics and migrate every service."""
        [first, *_] = self.services
        await asyncio.gather(
            finished("-m", "shared.messaging", environment=self.environment(first)),
            *(
                finished("-m", f"services.{s}", "migrate", environment=self.environment(s))
                for s in self.services
            ),
        )

    async def start(self) -> None:
        """Start an API and a worker of every service, supervised, and wait until all are ready."""
        for service in self.services:
            for role in ROLES:
                self.process(service, role).supervised()
        await self.ready()

    async def ready(self) -> None:
        """Wait until every process is ready."""
        await asyncio.gather(*(process.ready() for process in self.processes.values()))

    def token(self, name: str, *roles: str) -> str:
        """Return a token of this person."""
        return self.issuer.mint(name, roles or ("administrator",), _HOURS)

    def access(self, name: str, *roles: str) -> Access:
        """Return a person's way into all services."""
        return Access({service: self.address(service) for service in SERVICES}, self.token(name, *roles))

    async def fetch(self, service: str, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Ask a service's database, as its owner."""
        conn = await asyncpg.connect(self.databases[service].owner_url)
        try:
            found: list[asyncpg.Record] = await conn.fetch(statement, *arguments)
            return found
        finally:
            await conn.close()

    async def operate(self, service: str, *arguments: str) -> str:
        """Run the `plumbline` command with a service's settings."""
        environment = {**self.environment(service), "COLUMNS": "200"}
        environment["PLUMBLINE_SERVICE_TOKEN"] = self.token("operator", "operator", "event_consumer")
        return await finished("-m", "services", *arguments, environment=environment)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> dict[str, int]:
        """End every process, in good order unless told otherwise; return the exit statuses."""
        found = await asyncio.gather(*(process.end(how) for process in self.processes.values()))
        return dict(zip(self.processes, found, strict=True))


@asynccontextmanager
async def deployed(
    libraries: Path, services: Collection[str] = SERVICES, *, on: Broker | None = None
) -> AsyncIterator[Deployment]:
    """Run a deployment with a durable server of its own, migrated and ready.

    It has a broker of its own too, unless it runs `on` one that nobody else puts Plumbline's topics on.
    """
    folder = Path(tempfile.mkdtemp(prefix="plumbline-test-deployment-"))
    broker = on or await asyncio.to_thread(Broker.of_jars, libraries)
    with temporary_server(settings=DURABLE) as embedded:
        server = Server(embedded)
        deployment = Deployment(
            folder=folder,
            server=server,
            broker=broker,
            databases=await provision(server.url, SERVICES, server.password),
            services=services,
            issuer=Issuer.open(folder / "issuer.json", clock=SystemClock()),
            ports=dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True)),
        )
        try:
            if on is None:
                await asyncio.to_thread(broker.start)
            await deployment.prepare()
            await deployment.start()
            yield deployment
        finally:
            await deployment.end(signal.SIGKILL)
            if on is None:
                broker.discard()
            server.stop()
            shutil.rmtree(folder, ignore_errors=True)


def jsonl(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
