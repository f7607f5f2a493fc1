"""The command line of one service: `python -m services.<name> api | worker | migrate`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import structlog
from pydantic import ValidationError

from shared.eventsourcing.catch_up import CatchUp
from shared.eventsourcing.encryption import SubjectKeys
from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.migrating import migrate
from shared.http.context import ServiceDefinition
from shared.http.serve import run
from shared.runtime import logging
from shared.runtime.database import Database
from shared.runtime.settings import ServiceSettings

_LOG = structlog.get_logger(__name__)
_POLL_SECONDS = 0.2
_USAGE = """usage: python -m services.{name} api | worker | migrate

  api      answer HTTP on PLUMBLINE_PORT (management on PLUMBLINE_MANAGEMENT_PORT)
  worker   publish to Kafka or serve followers, hear the other services, fire timers
  migrate  bring both databases to this release's schema and fill new read models, then end

Settings come from the environment; `plumbline config` lists and checks them."""


def main(
    definition: ServiceDefinition, settings: Callable[[], ServiceSettings], arguments: Sequence[str]
) -> None:
    """Run the role that the arguments name; a wrong setting or argument ends with status 2 and says why."""
    if len(arguments) != 1 or arguments[0] not in ("api", "worker", "migrate"):
        _refuse(_USAGE.format(name=definition.name))
    try:
        chosen = settings()
    except (ValidationError, ValueError) as error:
        _refuse(f"settings: {error}")
    if arguments[0] != "migrate":
        run(definition, chosen, arguments[0])
        return
    logging.configure(service=definition.name, level=chosen.log_level, style=chosen.log_format)
    asyncio.run(migrate_service(definition, chosen))


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
    assert definition.migrations is not None  # noqa: S101  every service has them
    wait = settings.database_wait_seconds
    database = await Database.open(url, application_name=f"{definition.name} migrate", wait_seconds=wait)
    keys_database = await Database.open(
        keys_url, application_name=f"{definition.name} migrate", wait_seconds=wait
    )
    try:
        revision = await migrate(definition.migrations, service=definition.name, url=url, keys_url=keys_url)
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
