"""What the owner of a PostgreSQL server gives each service: two databases and two roles."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDatabases:
    """The four URLs of one service: its own database and its keys, as `<service>_app` and as owner."""

    url: str
    keys_url: str
    owner_url: str
    keys_owner_url: str


async def provision(
    admin_url: str, services: Iterable[str], password: Callable[[str], str]
) -> dict[str, ServiceDatabases]:
    """Create what is missing for each service, as the user of `admin_url`, and return where it is.

    A role may create nothing but what its service owns; only owner and app may connect to its databases.
    """
    conn = await asyncpg.connect(admin_url)
    try:
        existing = {row["datname"] for row in await conn.fetch("SELECT datname FROM pg_database")}
        found = {}
        for service in services:
            await create_roles(conn, service, password)
            for database in (service, f"{service}_keys"):
                if database not in existing:
                    await create_database(conn, database, service)
            found[service] = urls_of(admin_url, service, service, password)
        return found
    finally:
        await conn.close()


async def create_roles(conn: Any, service: str, password: Callable[[str], str]) -> None:
    """Create `<service>_owner` and `<service>_app` unless they exist; a known one gets its password again."""
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(hashtext('plumbline roles'))")  # one at a time
        for role in (f"{service}_owner", f"{service}_app"):
            known = await conn.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
            secret = password(role).replace("'", "''")
            await conn.execute(f"{'ALTER' if known else 'CREATE'} ROLE {role} LOGIN PASSWORD '{secret}'")
        await _may_act_as_owner(conn, service)


async def _may_act_as_owner(conn: Any, service: str) -> None:
    """Let a user who is no superuser create databases in the owner's name."""
    if not await conn.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await conn.execute(f"GRANT {service}_owner TO CURRENT_USER")


async def create_database(conn: Any, database: str, service: str, *, template: str | None = None) -> None:
    """Create a database of `service`, empty or as a copy of `template` (which nobody may be using).

    Its files are copied as files: through the journal, page by page, takes four times as long.
    """
    copied = f" TEMPLATE {template}" if template else ""
    await conn.execute(f"CREATE DATABASE {database} OWNER {service}_owner{copied} STRATEGY FILE_COPY")
    await conn.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
    await conn.execute(f"GRANT CONNECT ON DATABASE {database} TO {service}_app")


def urls_of(admin_url: str, service: str, database: str, password: Callable[[str], str]) -> ServiceDatabases:
    """Return the URLs of `database` and `<database>_keys` on the server of `admin_url`."""

    def url(name: str, role: str) -> str:
        parts = urlsplit(admin_url)
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit(
            parts._replace(netloc=f"{role}:{quote(password(role), safe='')}@{host}", path=f"/{name}")
        )

    owner, app = f"{service}_owner", f"{service}_app"
    return ServiceDatabases(
        url=url(database, app),
        keys_url=url(f"{database}_keys", app),
        owner_url=url(database, owner),
        keys_owner_url=url(f"{database}_keys", owner),
    )
