"""Personal data at rest: one AES-256-GCM key per data subject, in a database of its own."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections import OrderedDict
from collections.abc import Collection, Mapping
from operator import attrgetter
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.runtime.database import Database

NONCE_BYTES = 12
KEY_BYTES = 32

Keys = Mapping[UUID, bytes | None]
_as_number = attrgetter("int")  # compared in C


def seal(key: bytes, plain: bytes, context: bytes) -> str:
    """Return base64 of nonce and ciphertext; `context` is authenticated, so a box cannot be moved."""
    nonce = os.urandom(NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, plain, context)).decode("ascii")


class SubjectKeys:
    """The keys of data subjects: made once, cached briefly, and gone for ever once erased.

    An erased subject keeps its row with a NULL key, so that no second key can ever be made for it. A key
    lives at most `ttl_seconds` in this process's memory, which bounds how long an erasure elsewhere goes
    unnoticed.
    """

    def __init__(self, database: Database, *, ttl_seconds: float = 60.0, capacity: int = 50_000) -> None:
        self._database = database
        self._ttl = ttl_seconds
        self._capacity = capacity
        self._cache: OrderedDict[UUID, tuple[float, bytes | None]] = OrderedDict()

    async def load(self, subjects: Collection[UUID]) -> Keys:
        """Return the keys that exist; a subject never seen is absent, an erased one is None."""
        known, missing = self._cached(subjects)
        if missing:
            rows = await self._database.pool.fetch(
                "SELECT subject, key FROM subject_key WHERE subject = ANY($1::uuid[])", missing
            )
            known.update(self._remember({row["subject"]: row["key"] for row in rows}))
        return known

    def at_hand(self, subjects: Collection[UUID]) -> bool:
        """Tell whether `offer` would need no key that is not in memory."""
        return not self._cached(subjects)[1]

    def offer(self, subjects: Collection[UUID]) -> tuple[Keys, asyncio.Task[Keys] | None]:
        """Return a key per subject to work with at once, and what makes the new ones durable, if any are new.

        Nothing may be stored under a new key before that task is done. It returns the keys that count:
        another process may have been faster, or the subject may be erased.
        """
        known, missing = self._cached(subjects)
        if not missing:
            return known, None
        # In one order, so that inserts at once, of this process or of two, cannot deadlock.
        fresh = {subject: os.urandom(KEY_BYTES) for subject in sorted(missing, key=_as_number)}
        return known | fresh, asyncio.create_task(self._make(fresh), name="new keys")

    async def erase(self, subject: UUID) -> None:
        """Destroy the subject's key for ever; a subject never seen can have no key made afterwards either."""
        await self._database.pool.execute(
            "INSERT INTO subject_key (subject, key, erased_at) VALUES ($1, NULL, clock_timestamp()) "
            "ON CONFLICT (subject) DO UPDATE SET key = NULL, "
            "erased_at = coalesce(subject_key.erased_at, clock_timestamp())",
            subject,
        )
        self._remember({subject: None})

    async def erased(self) -> list[UUID]:
        """Return every erased subject, oldest erasure first: what a restored log has to replay."""
        rows = await self._database.pool.fetch(
            "SELECT subject FROM subject_key WHERE key IS NULL ORDER BY erased_at, subject"
        )
        return [row["subject"] for row in rows]

    async def _make(self, fresh: Keys) -> Keys:
        status = await self._database.pool.execute(
            "INSERT INTO subject_key (subject, key) SELECT * FROM unnest($1::uuid[], $2::bytea[]) "
            "ON CONFLICT (subject) DO NOTHING",
            list(fresh),
            list(fresh.values()),
        )
        if status == f"INSERT 0 {len(fresh)}":
            return self._remember(fresh)
        rows = await self._database.pool.fetch(  # another process was first, for some of them at least
            "SELECT subject, key FROM subject_key WHERE subject = ANY($1::uuid[])", list(fresh)
        )
        return self._remember({row["subject"]: row["key"] for row in rows})

    def _cached(self, subjects: Collection[UUID]) -> tuple[dict[UUID, bytes | None], list[UUID]]:
        oldest = time.monotonic() - self._ttl
        known: dict[UUID, bytes | None] = {}
        missing: list[UUID] = []
        for subject in subjects:
            entry = self._cache.get(subject)
            if entry is None or entry[0] < oldest:
                missing.append(subject)
            else:
                known[subject] = entry[1]
        return known, missing

    def _remember(self, keys: Keys) -> Keys:
        now = time.monotonic()
        for subject, key in keys.items():
            self._cache[subject] = (now, key)
            self._cache.move_to_end(subject)
        while len(self._cache) > self._capacity:
            self._cache.popitem(last=False)
        return keys
