"""One task that works on batches: on whatever arrived while it was busy."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Batching(Generic[T]):
    """Works on what waits, in order of arrival, until it is stopped and nothing waits any more.

    There is no timer: what comes alone is worked on at once. What still comes in turn by turn of the loop is
    waited for, up to `most`, because fewer and fuller batches cost less. `work` takes from `waiting` what it
    will; it must not raise, for that would end the task.
    """

    def __init__(self, work: Callable[[], Awaitable[None]], *, most: int) -> None:
        self.waiting: deque[T] = deque()
        self._work = work
        self._most = most
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self, name: str) -> None:
        """Begin to work, as the task called `name`."""
        self._stopping = False
        self._task = asyncio.create_task(self._run(), name=name)

    async def stop(self) -> None:
        """Work on what is waiting, then end. Nothing may be put from here on."""
        self._stopping = True
        self._arrived.set()
        if self._task is not None:
            await self._task

    def put(self, *more: T) -> None:
        """Let these be worked on, behind what waits already."""
        self.waiting.extend(more)
        self._arrived.set()

    async def _run(self) -> None:
        while self.waiting or not self._stopping:
            await self._arrived.wait()
            known = 0
            while known < len(self.waiting) < self._most:
                known = len(self.waiting)
                await asyncio.sleep(0)
            await self._work()
            if not self.waiting:
                self._arrived.clear()
