"""Brings a service's two databases to this release's schema; only adds, never goes back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import structlog
from alembic import command, context, op
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared.eventsourcing.schema import keys_sql

MIGRATION_LOCK = (20817, 2)
LOCK_TIMEOUT = (
    "5s"  # a migration that cannot get its lock fails and is run again, instead of blocking writers
)

_LOG = structlog.get_logger(__name__)


async def migrate(folder: Path, *, service: str, url: str, keys_url: str) -> str:
    """Run what is missing of `folder`'s migrations and of the keys' schema, and return the revision reached.

    `url` and `keys_url` connect as `<service>_owner`. Two runs at once wait for each other. A revision newer
    than this release's own is left alone: an older release is being rolled out again.
    """
    lock = await asyncpg.connect(url)
    try:
        async with lock.transaction():
            await lock.execute("SELECT pg_advisory_xact_lock($1, $2)", *MIGRATION_LOCK)
            await _migrate_keys(keys_url, f"{service}_app")
            current = await _revision(lock)
            script = ScriptDirectory(str(folder))
            if current is not None and current not in {each.revision for each in script.walk_revisions()}:
                _LOG.warning("the database is newer than this release", revision=current)
                return current
            await asyncio.to_thread(command.upgrade, config(folder, url), "head")
        await lock.execute(f"GRANT SELECT ON alembic_version TO {service}_app")  # readiness compares it
        return await _revision(lock) or ""  # a new transaction: the one above may not see the new table
    finally:
        await lock.close()


def config(folder: Path, url: str) -> Config:
    """Return alembic's configuration for a service's `migrations` folder."""
    found = Config()
    found.set_main_option("script_location", str(folder))
    found.attributes["url"] = url
    return found


def run_environment() -> None:
    """Be a service's `env.py`: migrate the database that `config` names, each step in its transaction."""
    asyncio.run(_run_online(context.config.attributes["url"]))


def run_script(sql: str) -> None:
    """Run several statements of a migration at once; `op.execute` takes one at a time."""
    bind = op.get_bind()
    bind.exec_driver_sql("SELECT 1")  # the driver's transaction begins with its first statement
    adapted: Any = bind.connection.dbapi_connection
    adapted.run_async(lambda conn: conn.execute(sql))


async def _run_online(url: str) -> None:
    engine = create_async_engine(
        url.replace("postgresql://", "postgresql+asyncpg://", 1),
        poolclass=NullPool,
        connect_args={"server_settings": {"lock_timeout": LOCK_TIMEOUT}},
    )
    try:
        async with engine.connect() as conn:
            await conn.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade(conn: Connection) -> None:
    context.configure(connection=conn, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def _revision(conn: Any) -> str | None:
    if await conn.fetchval("SELECT to_regclass('alembic_version')") is None:
        return None
    found: str | None = await conn.fetchval("SELECT version_num FROM alembic_version")
    return found


async def _migrate_keys(url: str, app_role: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        if await conn.fetchval("SELECT to_regclass('subject_key')") is None:
            async with conn.transaction():
                await conn.execute(keys_sql(1, app_role=app_role))
    finally:
        await conn.close()
