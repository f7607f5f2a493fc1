"""A record's history as its readers may see it: what, when, by whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from services.intake.domain.request import events as past
from services.intake.domain.vocabulary import Visibility
from shared.eventsourcing.log import Recorded


def visible(history: Iterable[Recorded], *, staff: bool) -> list[Recorded]:
    """Keep what the reader may see: internal comments are for staff."""
    return [recorded for recorded in history if staff or not _internal(recorded.event)]


def _internal(event: Any) -> bool:
    return isinstance(event, past.CommentAdded) and event.visibility is Visibility.INTERNAL


def entry(recorded: Recorded) -> dict[str, Any]:
    """Return one event as a line of a timeline: what, when in business and in the log, by whom, details."""
    event = recorded.event
    details = {field.name: getattr(event, field.name) for field in fields(event)}
    for told in ("occurred_at", "historic", "request_id", "rfc_id"):
        details.pop(told, None)
    return {
        "version": recorded.version,
        "position": recorded.position,
        "event": type(event).__name__,
        "occurred_at": event.occurred_at,
        "recorded_at": recorded.recorded_at,
        "historic": event.historic,
        "actor": recorded.meta.actor,
        "correlation_id": recorded.meta.correlation_id,
        "details": details,
    }
