"""`plumbline openapi`: writes the four APIs' documents, or says which one is stale."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.command_line.services import definitions
from shared.http.openapi import openapi_text, stale

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "contracts" / "openapi"


def openapi(
    *, check: Annotated[bool, typer.Option("--check", help="Only compare; exit 1 when one is stale.")] = False
) -> None:
    """Write docs/contracts/openapi from the routes; with --check, compare."""
    found = definitions().values()
    if check:
        old = [definition.name for definition in found if stale(definition, FOLDER)]
        for name in old:
            typer.echo(f"docs/contracts/openapi/{name}.json is stale: run `make openapi`", err=True)
        raise typer.Exit(1 if old else 0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for definition in found:
        (FOLDER / f"{definition.name}.json").write_text(openapi_text(definition), encoding="utf-8")
