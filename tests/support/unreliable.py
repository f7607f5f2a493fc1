"""A database whose connection breaks under one statement, for tests of lost answers."""

from __future__ import annotations

from typing import Any

import asyncpg

from shared.runtime.database import Database


class LosesStatement:
    """Breaks while a statement that begins with `beginning` is on its way.

    With `then`, that connection takes the append lock in the same moment and does not let go.
    """

    def __init__(
        self, database: Database, beginning: str, *, after: bool, then: asyncpg.Connection | None = None
    ) -> None:
        self._database, self._beginning, self._after, self._then = database, beginning, after, then
        self.pool = self

    async def acquire(self, **_: Any) -> LosesStatement:
        self._conn = await self._database.pool.acquire()
        return self

    async def release(self, _: Any) -> None:
        await self._database.pool.release(self._conn)

    def transaction(self) -> Any:
        return self._database.transaction()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._conn, name)

    async def execute(self, statement: str, *arguments: Any) -> Any:
        return await self._run(self._conn.execute, statement, arguments)

    async def fetchval(self, statement: str, *arguments: Any) -> Any:
        return await self._run(self._conn.fetchval, statement, arguments)

    async def _run(self, method: Any, statement: str, arguments: tuple[Any, ...]) -> Any:
        if not statement.startswith(self._beginning):
            return await method(statement, *arguments)
        if self._after:
            await method(statement, *arguments)
        self._conn.terminate()
        if self._then is not None:
            await self._then.execute("BEGIN")
            await self._then.execute("SELECT pg_advisory_xact_lock(20817, 1)")
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
