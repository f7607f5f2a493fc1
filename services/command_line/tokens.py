"""`plumbline token`: mints a token of the local issuer for a person or a machine."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Annotated

import typer

from services.command_line.installation import Installation

ROLES = (
    "requester",
    "business_customer",
    "support_agent",
    "service_desk_manager",
    "implementer",
    "change_manager",
    "cab_member",
    "service_owner",
    "service_level_manager",
    "supplier_manager",
    "account_manager",
    "portfolio_manager",
    "advisory_board_member",
    "it_policy_manager",
    "it_manager",
    "it_executive_officer",
    "auditor",
    "operator",
    "desk_tool",
    "monitoring",
    "event_consumer",
    "administrator",
)


def token(
    name: Annotated[str, typer.Argument(help="Who holds it: a user name or a machine's name.")],
    role: Annotated[
        list[str], typer.Option("--role", "-r", help="What the holder may do; repeat for several.")
    ],
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it is valid.")] = 30,
) -> None:
    """Mint a token, signed with this machine's issuer key, and print it.

    Services know the public key only; whoever can read the key's file can make any token.
    """
    unknown = sorted(set(role) - set(ROLES))
    if unknown:
        raise typer.BadParameter(f"no such role: {', '.join(unknown)}; there are: {', '.join(ROLES)}")
    installation = Installation.of(os.environ)
    installation.create()
    typer.echo(installation.issuer().mint(name, role, timedelta(days=days)))
