"""Waits until the database has been migrated as far as this code needs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import structlog

from shared.http.context import ServiceDefinition
from shared.runtime.database import Database

_LOG = structlog.get_logger(__name__)
_POLL_SECONDS = 0.5


class NotMigrated(Exception):
    """The database lacks a migration that this release needs, and nobody ran it in time."""


def newest(folder: Path | None) -> int:
    """Return the number of the last migration in `versions/NNNN_what_appears.py`; 0 when there is none."""
    found = [] if folder is None else (folder / "versions").glob("[0-9][0-9][0-9][0-9]_*.py")
    return max((int(path.name[:4]) for path in found), default=0)


async def applied(database: Database) -> int:
    """Return the number of the revision that the database is at; 0 before the first."""
    async with database.connection() as conn:
        try:
            revision = await conn.fetchval("SELECT max(version_num) FROM alembic_version")
        except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
            return 0  # the first migration grants the right to look as its last step
    return int(str(revision)[:4]) if revision else 0


async def wait_for_migrations(database: Database, definition: ServiceDefinition, seconds: float) -> None:
    """Return once the database is at the needed revision or beyond; raises `NotMigrated` after `seconds`."""
    needed, said = newest(definition.migrations), False
    deadline = asyncio.get_running_loop().time() + seconds
    while (found := await applied(database) if needed else 0) < needed:
        if asyncio.get_running_loop().time() >= deadline:
            raise NotMigrated(
                f"{definition.name} is at migration {found:04d} and needs {needed:04d}: run "
                f"`python -m services.{definition.name} migrate`"
            )
        if not said:
            _LOG.warning("waiting for migrations", name=definition.name, found=found, needed=needed)
            said = True
        await asyncio.sleep(_POLL_SECONDS)
