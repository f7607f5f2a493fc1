"""How often one caller may ask, so that nobody takes all of a process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from shared.http.problems import Problem

BURST_SECONDS = 2.0


class Rates:
    """Counts requests per caller with one number each, the moment until which its requests are paid for.

    The generic cell rate algorithm (ITU-T I.371, A.1): a request moves that moment on by `1 / per_second`;
    it may lie two seconds ahead (or one request), so a caller that was quiet may send that much at once. A
    caller that is forgotten, because more than `capacity` have come since, begins anew.
    """

    def __init__(
        self, per_second: float, *, now: Callable[[], float] = time.monotonic, capacity: int = 10_000
    ) -> None:
        self._per_second = per_second
        self._step = 1 / per_second
        # A thousandth of a request more, lest what many sums lack in precision refuses the last one.
        self._ahead = max(BURST_SECONDS, self._step) + self._step / 1000
        self._now = now
        self._capacity = capacity
        self._paid_until: dict[str, float] = {}

    def count(self, caller: str) -> None:
        """Let a request pass, or raise the problem `too-many-requests`, which says when to come again."""
        now = self._now()
        until = max(self._paid_until.get(caller, now), now) + self._step
        excess = until - now - self._ahead
        if excess > 0:
            detail = f"{caller} may send {self._per_second:g} requests a second to this process."
            raise Problem("too-many-requests", detail, headers={"Retry-After": str(math.ceil(excess))})
        if caller not in self._paid_until and len(self._paid_until) >= self._capacity:
            del self._paid_until[next(iter(self._paid_until))]
        self._paid_until[caller] = until
