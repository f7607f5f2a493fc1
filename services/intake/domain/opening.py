"""How a request begins: the facts it was submitted with become its first event."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter

from services.intake.domain.priority import Priority
from services.intake.domain.request.commands import SubmitRequest
from services.intake.domain.request.events import RequestSubmitted

_NAMES = tuple(field.name for field in fields(SubmitRequest))
_facts = attrgetter(*_NAMES)


def submitted(opening: SubmitRequest, priority: Priority, *, historic: bool = False) -> RequestSubmitted:
    """Return the first event; every fact of the command is a field of the same name on the event."""
    facts = dict(zip(_NAMES, _facts(opening), strict=True))
    return RequestSubmitted(**facts, priority=priority.value, priority_rule=priority.rule, historic=historic)
