"""Independent clients of the events, over Kafka or feeds: for the demo and the journey."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Self

from aiokafka import AIOKafkaConsumer

from services.command_line.access import Access
from services.command_line.installation import SERVICES
from shared.contracts.registry import TOPICS
from shared.messaging.brokers import KafkaAccess

_PATIENCE_SECONDS = 60.0
_WAIT_SECONDS = 5


class NotHeard(Exception):
    """An event did not reach the listener in a minute."""


class _Heard:
    """What has come so far, by type and subject; those who wait are woken by what comes."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def heard(self, kind: str, subject: str) -> Mapping[str, Any]:
        """Return the event once it has come; raises `NotHeard` after a minute."""
        key = (kind, subject)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._news:
                await self._news.wait_for(lambda: key in self._found or any(t.done() for t in self._tasks))
        except TimeoutError:
            raise NotHeard(f"{kind} about {subject} was not heard in {_PATIENCE_SECONDS:g} s") from None
        if key not in self._found:
            raise NotHeard(f"{kind}: the listener ended, {[task.exception() for task in self._tasks]}")
        return self._found[key]

    async def _take(self, headers: Mapping[str, str], data: Mapping[str, Any]) -> None:
        async with self._news:
            self._found[headers["ce_type"], headers["ce_subject"]] = {"headers": headers, "data": data}
            self._news.notify_all()

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class FeedListener(_Heard):
    """Follows the four feeds from their present heads."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._access = access

    async def __aenter__(self) -> Self:
        await self._access.__aenter__()
        heads = [(name, await self._access.get(name, "/v1/feed/head")) for name in SERVICES]
        self._tasks = [asyncio.create_task(self._follow(name, head["position"])) for name, head in heads]
        return self

    async def __aexit__(self, *about: object) -> None:
        await super().__aexit__(*about)
        await self._access.__aexit__(*about)

    async def _follow(self, service: str, after: int) -> None:
        while True:
            page = await self._access.get(service, "/v1/feed", after=after, wait=_WAIT_SECONDS)
            for item in page["items"]:
                await self._take(item["headers"], item["data"])
            after = page["position"]


class KafkaListener(_Heard):
    """Reads every topic with a plain consumer outside any group, from the topics' present ends."""

    def __init__(self, kafka: KafkaAccess) -> None:
        super().__init__()
        self._kafka = kafka
        self._consumer = AIOKafkaConsumer(*TOPICS, **kafka.options(), auto_offset_reset="latest")

    async def __aenter__(self) -> Self:
        try:
            await self._kafka.start(self._consumer)
        except BaseException:
            await self._consumer.stop()
            raise
        await self._consumer.seek_to_end()
        for partition in self._consumer.assignment():
            await self._consumer.position(partition)  # seeking is lazy: be there before the first event
        self._tasks = [asyncio.create_task(self._read())]
        return self

    async def __aexit__(self, *about: object) -> None:
        await super().__aexit__(*about)
        await self._consumer.stop()

    async def _read(self) -> None:
        async for record in self._consumer:
            headers = {name: value.decode() for name, value in record.headers}
            await self._take(headers, json.loads(record.value))
