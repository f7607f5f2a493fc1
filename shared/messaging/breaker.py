"""The circuit breaker of a partition: many poisoned messages mean a fault of ours."""

from __future__ import annotations

from collections import deque
from typing import Final

WINDOW_SECONDS: Final = 300.0
WINDOW_MESSAGES: Final = 1000
MAX_KEYS: Final = 20
MAX_FAILURES: Final = WINDOW_MESSAGES // 100  # 1 %
FIRST_PAUSE_SECONDS: Final = 30.0
LONGEST_PAUSE_SECONDS: Final = 300.0


class Breaker:
    """Counts what one partition took and what of it failed.

    Times are seconds of any monotonic clock. Messages parked behind an earlier one of their key count as
    taken, not as failed: they say nothing new. A stopped partition is tried again after 30 s, and where it
    is stopped anew before it has taken anything, after twice as long, at most 5 minutes.
    """

    def __init__(self) -> None:
        self.pause = 0.0  # seconds of the present stop; 0 while nothing is wrong
        self._until = 0.0
        self._taken = 0
        self._failures: deque[tuple[float, int]] = deque()

    def stops(self, now: float) -> bool:
        """Tell whether the partition is to be left alone now."""
        return self.pause > 0 and now < self._until

    def took(self, messages: int) -> None:
        """Count messages that needed no parking of their own."""
        self._taken += messages
        if messages:
            self.pause = 0.0

    def trips(self, now: float, keys_parked: int) -> bool:
        """Tell whether one failure more is too many: then park nothing, for the partition is stopped.

        `keys_parked` counts the keys that the partition parked within the window so far.
        """
        if not self._too_many(now, keys_parked):
            return False
        self.pause = min(2 * self.pause or FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        self._until = now + self.pause
        return True

    def _too_many(self, now: float, keys_parked: int) -> bool:
        while self._failures and (
            self._failures[0][0] <= now - WINDOW_SECONDS
            or self._failures[0][1] <= self._taken - WINDOW_MESSAGES
        ):
            self._failures.popleft()
        return keys_parked >= MAX_KEYS or len(self._failures) >= MAX_FAILURES

    def failed(self, now: float) -> None:
        """Count one message that was parked for its own fault."""
        self._taken += 1
        self._failures.append((now, self._taken))
