"""Consistency tokens: a read that waits, briefly, until it shows what a write answered."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

from shared.contracts.envelope import partition_for
from shared.eventsourcing.log import Appended
from shared.http.problems import Problem

_ONE = re.compile(r"([a-z][a-z0-9.\-]{0,120})(?:/(\d{1,6}))?@(\d{1,18})")
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})")
_POLL_SECONDS = 0.05
_DEFAULT_SECONDS = 2.0
_LONGEST_SECONDS = 5.0

Place = tuple[str, int]
Shown = Callable[[int], Awaitable[bool]]
"""Tells whether all own read models show this position of the own log."""
Heard = Callable[[Mapping[Place, int]], Awaitable[bool]]
"""Tells whether these positions, per (topic, partition), of other services' logs have been heard."""


class Tokens:
    """Writes the token of an answer: `intake@57,plumbline.intake.requests.v1/3@57`.

    The first part is the position in the own log, the others say where in public it can be waited for. A
    replayed answer has the first part only.
    """

    def __init__(self, service: str, topics: Mapping[type, str], partitions: Mapping[str, int]) -> None:
        self._service = service
        self._topics = topics
        self._partitions = partitions

    def of(self, appended: Appended) -> str:
        """Return the token that shows what was appended."""
        places: dict[Place, int] = {}
        for recorded in appended.events:
            topic = self._topics.get(type(recorded.event))
            if topic is not None:
                partition = partition_for(str(recorded.stream_id).encode(), self._partitions[topic])
                places[topic, partition] = recorded.position
        said = [f"{topic}/{partition}@{position}" for (topic, partition), position in places.items()]
        return ",".join([f"{self._service}@{appended.position}", *said])


def positions(tokens: str) -> tuple[Mapping[str, int], Mapping[Place, int]]:
    """Read the header: positions by service and by (topic, partition).

    Several tokens may be joined by commas. Raises a problem for anything of another shape.
    """
    own: dict[str, int] = {}
    places: dict[Place, int] = {}
    for text in tokens.split(","):
        one = _ONE.fullmatch(text.strip())
        if one is None:
            raise Problem("malformed", "Consistency-Token must be what a write answered, such as intake@57.")
        if one[2] is None:
            own[one[1]] = max(own.get(one[1], 0), int(one[3]))
        else:
            place = (one[1], int(one[2]))
            places[place] = max(places.get(place, 0), int(one[3]))
    return own, places


async def nothing_heard(_: Mapping[Place, int]) -> bool:
    """Be the answer of a service that hears no other: there is nothing to wait for."""
    return True


class Consistency:
    """Lets reads wait for positions, at most `most` at a time and 5 seconds each."""

    def __init__(self, service: str, shown: Shown, heard: Heard = nothing_heard, *, most: int = 200) -> None:
        self._service = service
        self._shown = shown
        self._heard = heard
        self._most = most
        self._waiting = 0

    async def wait(self, tokens: str, prefer: str) -> None:
        """Return once every position is shown; `Prefer: return=stale` does not wait at all.

        Raises the problem `projection-lag` when the time of `Prefer: wait=` (seconds) runs out.
        """
        own, places = positions(tokens)
        if "return=stale" in prefer:
            return
        asked = _WAIT.search(prefer)
        seconds = min(float(asked[1]) if asked else _DEFAULT_SECONDS, _LONGEST_SECONDS)
        deadline = asyncio.get_running_loop().time() + seconds
        if await self._reached(own.get(self._service, 0), places):
            return
        if self._waiting >= self._most:
            raise Problem("overloaded", "Too many reads are waiting for a position.")
        self._waiting += 1
        try:
            while not await self._reached(own.get(self._service, 0), places):
                if asyncio.get_running_loop().time() >= deadline:
                    raise Problem("projection-lag")
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            self._waiting -= 1

    async def _reached(self, position: int, places: Mapping[Place, int]) -> bool:
        return (not position or await self._shown(position)) and (not places or await self._heard(places))
