"""`plumbline demo`: plays one request's journey through the four services and tells it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.panel import Panel

from services.command_line.access import Access, UrlOption
from services.command_line.brokers import brokers
from services.command_line.installation import Installation
from services.command_line.journey import PEOPLE, Journey, Told
from services.command_line.listeners import FeedListener, KafkaListener
from shared.http.issuer import Issuer
from shared.runtime.clock import SystemClock

OUT = Console(highlight=False)
_AN_HOUR = timedelta(hours=1)
_FACTS_SHOWN = 6


def demo(
    url: UrlOption = None,
    kafka: Annotated[
        str | None, typer.Option(help="Listen at these Kafka bootstrap servers instead of the feeds.")
    ] = None,
    issuer_key: Annotated[
        Path | None, typer.Option(help="The issuer's key file, to sign the players' tokens elsewhere.")
    ] = None,
) -> None:
    """Play one request's journey: asked, promised, changed, approved, in the pipeline, and late.

    Ten people play, each with a token of their own that is valid for an hour.
    """
    installation = Installation.of(os.environ)
    base = url or installation.running().url
    issuer = Issuer.open(issuer_key, clock=SystemClock()) if issuer_key else installation.issuer()
    count = asyncio.run(
        play(access_of(base, issuer), kafka or os.environ.get("KAFKA_BOOTSTRAP_SERVERS"), show)
    )
    OUT.print(f"\n[bold]{count} steps[/]; look around at {base}")


def access_of(url: str, issuer: Issuer) -> Callable[[str], Access]:
    """Return how each player of the journey gets in."""

    def access(name: str) -> Access:
        return Access.at(url, issuer.mint(name, PEOPLE[name], _AN_HOUR))

    return access


async def play(access: Callable[[str], Access], kafka: str | None, show_step: Callable[[Told], None]) -> int:
    """Play the journey, telling each step, and return how many there were."""
    listener = KafkaListener(brokers(kafka)) if kafka else FeedListener(access("max.metrics"))
    count = 0
    async with listener:
        async for told in Journey(access, listener).play():
            show_step(told)
            count += 1
    return count


def show(told: Told) -> None:
    """Print one step with the facts worth seeing."""
    OUT.print(Panel(_facts(told.facts), title=f"[bold]{told.who}[/] {told.what}", title_align="left"))


def _facts(facts: Mapping[str, Any]) -> str:
    shown = [(name, value) for name, value in facts.items() if value not in (None, "", [], {}, False)]
    return "\n".join(
        f"{name}: {json.dumps(value, default=str)[:140]}" for name, value in shown[:_FACTS_SHOWN]
    )
