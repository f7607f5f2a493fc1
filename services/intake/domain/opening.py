"""How a request begins: the facts it was submitted with become its first event."""

from __future__ import annotations

from dataclasses import fields

from services.intake.domain.priority import Priority
from services.intake.domain.request.commands import SubmitRequest
from services.intake.domain.request.events import RequestSubmitted

_FACTS = tuple(field.name for field in fields(SubmitRequest))


def submitted(opening: SubmitRequest, priority: Priority, *, historic: bool = False) -> RequestSubmitted:
    """Return the first event; every fact of the command is a field of the same name on the event."""
    facts = {name: getattr(opening, name) for name in _FACTS}
    return RequestSubmitted(**facts, priority=priority.value, priority_rule=priority.rule, historic=historic)
