"""A lease: one process at a time does a thing, by the database's clock and an epoch."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from uuid import UUID, uuid4

from shared.runtime.database import Database

TTL_SECONDS: Final = 10.0

_TAKE = """
INSERT INTO work.lease AS l (name, owner, epoch, expires_at)
VALUES ($1, $2, 1, clock_timestamp() + make_interval(secs => $3))
ON CONFLICT (name) DO UPDATE
SET owner = excluded.owner, epoch = l.epoch + (l.owner <> excluded.owner)::int,
    expires_at = excluded.expires_at
WHERE l.owner = excluded.owner OR l.expires_at < clock_timestamp()
RETURNING epoch
"""
_HELD = "SELECT 1 FROM work.lease WHERE name = $1 AND owner = $2 AND epoch = $3 FOR SHARE"
_RELEASE = "UPDATE work.lease SET expires_at = clock_timestamp() WHERE name = $1 AND owner = $2"


class LeaseLost(Exception):
    """Another process has taken the lease: drop the work in hand, nothing of it counts."""


class Lease:
    """The right to do the work called `name`, held for `ttl` seconds and renewed every third of it.

    Two holders can overlap for a moment (a frozen process wakes up late), so what a holder writes is guarded
    by `fence` in the same transaction. A session lock would give no such guard.
    """

    def __init__(self, database: Database, name: str, *, ttl: float = TTL_SECONDS) -> None:
        self.name = name
        self.epoch = 0
        self._database = database
        self._owner: UUID = uuid4()
        self._ttl = ttl
        self._valid_until = 0.0
        self._renewed_at = -ttl

    @property
    def held(self) -> bool:
        """Tell whether this process may still act, by its own monotonic clock: a cheap test between steps."""
        return _monotonic() < self._valid_until

    async def hold(self) -> bool:
        """Take or renew the lease when a third of its time has passed; tell whether this process has it."""
        asked_at = _monotonic()
        if self.held and asked_at - self._renewed_at < self._ttl / 3:
            return True
        async with self._database.connection() as conn:
            epoch = await conn.fetchval(_TAKE, self.name, self._owner, self._ttl)
        if epoch is None:
            self._valid_until = 0.0
            return False
        self.epoch = epoch
        self._renewed_at = asked_at
        # Counted from before the question, so it never outlives the database's own idea of it.
        self._valid_until = asked_at + self._ttl
        return True

    async def fence(self, conn: Any) -> None:
        """Lock the lease row for this transaction, or raise `LeaseLost`: a successor waits for our commit."""
        if await conn.fetchval(_HELD, self.name, self._owner, self.epoch) is None:
            self._valid_until = 0.0
            raise LeaseLost(f"{self.name}, epoch {self.epoch}")

    async def release(self) -> None:
        """Let the next process begin at once instead of after the ttl."""
        self._valid_until = 0.0
        async with self._database.connection() as conn:
            await conn.execute(_RELEASE, self.name, self._owner)


def _monotonic() -> float:
    return asyncio.get_running_loop().time()
