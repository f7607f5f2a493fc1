"""Consistency tokens: a read that waits, briefly, until it shows what a write answered."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

from shared.http.problems import Problem

_ONE = re.compile(r"([a-z]{1,32})@(\d{1,18})")
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})")
_POLL_SECONDS = 0.05
_DEFAULT_SECONDS = 2.0
_LONGEST_SECONDS = 5.0

Reached = Callable[[str], Awaitable[int]]
"""Answers the position up to which this service shows what the named service has recorded;
raises KeyError for a service that it does not hear."""


def token_of(service: str, position: int) -> str:
    """Return `intake@57`; several tokens may be sent back in one header, separated by commas."""
    return f"{service}@{position}"


def positions(tokens: str) -> Mapping[str, int]:
    """Read the header's tokens: service -> position. Raises a problem for anything of another shape."""
    wanted: dict[str, int] = {}
    for text in tokens.split(","):
        one = _ONE.fullmatch(text.strip())
        if one is None:
            raise Problem("malformed", "Consistency-Token must be what a write answered, such as intake@57.")
        wanted[one[1]] = max(wanted.get(one[1], 0), int(one[2]))
    return wanted


class Consistency:
    """Lets reads wait for positions, at most `most` at a time and 5 seconds each."""

    def __init__(self, reached: Reached, *, most: int = 200) -> None:
        self._reached = reached
        self._most = most
        self._waiting = 0

    async def wait(self, tokens: str, prefer: str) -> None:
        """Return once every position is shown; `Prefer: return=stale` does not wait at all.

        Raises the problem `projection-lag` when the time of `Prefer: wait=` (seconds) runs out.
        """
        wanted = positions(tokens)
        if "return=stale" in prefer:
            return
        asked = _WAIT.search(prefer)
        seconds = min(float(asked[1]) if asked else _DEFAULT_SECONDS, _LONGEST_SECONDS)
        deadline = asyncio.get_running_loop().time() + seconds
        if await self._shown(wanted):
            return
        if self._waiting >= self._most:
            raise Problem("overloaded", "Too many reads are waiting for a position.")
        self._waiting += 1
        try:
            while not await self._shown(wanted):
                if asyncio.get_running_loop().time() >= deadline:
                    raise Problem("projection-lag")
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            self._waiting -= 1

    async def _shown(self, wanted: Mapping[str, int]) -> bool:
        try:
            for service, position in wanted.items():
                if await self._reached(service) < position:
                    return False
        except KeyError as error:
            raise Problem("malformed", f"This service does not hear {error.args[0]}.") from error
        return True
