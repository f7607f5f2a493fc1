"""The `plumbline` command: start everything, play the demo, import, operate the logs."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from services.command_line.access import Refused
from services.command_line.configuration import config
from services.command_line.demo import demo
from services.command_line.history import servicenow
from services.command_line.installation import NotRunning
from services.command_line.openapi import openapi
from services.command_line.opened import NoDatabases
from services.command_line.operations import (
    doctor,
    erase,
    migrate,
    rebuild_read_models,
    reconcile,
    restored,
    topics,
)
from services.command_line.parked import unpark
from services.command_line.tail import tail
from services.command_line.tokens import token
from services.command_line.up import up as run_all
from shared.http.serve import PortTaken
from shared.messaging.brokers import NotLetIn
from shared.runtime import logging
from shared.runtime.database import DatabaseAway
from shared.runtime.postgres_binaries import NoPostgres

ERRORS = Console(stderr=True, highlight=False)
EXPECTED = (DatabaseAway, KafkaError, NoDatabases, NoPostgres, NotLetIn, NotRunning, PortTaken, Refused)

app = typer.Typer(
    name="plumbline",
    help="Event-sourced request and change management: requests, changes, services, service levels.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode=None,
)
imports = typer.Typer(help="Take history from other systems, exactly once.", no_args_is_help=True)
app.add_typer(imports, name="import")


@app.command()
def up(*, sample: Annotated[bool, typer.Option(help="Load the Woodgrove Bank sample, once.")] = True) -> None:
    """Start embedded PostgreSQL and the four services on http://127.0.0.1:8080, until Ctrl-C.

    Data stay in `.plumbline` (PLUMBLINE_LOCAL_FOLDER); PLUMBLINE_LOCAL_PORT chooses another port, with the
    management port behind it. KAFKA_BOOTSTRAP_SERVERS makes the services talk through Kafka.
    """
    run_all(os.environ, sample=sample)


app.command()(demo)
app.command()(tail)
app.command()(migrate)
app.command("rebuild")(rebuild_read_models)
app.command()(erase)
app.command()(unpark)
app.command()(reconcile)
app.command()(restored)
app.command()(topics)
app.command()(token)
app.command()(config)
app.command()(openapi)
app.command()(doctor)
imports.command("servicenow")(servicenow)


def main() -> None:
    """Run the command line; an expected failure is one sentence and status 1, not a trace."""
    logging.configure(service="plumbline", level="warning", style="console")
    try:
        app()
    except EXPECTED as error:
        ERRORS.print(f"[red]{type(error).__name__}:[/] {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
