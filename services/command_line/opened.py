"""Opens a service's databases for an operation: our own, or those the environment names."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from services.command_line.installation import SERVICES, Installation
from services.command_line.services import definitions
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.event_store import EventStore
from shared.http.context import ServiceDefinition
from shared.runtime.database import LIMITS, Database
from shared.runtime.provisioning import ServiceDatabases, provision
from shared.runtime.settings import ServiceSettings

ACTOR = "operator:plumbline"  # who the log says did it
_FILE = "databases.json"
_WAIT_SECONDS = 5

T = TypeVar("T")


class NoDatabases(Exception):
    """Nothing says where the service's databases are; the message says what to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One service as an operator sees it: as the owner, with time for long statements."""

    definition: ServiceDefinition
    database: Database
    store: EventStore
    keys: SubjectKeys


def remember(installation: Installation, databases: Mapping[str, ServiceDatabases]) -> None:
    """Keep the URLs (they hold passwords: mode 0600) for the operations of this machine's own services."""
    path = installation.folder / _FILE
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({name: asdict(each) for name, each in databases.items()}, file)


def chosen(service: str | None, environment: Mapping[str, str]) -> list[str]:
    """Return the services an operation is for: the one named, else all of this machine's own."""
    if service is not None:
        if service not in SERVICES:
            raise NoDatabases(f"there is no service {service}; there are: {', '.join(SERVICES)}")
        return [service]
    if environment.get("DATABASE_URL"):
        raise NoDatabases("DATABASE_URL names one database: say --service NAME")
    return list(SERVICES)


def run_here(work: Coroutine[Any, Any, T]) -> T:
    """Run an operation; this machine's own PostgreSQL is started for it unless `up` has it running."""
    installation = Installation.of(os.environ)
    known = (installation.folder / _FILE).exists() and not os.environ.get("DATABASE_URL")
    if not known or installation.is_running():
        return asyncio.run(work)
    server = installation.start_postgres(os.environ)
    try:
        remember(installation, asyncio.run(provision(server.url(), SERVICES, server.password)))
        return asyncio.run(work)
    finally:
        server.stop()


@asynccontextmanager
async def opened(service: str, environment: Mapping[str, str]) -> AsyncIterator[Opened]:
    """Open a service's two databases as their owner; raises `NoDatabases`, or `DatabaseAway` after 5 s."""
    url, keys_url = _urls(service, environment)
    limits = {**LIMITS, "statement_timeout": "0", "idle_in_transaction_session_timeout": "0"}
    database = await Database.open(
        url, application_name=f"plumbline {service}", wait_seconds=_WAIT_SECONDS, limits=limits
    )
    try:
        keys_database = await Database.open(
            keys_url, application_name=f"plumbline {service}", wait_seconds=_WAIT_SECONDS
        )
        try:
            definition = definitions()[service]
            keys = SubjectKeys(keys_database)
            store = EventStore(definition.log, keys)
            async with database.transaction() as conn:
                await store.declare(conn)
            yield Opened(definition=definition, database=database, store=store, keys=keys)
        finally:
            await keys_database.close()
    finally:
        await database.close()


def _urls(service: str, environment: Mapping[str, str]) -> tuple[str, str]:
    if environment.get("DATABASE_URL"):
        settings = ServiceSettings()
        url = settings.migration_database_url or settings.database_url
        keys_url = settings.keys_migration_database_url or settings.keys_database_url
        return url.get_secret_value(), keys_url.get_secret_value()
    installation = Installation.of(environment)
    try:
        known = json.loads((installation.folder / _FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NoDatabases(
            f"no databases are known in {installation.folder}: run `make up` once, or set DATABASE_URL and "
            "KEYS_DATABASE_URL"
        ) from None
    return known[service]["owner_url"], known[service]["keys_owner_url"]
