"""What becomes of a unit that the database or a read model refuses, its neighbours aside."""

from __future__ import annotations

import structlog

from shared.eventsourcing.decider import Rejected

_LOG = structlog.get_logger(__name__)


class Unstorable(Rejected):
    """The database refuses these values: HTTP 422. The neighbours in the batch are not affected."""

    status = 422


class ProjectionFailed(Exception):
    """A read model cannot take this unit's events: a defect of ours, HTTP 500; its neighbours go on."""


def problem_of(error: Exception) -> Exception:
    """Return what its sender is told: that a value is refused, or that a defect of ours stood in the way."""
    state = getattr(error, "sqlstate", "") or ""
    if state[:2] in ("21", "22", "23", "54"):
        return Unstorable(
            f"the database refuses a value: {error}", remedy="correct the value and send it again"
        )
    _LOG.error("a unit could not be appended", error=type(error).__name__, exc_info=error)
    return ProjectionFailed(f"{type(error).__name__} while the unit was appended")
