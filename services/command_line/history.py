"""`plumbline import`: history from other systems' files, once however often it is run."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
import lzma
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from services.command_line.access import Access, Refused, TokenOption, UrlOption
from services.intake.adapters.servicenow import Batch, batches

OUT = Console(highlight=False)
IN_FLIGHT = 3  # batches under way at once: one is read, one is judged, one commits
BATCH_BYTES = 60_000  # some 25 incidents: answered in time by a machine that is busy with much else
PATIENCE_SECONDS = 120.0
REASONS_SHOWN = 10
_NEEDED = ("number", "incident_state", "sys_mod_count", "sys_updated_at")


class BadExport(typer.BadParameter):
    """The file is not what the command takes; nothing was sent."""


@dataclass(slots=True)
class Totals:
    """What became of the file so far."""

    incidents: int = 0
    taken: int = 0
    unchanged: int = 0
    unreadable: int = 0
    events: int = 0
    rows: int = 0
    rejected: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, batch: Batch, answer: Mapping[str, Any]) -> None:
        """Count a batch and the service's answer to it."""
        self.rows += batch.rows
        for name in ("incidents", "taken", "unchanged", "unreadable", "events"):
            setattr(self, name, getattr(self, name) + answer[name])
        self.rejected += answer["rejected"]


def servicenow(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV audit export, also .xz or .gz.")
    ],
    zone: Annotated[str, typer.Option(help="IANA zone of the export's local times, e.g. Europe/Lisbon.")],
    source: Annotated[
        str, typer.Option(help="Which instance; another one has other numbers.")
    ] = "servicenow",
    url: UrlOption = None,
    token: TokenOption = None,
    rejects: Annotated[Path | None, typer.Option(help="Write every rejected row here as JSON lines.")] = None,
) -> None:
    """Take a ServiceNow incident audit export: every incident with its whole history, at its own times.

    Stop it and run it again as often as you like: what is known is not taken twice. No clock alerts for the
    past. Rows that cannot be read are reported with their reasons; exit status 3 says that there were some.
    """
    totals = asyncio.run(_import(file, zone, source, Access.of(url, token)))
    _report(totals)
    if rejects is not None:
        lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in totals.rejected)
        rejects.write_text(lines, encoding="utf-8")
        OUT.print(f"Rejected rows are in {rejects}.")
    if totals.unreadable:
        raise typer.Exit(3)


async def _import(file: Path, zone: str, source: str, access: Access) -> Totals:
    totals = Totals()
    places = asyncio.Semaphore(IN_FLIGHT)
    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=OUT
    )
    task = bar.add_task("0 incidents", total=file.stat().st_size)  # noqa: ASYNC240  nothing else runs yet

    async def send(batch: Batch, read: int) -> None:
        try:
            answer = await _patiently(access, batch)
        finally:
            places.release()
        totals.add(batch, answer)
        done = f"{totals.incidents:,} incidents, {totals.rows:,} rows"
        bar.update(task, completed=read, description=done)

    with file.open("rb") as raw, bar:
        try:
            async with access, asyncio.TaskGroup() as group:
                found = batches(_rows(raw, file.suffix), zone, source=source, most_bytes=BATCH_BYTES)
                while (batch := await asyncio.to_thread(next, found, None)) is not None:
                    await places.acquire()
                    group.create_task(send(batch, raw.tell()))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None  # the first refusal ends the import; the rest follow from it
        bar.update(task, completed=file.stat().st_size)  # noqa: ASYNC240
    return totals


async def _patiently(access: Access, batch: Batch) -> Mapping[str, Any]:
    """Send a batch, and again while the service is away or overloaded: a batch is never taken twice."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    pause = 1.0
    while True:
        try:
            answer: Mapping[str, Any] = await access.post_bytes(
                "intake", "/v1/imports/servicenow", batch.body
            )
        except (Refused, httpx.TransportError) as error:
            passing = not isinstance(error, Refused) or error.status in (429, 503)
            if not passing or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 10)
        else:
            return answer


def _rows(raw: IO[bytes], suffix: str) -> Iterator[Mapping[str, str]]:
    """Read the export row by row; what a row lacks or has too much of is judged by the service."""
    plain: Any = raw
    if suffix == ".xz":
        plain = lzma.LZMAFile(raw)  # noqa: SIM115  the caller closes what it wraps
    elif suffix == ".gz":
        plain = gzip.GzipFile(fileobj=raw)
    text = io.TextIOWrapper(plain, encoding="utf-8-sig", newline="")
    reader = csv.DictReader(text, restkey="", restval="")
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise BadExport(f"the file has no column {', '.join(missing)}: is it an incident audit export?")
    for row in reader:
        row.pop("", None)
        yield row
    text.detach()  # else its end would close the caller's file


def _report(totals: Totals) -> None:
    table = Table(title="ServiceNow import", show_header=False)
    for name, count in (
        ("incidents in the file", totals.incidents),
        ("taken, wholly or further", totals.taken),
        ("known already", totals.unchanged),
        ("without a readable row", totals.unreadable),
        ("rows in the file", totals.rows),
        ("rows rejected", len(totals.rejected)),
        ("events recorded", totals.events),
    ):
        table.add_row(name, f"{count:,}")
    OUT.print(table)
    reasons = Counter(_kind(each["reason"]) for each in totals.rejected)
    for reason, count in reasons.most_common(REASONS_SHOWN):
        OUT.print(f"  {count:,} x {reason}")


def _kind(reason: str) -> str:
    """Return the reason without its figures, so that equal reasons are counted together."""
    return "".join("n" if char.isdigit() else char for char in reason)
