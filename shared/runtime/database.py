"""One PostgreSQL database: pool, transactions, SQLAlchemy Core statements on asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.sql.compiler import SQLCompiler

_LOG = structlog.get_logger(__name__)
_RETRY_SECONDS = 0.5
_ACQUIRE_SECONDS = 10.0
_COMPILED_STATEMENTS = 500

LIMITS: Mapping[str, str] = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
}

_AWAY = (
    OSError,  # refused, reset, timed out (TimeoutError is one)
    asyncpg.PostgresConnectionError,  # SQLSTATE class 08
    asyncpg.InsufficientResourcesError,  # class 53: disk full, out of memory, too many connections
    asyncpg.CannotConnectNowError,  # 57P03: starting up or shutting down
    asyncpg.AdminShutdownError,  # 57P01
    asyncpg.CrashShutdownError,  # 57P02
    asyncpg.InternalClientError,  # what a statement meets while the news of the cut is still being read
    asyncpg.ReadOnlySQLTransactionError,  # 25006: a fail-over has left us on the old primary
)
_CLOSED = ("is closed", "is closing", "was closed", "been released")


class DatabaseAway(Exception):
    """The database did not answer within the time allowed for it to come up."""


def unavailable(error: BaseException) -> bool:
    """Tell whether `error` means that the database cannot be reached now, so that trying later may help."""
    if isinstance(error, (*_AWAY, DatabaseAway)):
        return True
    # asyncpg reports a connection lost under its feet and plain misuse by the same class
    return isinstance(error, asyncpg.InterfaceError) and any(word in str(error) for word in _CLOSED)


class Database:
    """A pool of connections to one database. Open it with `open`; `json` and `jsonb` values stay text."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        application_name: str,
        min_size: int = 1,
        max_size: int = 8,
        wait_seconds: float = 60,
        limits: Mapping[str, str] = LIMITS,
    ) -> Self:
        """Connect, waiting up to `wait_seconds` for a server that is not up yet; raises DatabaseAway.

        `limits` are server settings of every connection. A wrong password or database name fails at once.
        """
        deadline = asyncio.get_running_loop().time() + wait_seconds
        said = False
        while True:
            try:
                pool = await asyncpg.create_pool(
                    url,
                    min_size=min_size,
                    max_size=max_size,
                    timeout=_ACQUIRE_SECONDS,
                    server_settings={"application_name": application_name, **limits},
                    reset=_leave_as_it_is,
                )
            except _AWAY as error:
                if asyncio.get_running_loop().time() >= deadline:
                    raise DatabaseAway(
                        f"{_address(url)} did not answer in {wait_seconds:g} s: {error}"
                    ) from error
                if not said:
                    _LOG.warning("waiting for the database", database=_address(url), error=str(error))
                    said = True
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return cls(pool)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """Lend a connection outside any transaction: every statement commits by itself."""
        async with self.pool.acquire(timeout=_ACQUIRE_SECONDS) as conn:
            yield conn

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """Lend a connection inside a READ COMMITTED transaction; an error rolls it back."""
        async with self.connection() as conn, conn.transaction(isolation="read_committed"):
            yield conn

    async def rows(self, statement: sa.Executable) -> list[Any]:
        """Run a Core statement and return its records."""
        text, arguments = sql_of(statement)
        async with self.connection() as conn:
            records: list[Any] = await conn.fetch(text, *arguments)
            return records

    async def row(self, statement: sa.Executable) -> Any | None:
        """Run a Core statement and return its first record, or None."""
        text, arguments = sql_of(statement)
        async with self.connection() as conn:
            return await conn.fetchrow(text, *arguments)

    async def close(self) -> None:
        """Give back all connections; those still busy after 10 s are cut."""
        try:
            await asyncio.wait_for(self.pool.close(), 10)
        except TimeoutError:
            self.pool.terminate()


async def _leave_as_it_is(_: Any) -> None:
    """Spare the round trip that asyncpg makes when a connection is given back.

    An open transaction it rolls back before this. Nothing else of ours outlives one: settings are SET LOCAL,
    locks belong to transactions, and nobody listens.
    """


def sql_of(statement: sa.Executable) -> tuple[str, list[Any]]:
    """Return what asyncpg needs to run a Core statement: its text with `$1`, `$2` ... and the arguments.

    Compiled texts are remembered by the statement's shape, as SQLAlchemy's own engine does it: compiling
    costs more than most of our reads.
    """
    compiled, extracted, collected, _ = statement._compile_w_cache(  # noqa: SLF001
        _DIALECT, compiled_cache=_COMPILED, column_keys=[]
    )
    assert isinstance(compiled, SQLCompiler)  # noqa: S101
    values = compiled.construct_params(
        extracted_parameters=extracted, escape_names=False, _collected_params=collected
    )
    text: str = compiled.string
    order: Sequence[str] = compiled.positiontup or ()
    processors: Mapping[str, Any] = compiled._bind_processors  # noqa: SLF001
    if compiled.post_compile_params or compiled.literal_execute_params:
        expanded = compiled._process_parameters_for_postcompile(values)  # noqa: SLF001
        text, order = expanded.statement, expanded.positiontup or ()
        values = {**values, **expanded.additional_parameters}
        processors = {**processors, **expanded.processors}
    return text, [processors[name](values[name]) if name in processors else values[name] for name in order]


_DIALECT = asyncpg_dialect.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_COMPILED: sa.util.LRUCache[Any, Any] = sa.util.LRUCache(_COMPILED_STATEMENTS)


def _address(url: str) -> str:
    """Return host and database of a URL, without user and password, for logs."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'local socket'}{f':{parts.port}' if parts.port else ''}{parts.path}"
