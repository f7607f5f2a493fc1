"""A clock that stands still, for tests that choose their moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class FixedClock:
    """Shows the same moment until it is told otherwise."""

    def __init__(self, at: datetime) -> None:
        self._at = _utc(at)

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        self._at = _utc(at)

    def advance(self, by: timedelta) -> None:
        self._at += by


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} names no time zone; give an aware datetime")
    return at.astimezone(UTC)
