"""The limits: pgbench inserting rows of the same shape on the same server."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

from bench.servers import Bench

SCHEMA = Path(__file__).with_name("limit.sql")
PAYLOAD = "x" * 900
_EVENT = (
    f"gen_random_uuid(), 1, gen_random_uuid(), 'RequestSubmitted', '{{\"text\":\"{PAYLOAD}\"}}',"
    ' \'{"actor":"bench"}\', clock_timestamp()'
)
_INTO_EVENT = "INSERT INTO event (stream_id, version, event_id, type, payload, meta, recorded_at)"
_INTO_PROJECTION = (
    "INSERT INTO projection (request_id, number, title, state, requester_id, submitted_at) VALUES"
    " (gen_random_uuid(), 'REQ-2026-000001', 'A laptop for a new colleague', 'submitted', gen_random_uuid(),"
    " clock_timestamp())"
)
EVENT_AND_PROJECTION = f"BEGIN;\n{_INTO_EVENT} VALUES ({_EVENT});\n{_INTO_PROJECTION};\nCOMMIT;\n"
ROWS_200 = f"{_INTO_EVENT} SELECT {_EVENT} FROM generate_series(1, 200);\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What pgbench told: transactions per second and their mean latency in milliseconds."""

    rate: float
    latency: float


class Pgbench:
    """pgbench on a database of its own beside the services'."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._url = bench.postgres.url("limit_of_bench")
        asyncio.run(self._create())

    async def _create(self) -> None:
        admin = await asyncpg.connect(self._bench.postgres.url())
        await admin.execute("CREATE DATABASE limit_of_bench")
        await admin.close()
        conn = await asyncpg.connect(self._url)
        await conn.execute(SCHEMA.read_text())
        await conn.close()

    @property
    def url(self) -> str:
        return self._url

    def run(self, script: str, *, clients: int, seconds: float) -> Limit:
        """Run a script with prepared statements for whole seconds."""
        file = self._bench.folder / "script.sql"
        file.write_text(script)
        parts = urlsplit(self._url)
        said = subprocess.run(
            [
                self._bench.postgres.binaries.folder / "pgbench", "-n", "-M", "prepared", "-f", file,
                "-c", str(clients), "-j", str(min(clients, 2)), "-T", str(max(1, round(seconds))),
                "-h", parts.hostname or "", "-p", str(parts.port), "-U", parts.username or "",
                parts.path.lstrip("/"),
            ],
            env={**os.environ, "PGPASSWORD": unquote(parts.password or "")},
            check=True,
            capture_output=True,
            text=True,
        ).stdout  # fmt: skip
        return Limit(rate=_read(r"tps = ([\d.]+)", said), latency=_read(r"latency average = ([\d.]+)", said))


def _read(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    if found is None:
        raise ValueError(f"pgbench did not say {pattern}: {text}")
    return float(found[1])
