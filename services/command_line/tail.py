"""`plumbline tail`: what the services say, as it happens, from their feeds or from Kafka."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import typer
from aiokafka import AIOKafkaConsumer
from rich.console import Console

from services.command_line.access import Access, TokenOption, UrlOption
from services.command_line.brokers import brokers
from services.command_line.installation import SERVICES
from shared.contracts.registry import TOPICS
from shared.messaging.brokers import KafkaAccess

OUT = Console(highlight=False)
_WAIT_SECONDS = 20


def tail(
    url: UrlOption = None,
    token: TokenOption = None,
    kafka: Annotated[
        str | None, typer.Option(help="Read Kafka at these bootstrap servers instead of the feeds.")
    ] = None,
    *,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest event.")] = False,
    output_json: Annotated[bool, typer.Option("--json", help="One JSON object per line.")] = False,
) -> None:
    """Show every public event of the four services until Ctrl-C."""

    async def run() -> None:
        if kafka:
            async for event in _from_kafka(brokers(kafka), from_start=from_start):
                _show(event, as_json=output_json)
            return
        async with Access.of(url, token) as access, asyncio.TaskGroup() as group:
            for service in SERVICES:
                group.create_task(_follow(access, service, from_start=from_start, as_json=output_json))

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        OUT.print()


async def _follow(access: Access, service: str, *, from_start: bool, as_json: bool) -> None:
    after = 0 if from_start else (await access.get(service, "/v1/feed/head"))["position"]
    while True:
        page = await access.get(service, "/v1/feed", after=after, wait=_WAIT_SECONDS)
        for item in page["items"]:
            _show({"headers": item["headers"], "data": item["data"]}, as_json=as_json)
        after = page["position"]


async def _from_kafka(kafka: KafkaAccess, *, from_start: bool) -> AsyncIterator[dict[str, Any]]:
    consumer = AIOKafkaConsumer(
        *TOPICS,
        **kafka.options(),
        enable_auto_commit=False,
        auto_offset_reset="earliest" if from_start else "latest",
    )
    try:
        await kafka.start(consumer)
        async for record in consumer:
            headers = {name: value.decode() for name, value in record.headers}
            yield {"headers": headers, "data": json.loads(record.value)}
    finally:
        await consumer.stop()


def _show(event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        OUT.out(json.dumps(event, ensure_ascii=False))
        return
    headers, data = event["headers"], event["data"]
    facts = ", ".join(
        f"{k}={v}" for k, v in data.items() if k not in ("occurred_at", "historic") and v is not None
    )
    OUT.print(f"[dim]{headers['ce_time']}[/] [bold]{headers['ce_type']}[/] {facts}", soft_wrap=True)
