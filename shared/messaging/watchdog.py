"""Notices a Kafka consumer that has silently stopped: aiokafka gives no such sign itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from shared.messaging.outbox import Place

LOOK_SECONDS: Final = 10.0
UNASSIGNED_SECONDS: Final = 120.0
STUCK_SECONDS: Final = 60.0
REBUILDS: Final = 3
REBUILDS_WITHIN_SECONDS: Final = 600.0


class Watchdog:
    """Judges one reader after another. Times are seconds of any monotonic clock."""

    def __init__(self, now: float) -> None:
        self._assigned_at = now
        self._moved: dict[Place, tuple[int, float]] = {}
        self._rebuilds: deque[float] = deque(maxlen=REBUILDS)

    def verdict(self, now: float, assigned: int, positions: Mapping[Place, tuple[int, int]]) -> str:
        """Return why the reader has to be replaced; empty while it works.

        `positions` are next offset and known end of the assigned partitions.
        """
        if assigned:
            self._assigned_at = now
        elif now - self._assigned_at > UNASSIGNED_SECONDS:
            return "unassigned"
        self._moved = {
            place: self._moved[place] if self._moved.get(place, (-1, 0))[0] == position else (position, now)
            for place, (position, _) in positions.items()
        }
        for place, (position, end) in positions.items():
            if position < end and now - self._moved[place][1] > STUCK_SECONDS:
                return "stuck"
        return ""

    def rebuilt(self, now: float, reason: str) -> bool:
        """Begin to judge a new reader; tell whether so many replacements call for a new process.

        Members without a partition (more processes than partitions) are replaced, but never end the process.
        """
        self._assigned_at, self._moved = now, {}
        if reason == "unassigned":
            return False
        self._rebuilds.append(now)
        return len(self._rebuilds) == REBUILDS and now - self._rebuilds[0] <= REBUILDS_WITHIN_SECONDS
