"""The hash chain over the log: proof that no event was changed, lost or inserted."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

GENESIS = bytes(32)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BrokenChain(Exception):
    """The log does not hold what was appended to it; the message names the first bad position."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How much of the log was verified, and the chain's last link."""

    events: int
    hash: bytes


def link(previous: bytes, row: Any) -> bytes:
    """Return sha256(previous, digest, position, stream, version, type, recorded_at in microseconds)."""
    micros = (row["recorded_at"] - _EPOCH) // timedelta(microseconds=1)
    return sha256(
        previous
        + row["digest"]
        + struct.pack(">q", row["position"])
        + row["stream_id"].bytes
        + struct.pack(">i", row["version"])
        + row["type"].encode()
        + struct.pack(">q", micros)
    ).digest()


async def verify(conn: Any, progress: Callable[[int], None] = lambda _: None) -> Verified:
    """Walk the whole log and recompute every link; raises `BrokenChain` at the first that differs.

    `progress` is called with the number of events verified. Reads in one snapshot, in pages of 5,000.
    """
    previous, position = GENESIS, 0
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        async for row in conn.cursor(
            "SELECT position, stream_id, version, type, payload, meta, recorded_at, digest, hash "
            "FROM log.event ORDER BY position",
            prefetch=5000,
        ):
            position += 1
            if row["position"] != position:
                raise BrokenChain(f"position {position} is missing")
            if sha256(row["payload"].encode() + b"\n" + row["meta"].encode()).digest() != row["digest"]:
                raise BrokenChain(f"the payload or meta at position {position} is not what was appended")
            previous = link(previous, row)
            if previous != row["hash"]:
                raise BrokenChain(f"the chain breaks at position {position}")
            if position % 5000 == 0:
                progress(position)
    progress(position)
    return Verified(position, previous)
