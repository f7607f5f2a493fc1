"""What operators do with messages that were set aside: replay them, or give them up."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from services.command_line.giving_up import GivenUp, Record, give_up_foreign, give_up_key
from services.command_line.opened import ACTOR, Opened, chosen, opened, run_here
from shared.eventsourcing.housekeeping import MessagesGivenUp, note
from shared.eventsourcing.log import Unit
from shared.messaging.consumer import Consumer
from shared.messaging.measures import Measures
from shared.messaging.message import Partition
from shared.runtime.clock import SystemClock
from shared.runtime.metrics import Metrics

_FOREIGN = "SELECT source, topic, partition, position FROM work.parked_message WHERE foreign_born"
_KEYS = "SELECT source, topic, key FROM work.parked_key ORDER BY parked_at"


def foreign_place(row: Mapping[str, Any]) -> str:
    """Return how a foreign message is called, for example `plumbline.intake.requests.v1/3@17`."""
    return f"{row['topic']}/{row['partition']}@{row['position']}"


def unpark(
    service: Annotated[
        str | None, typer.Option("--service", "-s", help="The service that heard them; all when left out.")
    ] = None,
    discard: Annotated[
        str | None,
        typer.Option(help="Give this up for good instead: a key or TOPIC/PARTITION@OFFSET, as doctor says."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it is given up; the log keeps it.")] = "",
) -> None:
    """Replay the messages that were set aside, key by key in order; a key that still fails stays.

    With `--discard` and `--reason` nothing is replayed: what is named will never be taken.
    """
    if (discard is None) is not (not reason.strip()):
        raise typer.BadParameter("--discard and --reason go together")

    async def run(name: str) -> bool:
        async with opened(name, os.environ) as found:
            lines = await (replay(found) if discard is None else give_up(found, discard, reason.strip()))
        for line in lines or (f"{discard or 'nothing'} is {'not ' if discard else ''}parked",):
            typer.echo(f"{name}: {line}")
        return bool(lines)

    done = [run_here(run(name)) for name in chosen(service, os.environ)]
    if discard is not None and not any(done):
        raise typer.Exit(1)


async def replay(found: Opened) -> list[str]:
    """Replay every parked key of a service and say how each fared."""
    subscriptions, metrics = found.definition.subscriptions, Metrics(found.definition.name)
    consumer = Consumer(found.database, found.store, subscriptions, {}, Measures(metrics))
    told = []
    for row in await _fetched(found, _KEYS):
        place = f"{row['topic']} {row['key'].decode(errors='replace')}"
        try:
            count = await consumer.unpark(row["source"], row["topic"], row["key"])
        except Exception as error:  # noqa: BLE001  the other keys may fare better
            told.append(f"{place}: still fails, {error}")
        else:
            told.append(f"{place}: {count} taken")
    return told


async def give_up(found: Opened, which: str, reason: str) -> list[str]:
    """Give up the parked key or the foreign message called `which`, and say what that was."""
    record, done = _recording(reason), []
    for row in await _fetched(found, _KEYS):
        if row["key"].decode(errors="replace") == which:
            place = (row["source"], row["topic"], row["key"])
            done.append(await give_up_key(found.database, found.store, *place, record))
    for row in await _fetched(found, _FOREIGN):
        if foreign_place(row) == which:
            partition = Partition(row["source"], row["topic"], row["partition"])
            done.append(
                await give_up_foreign(found.database, found.store, partition, row["position"], record)
            )
    return [f"{each.partition.topic}: {len(each.positions)} given up" for each in done if each is not None]


def _recording(reason: str) -> Record:
    def record(each: GivenUp) -> Unit:
        source, topic, partition = each.partition
        event = MessagesGivenUp(
            source=source,
            topic=topic,
            partition=partition,
            key=each.key,
            positions=each.positions,
            reason=reason,
            occurred_at=SystemClock().now(),
        )
        return note(event, ACTOR)

    return record


async def _fetched(found: Opened, statement: str) -> list[Any]:
    async with found.database.connection() as conn:
        rows: list[Any] = await conn.fetch(statement)
        return rows
