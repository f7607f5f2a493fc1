"""Clients that ask without pause, repeat what went unanswered, and note all they saw."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from tests.support.processes import PATIENCE_SECONDS, now

SERVICE = "Load"  # what every request of the load is about
_ANSWER_SECONDS = 30.0
_AGAIN_SECONDS = 0.1
_PERHAPS_LATER = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    """One try: when it was sent, how long the answer took, what came (0: none)."""

    sent_at: float
    seconds: float
    status: int
    code: str = ""
    retry_after: str = ""


@dataclass
class Load:
    """Some clients of intake's API, each with one request under way at a time.

    Every operation carries its name as idempotency key and as the request's category, so that its event can
    be found in the log. The history has a line per `invoke`, `ok`, `fail` (refused: it never happens) and
    `info` (nobody knows): an operation without an answer is sent again with its key until it has one.
    """

    url: str
    token: str
    history: Path
    clients: int = 4
    per_second: float = 15.0
    answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._names: Iterator[str] = (f"op-{uuid4().hex[:8]}-{n}" for n in count())
        self._random = random.Random()  # noqa: S311
        self._mine: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {self.token}"}, timeout=_ANSWER_SECONDS, trust_env=False
        )
        self._tasks = [asyncio.create_task(self._ask_on()) for _ in range(self.clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Begin nothing new; what has no answer yet is repeated until it has one."""
        self._stopping.set()
        await asyncio.wait_for(asyncio.gather(*self._tasks), PATIENCE_SECONDS)
        await self._client.aclose()

    async def answered(self, more: int) -> None:
        """Wait until so many more operations have been answered with success."""
        wanted = self.statuses["ok"] + more
        deadline = now() + PATIENCE_SECONDS
        while self.statuses["ok"] < wanted:
            assert now() < deadline, f"no {more} more answers: {self.statuses}"
            await asyncio.sleep(_AGAIN_SECONDS)

    @property
    def statuses(self) -> Counter[str]:
        """Count the tries by what came of them."""
        return Counter(_kind(answer.status) for answer in self.answers)

    async def _ask_on(self) -> None:
        while not self._stopping.is_set():
            operation = next(self._names)
            stream = self._random.choice(self._mine) if self._mine and self._random.random() < 0.3 else ""
            await self._ask(operation, stream)
            pause = self._random.expovariate(self.per_second / self.clients)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _ask(self, operation: str, stream: str) -> None:
        self._note("invoke", operation, stream=stream)
        while True:
            try:
                answer = await self._send(operation, stream)
            except httpx.HTTPError as error:
                self._note("info", operation, why=repr(error))
            else:
                if answer.is_success:
                    told = answer.json()
                    self._note("ok", operation, id=told["id"], position=told["position"])
                    if not stream:
                        self._mine.append(told["id"])
                    return
                if answer.status_code < 500 and answer.status_code not in _PERHAPS_LATER:
                    self._note("fail", operation, why=answer.text[:300])
                    return
                self._note("info", operation, why=answer.text[:300])
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _send(self, operation: str, stream: str) -> httpx.Response:
        weight = {"service": SERVICE, "category": operation, "impact": "high", "urgency": "low"}
        body = weight if stream else {"kind": "business_request", "title": operation, **weight}
        path = f"/v1/requests/{stream}/triage" if stream else "/v1/requests"
        began = now()
        status, code, later = 0, "", ""
        try:
            answer = await self._client.post(
                f"{self.url}{path}", json=body, headers={"Idempotency-Key": operation}
            )
            status, later = answer.status_code, answer.headers.get("Retry-After", "")
            code = answer.json().get("code", "") if answer.is_error else ""
            return answer
        finally:
            self.answers.append(Answer(began, now() - began, status, code, later))

    def _note(self, kind: str, operation: str, **facts: Any) -> None:
        line = {"type": kind, "op": operation, "at": round(now(), 3), **facts}
        with self.history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _kind(status: int) -> str:
    if status == 0:
        return "none"
    return "ok" if status < 300 else str(status)
