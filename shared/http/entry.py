"""One service's command line: `python -m services.<name> api | worker | migrate | wait`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NoReturn

import structlog
from pydantic import ValidationError

from shared.eventsourcing.catch_up import CatchUp
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.event_store import EventStore
from shared.http.context import ServiceDefinition
from shared.http.migrations import applied, newest, wait_for_migrations
from shared.http.serve import run
from shared.runtime import logging
from shared.runtime.database import Database
from shared.runtime.settings import ServiceSettings

_LOG = structlog.get_logger(__name__)
_POLL_SECONDS = 0.2
_USAGE = """usage: python -m services.{name} api | worker | migrate | wait

  api      answer HTTP on PLUMBLINE_PORT (management on PLUMBLINE_MANAGEMENT_PORT)
  worker   publish to Kafka or serve followers, hear the other services, fire timers
  migrate  bring both databases to this release's schema and fill new read models, then end
  wait     end once the database has been migrated as far as this release needs

Settings come from the environment; `plumbline config` lists and checks them."""


def main(
    definition: ServiceDefinition, settings: Callable[[], ServiceSettings], arguments: Sequence[str]
) -> None:
    """Run the role that the arguments name; a wrong setting or argument ends with status 2 and says why."""
    if len(arguments) != 1 or arguments[0] not in ("api", "worker", *_ERRANDS):
        _refuse(_USAGE.format(name=definition.name))
    try:
        chosen = settings()
    except (ValidationError, ValueError) as error:
        _refuse(f"settings: {error}")
    errand = _ERRANDS.get(arguments[0])
    if errand is None:
        run(definition, chosen, arguments[0])
        return
    logging.configure(service=definition.name, level=chosen.log_level, style=chosen.log_format)
    asyncio.run(errand(definition, chosen))


async def migrate_service(
    definition: ServiceDefinition,
    settings: ServiceSettings,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> str:
    """Migrate both databases, then fill the read models that are new in this release; return the revision.

    Uses the owner's URLs where they are given, else the app's, which suits a server with one role only.
    `progress` is told positions done and in all.
    """
    url = (settings.migration_database_url or settings.database_url).get_secret_value()
    keys_url = (settings.keys_migration_database_url or settings.keys_database_url).get_secret_value()
    wait = settings.database_wait_seconds
    database = await Database.open(url, application_name=f"{definition.name} migrate", wait_seconds=wait)
    keys_database = await Database.open(
        keys_url, application_name=f"{definition.name} migrate", wait_seconds=wait
    )
    try:
        revision = await _migrate(definition, database, url, keys_url)
        store = EventStore(definition.log, SubjectKeys(keys_database))
        async with database.transaction() as conn:
            await store.declare(conn)
            head = (await store.head(conn)).position
        await _fill(database, store, head, progress)
    finally:
        await keys_database.close()
        await database.close()
    _LOG.info("migrated", service=definition.name, revision=revision, head=head)
    return revision


async def wait_for_head(definition: ServiceDefinition, settings: ServiceSettings) -> None:
    """Wait for the database and its migrations: what an init container does before a new release starts."""
    url, seconds = settings.database_url.get_secret_value(), settings.database_wait_seconds
    database = await Database.open(url, application_name=f"{definition.name} wait", wait_seconds=seconds)
    try:
        await wait_for_migrations(database, definition, seconds)
    finally:
        await database.close()
    _LOG.info("the database is ready for this release", name=definition.name)


_ERRANDS: Mapping[str, Callable[[ServiceDefinition, ServiceSettings], Coroutine[Any, Any, object]]] = {
    "migrate": migrate_service,
    "wait": wait_for_head,
}


async def _migrate(definition: ServiceDefinition, database: Database, url: str, keys_url: str) -> str:
    """Migrate unless nothing is missing: then alembic, which takes half a second to load, is not needed."""
    folder = definition.migrations
    assert folder is not None  # noqa: S101  every service has them
    at = await applied(database)
    if at >= newest(folder):
        return f"{at:04d}"
    from shared.eventsourcing.migrating import migrate

    return await migrate(folder, service=definition.name, url=url, keys_url=keys_url)


async def _fill(
    database: Database, store: EventStore, head: int, progress: Callable[[int, int], None]
) -> None:
    catch_up = CatchUp(database, store)
    if not head or await catch_up.caught_up_to(head):
        return
    catch_up.start()
    try:
        while not await catch_up.caught_up_to(head):
            states = await catch_up.states()
            progress(min((state.applied for state in states.values()), default=head), head)
            await asyncio.sleep(_POLL_SECONDS)
    finally:
        await catch_up.stop()


def _refuse(text: str) -> NoReturn:
    sys.stderr.write(text + "\n")
    raise SystemExit(2)
