"""Which failures pass by themselves and which will hit the same message every time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import asyncpg
import httpx
from aiokafka.errors import KafkaError

from shared.eventsourcing.log import NewerData, OutcomeUnknown, StoreFork
from shared.messaging.checkpoints import LineageUnknown
from shared.runtime.database import unavailable

T = TypeVar("T")

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 30.0
STUBBORN_AFTER: Final = 5  # failures in a row, some seconds

_PASSING: Final = (NewerData, OutcomeUnknown, StoreFork, LineageUnknown, httpx.HTTPError, KafkaError, OSError)
# Cardinality, data, integrity, limits: what the values of one message can be to blame for.
_DATA_CLASSES: Final = ("21", "22", "23", "54")


def deterministic(error: Exception) -> bool:
    """Tell whether `error` lies in the message, so that trying again can never help.

    Everything else (no database, a lock not had in time, a missing table, a forked source) is no fault of
    the message: it waits.
    """
    if isinstance(error, _PASSING) or unavailable(error):
        return False
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in _DATA_CLASSES
    return not isinstance(error, asyncpg.InterfaceError)


class Backoff:
    """Pauses that double with full jitter, so that many processes do not come back at one moment."""

    def __init__(self, longest: float = LONGEST_PAUSE_SECONDS) -> None:
        self._longest = longest
        self._failures = 0

    @property
    def stubborn(self) -> bool:
        """Tell whether it has failed often enough to bother people: a start or a restart alone is not."""
        return self._failures >= STUBBORN_AFTER

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._failures = 0

    async def pause(self, stopping: asyncio.Event) -> None:
        """Wait for the next try, or until `stopping` is set."""
        ceiling = min(FIRST_PAUSE_SECONDS * 2**self._failures, self._longest)
        self._failures = min(self._failures + 1, 16)
        await wait_for_event(stopping, random.uniform(ceiling / 2, ceiling))  # noqa: S311


async def wait_for_event(event: asyncio.Event, seconds: float) -> bool:
    """Wait until `event` is set, at most `seconds`; tell whether it is."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def unless(stopping: asyncio.Event, work: Coroutine[Any, Any, T], *, grace: float = 0) -> T | None:
    """Return what `work` returns, or None when it is not done `grace` seconds after `stopping` was set."""
    answer, stop = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({answer, stop}, return_when=asyncio.FIRST_COMPLETED)
        if grace and not answer.done():
            await asyncio.wait({answer}, timeout=grace)
        return answer.result() if answer.done() and not answer.cancelled() else None
    finally:
        await cancelled(answer, stop)


async def cancelled(*tasks: asyncio.Future[Any] | None) -> None:
    """End these tasks, whatever comes of it; those that are done stay as they are."""
    started = [task for task in tasks if task is not None]
    for task in started:
        task.cancel()
    await asyncio.gather(*started, return_exceptions=True)
