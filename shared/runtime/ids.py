"""Identifiers: sortable UUIDs, UUIDs derived from natural keys, numbers people can say."""

from __future__ import annotations

import asyncio
import os
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha1
from uuid import UUID

from asyncpg.pgproto import pgproto

from shared.runtime.database import Database

# A `uuid.UUID` to everybody, but made, hashed, shown and stored in a tenth of its time.
_quick: Callable[[str | bytes], UUID] = pgproto.UUID

_COUNTER_BITS = 42
_LOWER_HALF = (1 << _COUNTER_BITS - 1) - 1
_RANDOM_PER_ID = 2  # numbers of 64 bits: one for the id's end, one for a counter's start
_RANDOM = struct.Struct(">64Q")
_HALVES = struct.Struct(">2Q").pack  # of an id; shifting them into one number takes twice as long
_SEPARATOR = "\x1f"  # ASCII unit separator: cannot stand inside a part by accident


class _Uuid7Source:
    """RFC 9562 section 6.2, method 1: 48 bits of milliseconds, a 42-bit counter, 32 random bits.

    The counter starts at a random value in its lower half and grows by one within a millisecond, so ids of
    one process rise strictly even when the machine's clock is set back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millisecond = 0
        self._counter = 0
        self._random: list[int] = []

    def forget(self) -> None:
        """Begin anew with random bits that no other process has."""
        self._random = []

    def next(self) -> UUID:
        now = time.time_ns() // 1_000_000
        with self._lock:
            if len(self._random) < _RANDOM_PER_ID:  # asking the kernel takes longer than all else about an id
                self._random = [*_RANDOM.unpack(os.urandom(_RANDOM.size))]
            if now > self._millisecond:
                self._millisecond, self._counter = now, self._random.pop() & _LOWER_HALF
            else:
                self._counter += 1
                if self._counter >> _COUNTER_BITS:
                    self._millisecond, self._counter = self._millisecond + 1, 0
            counter = self._counter
            high = self._millisecond << 16 | 0x7000 | counter >> 30
            low = 0b10 << 62 | (counter & 0x3FFFFFFF) << 32 | self._random.pop() & 0xFFFFFFFF
        return _quick(_HALVES(high, low))


_SOURCE = _Uuid7Source()
if hasattr(os, "register_at_fork"):  # POSIX
    os.register_at_fork(after_in_child=_SOURCE.forget)


def uuid7() -> UUID:
    """Return a new id; ids made in one process sort in the order they were made."""
    return _SOURCE.next()


def derived(namespace: UUID, *parts: str) -> UUID:
    """Return the id that these parts always have (UUIDv5), for natural keys of imports and webhooks."""
    digest = sha1(namespace.bytes + _SEPARATOR.join(parts).encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16]) & ~(0xF << 76 | 0b11 << 62)
    return _quick((number | 5 << 76 | 0b10 << 62).to_bytes(16))


def uuid_of(text: str) -> UUID:
    """Return the id that a text of 32 hex digits shows, with hyphens or without; raises `ValueError`."""
    return _quick(text)


class NumberBlocks:
    """Hands out human serials from a PostgreSQL sequence, fetched in blocks: gaps allowed, repeats not."""

    def __init__(self, database: Database, sequence: str, *, block: int = 100) -> None:
        self._database = database
        self._sequence = sequence
        self._block = block
        self._left: deque[int] = deque()
        self._fetching = asyncio.Lock()

    async def next(self) -> int:
        while not self._left:
            async with self._fetching:
                if not self._left:
                    await self._fetch()
        return self._left.popleft()

    async def _fetch(self) -> None:
        async with self._database.connection() as conn:
            serials = await conn.fetchval(
                "SELECT array_agg(nextval($1::text::regclass)) FROM generate_series(1, $2)",
                self._sequence,
                self._block,
            )
        self._left.extend(serials)


def human_number(prefix: str, recorded_at: datetime, serial: int) -> str:
    """Return for example `REQ-2026-000123`; the year is that of `recorded_at` in UTC."""
    year = recorded_at.year if recorded_at.tzinfo is UTC else recorded_at.astimezone(UTC).year
    return "%s-%04d-%06d" % (prefix, year, serial)  # noqa: UP031  a format string takes half as long again
