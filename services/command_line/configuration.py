"""`plumbline config`: every setting, what it is for, and whether the values are right."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from shared.runtime.settings import ServiceSettings, variables

OUT = Console(highlight=False)


def config(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only check; exit 1 when something is wrong.")
    ] = False,
) -> None:
    """List the settings of a service with their values (secrets hidden), or check the environment's."""
    if check:
        try:
            ServiceSettings()
        except (ValidationError, ValueError) as error:
            OUT.print(f"[red]not well:[/] {error}")
            raise typer.Exit(1) from None
        OUT.print("All settings are well.")
        return
    table = Table("name", "value", "default", "what for")
    for variable in variables():
        value = os.environ.get(variable.name)
        shown = "" if value is None else "********" if variable.secret else value
        table.add_row(variable.name, shown, variable.default or "", variable.description)
    OUT.print(table)
