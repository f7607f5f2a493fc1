"""One writer's transactions, one after the other on a connection that it keeps."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg

from shared.runtime.database import Database

_GIVE_UP_SECONDS = 2.0


class Transactions:
    """READ COMMITTED transactions of one task.

    A busy writer saves a round trip per transaction: its COMMIT begins the next one. While nothing follows no
    transaction is left open; the connection stays, because fetching it anew costs more than a lone append.
    """

    def __init__(self, database: Database, *, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._conn: Any = None
        self._begun = False

    async def begin(self) -> Any:
        """Return the connection inside a new transaction."""
        conn = await self._connection()
        if not self._begun:
            await conn.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            self._begun = True
        return conn

    async def outside(self) -> Any:
        """Return the connection outside any transaction: a statement is one by itself."""
        conn = await self._connection()
        if self._begun:
            await conn.execute("ROLLBACK", timeout=self._seconds)
            self._begun = False
        return conn

    async def commit(self, *, another: bool) -> None:
        """Commit; with `another` the next transaction has begun.

        Raises what asyncpg raises when the connection is lost on the way; nobody then knows the outcome.
        """
        await self._conn.execute("COMMIT AND CHAIN" if another else "COMMIT")
        self._begun = another

    async def rest(self) -> None:
        """Leave nothing begun while nothing is to be done."""
        if self._begun:
            await self.abandon()

    async def abandon(self) -> None:
        """Roll back what was begun; a connection that cannot do so is thrown away."""
        if self._conn is None:
            return
        try:
            if self._begun:
                async with asyncio.timeout(_GIVE_UP_SECONDS):
                    await self._conn.execute("ROLLBACK")
        except Exception:  # noqa: BLE001  whatever it is, the connection is of no more use
            self._terminate()
        await self._give_back()

    async def lose(self) -> None:
        """Throw the connection away, and with it whatever it was doing."""
        self._terminate()
        await self._give_back()

    async def _connection(self) -> Any:
        if self._conn is not None and _ended(self._conn):
            await self._give_back()
        if self._conn is None:
            self._conn = await self._database.pool.acquire(timeout=self._seconds)
        return self._conn

    def _terminate(self) -> None:
        with contextlib.suppress(asyncpg.InterfaceError):  # already gone: the pool has let go of it
            self._conn.terminate()

    async def _give_back(self) -> None:
        conn, self._conn, self._begun = self._conn, None, False
        await self._database.pool.release(conn)


def _ended(conn: Any) -> bool:
    """Tell whether the server has ended the connection, while nothing was to be done."""
    try:
        return bool(conn.is_closed())
    except asyncpg.InterfaceError:  # the pool has let go of it already
        return True
