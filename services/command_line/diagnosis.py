"""What `plumbline doctor` looks at in one service, and how it says what it found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.command_line.opened import ACTOR, Opened
from services.command_line.parked import foreign_place
from shared.eventsourcing import chain
from shared.eventsourcing.erasure import unfinished
from shared.eventsourcing.housekeeping import erasure_rules
from shared.http.migrations import applied, newest
from shared.runtime.clock import SystemClock

_SKEW = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the diagnosis."""

    well: bool
    text: str


async def examine(found: Opened, progress: Callable[[int], None]) -> list[Finding]:
    """Examine one service; reads the whole log once for its hash chain."""
    checks: list[Callable[[Opened], Awaitable[list[Finding]]]] = [
        _server,
        _migrations,
        _read_models,
        _parked,
        _checkpoints,
        _erasures,
    ]
    findings = [finding for check in checks for finding in await check(found)]
    async with found.database.connection() as conn:
        try:
            verified = await chain.verify(conn, progress)
        except chain.BrokenChain as broken:
            findings.append(Finding(False, f"log: {broken}; restore from a backup and keep this copy"))
        else:
            findings.append(Finding(True, f"log: {verified.events} events, gapless, hash chain intact"))
    return findings


async def _server(found: Opened) -> list[Finding]:
    async with found.database.connection() as conn:
        row = await conn.fetchrow(
            "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync, "
            "current_setting('full_page_writes') AS pages, current_setting('synchronous_commit') AS commit, "
            "clock_timestamp() AS now"
        )
    skew = abs(row["now"] - datetime.now(UTC))
    durable = row["fsync"] == row["pages"] == "on" and row["commit"] != "off"
    return [
        Finding(durable, f"PostgreSQL {row['version']}: commits are {'' if durable else 'NOT '}durable"),
        Finding(skew < _SKEW, f"clock: {skew.total_seconds():.3f} s between this machine and the database"),
    ]


async def _migrations(found: Opened) -> list[Finding]:
    at, needed = await applied(found.database), newest(found.definition.migrations)
    advice = "" if at >= needed else "; run `plumbline migrate`"
    return [Finding(at >= needed, f"migrations: at {at:04d}, needed {needed:04d}{advice}")]


async def _read_models(found: Opened) -> list[Finding]:
    findings = []
    own = {(model.name, model.version) for model in found.definition.log.read_models}
    async with found.database.connection() as conn:
        head = (await found.store.head(conn)).position
        for row in await conn.fetch("SELECT name, version, applied, state, detail FROM read.read_model"):
            if (row["name"], row["version"]) not in own:
                continue  # another release's
            behind = head - row["applied"]
            advice = f" ({row['detail']}); run `plumbline rebuild`" if row["state"] == "stalled" else ""
            text = f"read model {row['name']} v{row['version']}: {row['state']}, {behind} behind{advice}"
            findings.append(Finding(row["state"] != "stalled", text))
    return findings


async def _parked(found: Opened) -> list[Finding]:
    async with found.database.connection() as conn:
        keys = await conn.fetch("SELECT topic, key, error FROM work.parked_key ORDER BY parked_at")
        foreign = await conn.fetch(
            "SELECT topic, partition, position FROM work.parked_message WHERE foreign_born ORDER BY parked_at"
        )
    waiting = [
        f"parked: {row['key'].decode(errors='replace')} of {row['topic']} waits: {row['error'][:120]}; "
        "mend, then `plumbline unpark`"
        for row in keys
    ]
    strange = [
        f"foreign: {foreign_place(row)} is none of ours and blocks nothing; find out who wrote it, "
        f"then `plumbline unpark --discard {foreign_place(row)} --reason ...`"
        for row in foreign
    ]
    return [Finding(False, text) for text in (*waiting, *strange)]


async def _checkpoints(found: Opened) -> list[Finding]:
    async with found.database.connection() as conn:
        rows = await conn.fetch(
            "SELECT source, count(*) AS partitions, max(position) AS position, max(heard_at) AS at "
            "FROM work.checkpoint WHERE position > 0 GROUP BY source ORDER BY source"
        )
    return [
        Finding(
            True,
            f"heard {row['source']} up to position {row['position']} ({row['at']:%Y-%m-%d %H:%M:%S} UTC)",
        )
        for row in rows
    ]


async def _erasures(found: Opened) -> list[Finding]:
    rules = erasure_rules(SystemClock(), ACTOR)
    return [
        Finding(
            False,
            f"erasure: the key of {subject} is gone, but the log and the read models do not know yet; "
            f"run `plumbline erase {subject}` again",
        )
        for subject in sorted(await unfinished(found.database, found.store, rules))
    ]
