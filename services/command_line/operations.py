"""What operators do: migrate, rebuild, erase, reconcile, restore, topics, doctor."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from services.command_line import diagnosis
from services.command_line.brokers import brokers
from services.command_line.installation import SERVICES, Installation
from services.command_line.opened import ACTOR, Opened, chosen, opened, run_here
from services.command_line.services import definitions
from shared.eventsourcing import incarnation, rebuild
from shared.eventsourcing.erasure import erase as erase_subjects
from shared.eventsourcing.erasure import erased_everywhere
from shared.eventsourcing.housekeeping import SourceRewound, erasure_rules, note
from shared.eventsourcing.log import Unit
from shared.http.entry import migrate_service
from shared.messaging.reconcile import Rewound
from shared.messaging.reconcile import reconcile as reconcile_source
from shared.messaging.source_feed import HttpSourceFeed
from shared.messaging.topics import declare
from shared.runtime.clock import SystemClock
from shared.runtime.http_client import http_client
from shared.runtime.settings import ServiceSettings

OUT = Console(highlight=False)

ServiceOption = Annotated[
    str | None, typer.Option("--service", "-s", help=f"One of {', '.join(SERVICES)}; all when left out.")
]


def bar(unit: str) -> Progress:
    """Return a progress bar that counts `unit`s and says how long it will still take."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        console=OUT,
    )


def migrate(service: ServiceOption = None) -> None:
    """Bring the databases to this release's schema and fill new read models.

    Needs PLUMBLINE_MIGRATION_DATABASE_URL and its keys twin (the owner's role); `make up` does it by itself.
    """
    for name in chosen(service, os.environ):
        run_here(_migrate(name))


async def _migrate(name: str) -> None:
    with bar("positions") as progress:
        task = progress.add_task(name, total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        revision = await migrate_service(definitions()[name], ServiceSettings(), show)
    OUT.print(f"{name}: at {revision}")


def rebuild_read_models(
    service: ServiceOption = None,
    model: Annotated[str | None, typer.Option(help="One read model; all when left out.")] = None,
) -> None:
    """Build read models anew from the log, beside the live table, and put them in its place.

    Readers see the old table until the switch; a run that is stopped changes nothing.
    """

    async def run(name: str) -> None:
        async with opened(name, os.environ) as found:
            for each in found.definition.log.read_models:
                if model in (None, each.name):
                    await _rebuild(found, each.name)

    for name in chosen(service, os.environ):
        run_here(run(name))


async def _rebuild(found: Opened, name: str) -> None:
    model = next(each for each in found.definition.log.read_models if each.name == name)
    with bar("events") as progress:
        task = progress.add_task(f"{found.definition.name} {name}", total=None)
        reached = await rebuild.rebuild(
            found.database,
            found.store,
            model,
            progress=lambda at: progress.update(task, completed=at.done, total=at.total),
        )
    async with found.database.connection() as conn:
        digest = await rebuild.table_hash(conn, model.table)
    OUT.print(f"{found.definition.name} {name}: at position {reached}, sha256 {digest[:16]}...")


def erase(
    subject: Annotated[UUID, typer.Argument(help="The data subject's id, as it stands in contracts.")],
    service: ServiceOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Make a person's data unreadable for ever, in every service, backups of the log included.

    Destroys the person's keys, waits a minute until no process holds one in memory, then tells the logs and
    empties the read models. Safe to repeat after an interruption.
    """
    if not yes:
        typer.confirm(f"Erase {subject} for ever?", abort=True)

    async def run(name: str) -> None:
        async with opened(name, os.environ) as found:
            rules = erasure_rules(SystemClock(), ACTOR)
            position = await erase_subjects(found.database, found.store, rules, [subject])
            while not await erased_everywhere(found.database, found.store, position):
                OUT.print(f"{name}: waiting until every read model has passed position {position}")
                await asyncio.sleep(1)  # the running service applies it
            OUT.print(f"{name}: erased, at position {position}")

    async def every() -> None:
        await asyncio.gather(*[run(name) for name in chosen(service, os.environ)])

    run_here(every())


def reconcile(
    service: Annotated[str, typer.Argument(help="The service that heard too much.")],
    source: Annotated[str, typer.Argument(help="The service that was restored from a backup.")],
) -> None:
    """Set a consumer back onto a source that was restored, and list its own records that stand on nothing."""

    async def run() -> None:
        async with opened(service, os.environ) as found:
            url, token = _feed_of(source)
            async with http_client(url, token=lambda: token) as client:
                done = await reconcile_source(
                    found.database, found.store, HttpSourceFeed(client, ""), source, _rewound
                )
        for each in done.rewound:
            OUT.print(f"{each.partition}: heard {each.heard}, set back to {each.kept}")
        table = Table("position", "stream", "id", "event", title="own events caused by lost positions")
        for orphan in done.orphans:
            table.add_row(str(orphan.position), orphan.stream, str(orphan.stream_id), orphan.type)
        OUT.print(table if done.orphans else "No own event stands on a lost position.")

    run_here(run())


def _rewound(each: Rewound) -> Unit:
    return note(
        SourceRewound(
            source=each.partition.source,
            topic=each.partition.topic,
            partition=each.partition.number,
            heard=each.heard,
            kept=each.kept,
            occurred_at=SystemClock().now(),
        ),
        ACTOR,
    )


def _feed_of(source: str) -> tuple[str, str]:
    if os.environ.get("DATABASE_URL"):
        settings = ServiceSettings()
        secret = settings.service_token
        return settings.sources[source], secret.get_secret_value() if secret else ""
    installation = Installation.of(os.environ)
    return f"{installation.running().url}/{source}", installation.first_token()[0]


def restored(service: Annotated[str, typer.Argument(help="The service whose backup was put back.")]) -> None:
    """Begin a new life of a log after its backup was put back, before any of its processes starts."""

    async def run() -> None:
        async with opened(service, os.environ) as found:
            rules = erasure_rules(SystemClock(), ACTOR)
            life = await incarnation.restore(found.database, found.store, rules)
            OUT.print(f"{service}: incarnation {life.ordinal} begins after position {life.after}")

    run_here(run())


def topics(
    *, apply: Annotated[bool, typer.Option("--apply", help="Create what is missing.")] = False
) -> None:
    """Show which Kafka topics are there and which would be declared; `--apply` declares them."""
    access = brokers()
    wanted = {
        topic: definition.log.partitions
        for definition in definitions().values()
        for topic in definition.log.publisher.topic_names()
    }
    table = Table("topic", "partitions", "at the broker")
    for each in run_here(declare(access, wanted, dry_run=not apply)):
        made = "declared now" if apply else "missing"
        state = "[red]another count: " + str(each.found) if each.differs else "there"
        table.add_row(each.name, str(each.partitions), state if each.found else made)
    OUT.print(table)


def doctor(service: ServiceOption = None) -> None:
    """Check databases, migrations, read models, the hash chain, lag and clock, and say what to do."""

    async def run() -> bool:
        well = True
        for name in chosen(service, os.environ):
            async with opened(name, os.environ) as found:
                with bar("events") as progress:
                    task = progress.add_task(f"{name}: hash chain", total=None)
                    findings = await diagnosis.examine(found, partial(_advance, progress, task))
            for finding in findings:
                mark = "[green]well[/]" if finding.well else "[red]not well[/]"
                OUT.print(f"{name:8} {mark} {finding.text}")
                well = well and finding.well
        return well

    if not run_here(run()):
        raise typer.Exit(1)


def _advance(progress: Progress, task: TaskID, done: int) -> None:
    progress.update(task, completed=done)
