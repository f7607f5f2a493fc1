"""How a request begins: the facts it was submitted with become its first event."""

from __future__ import annotations

from services.intake.domain.priority import Priority
from services.intake.domain.request.commands import SubmitRequest
from services.intake.domain.request.events import RequestSubmitted
from shared.eventsourcing.decider import made


def submitted(opening: SubmitRequest, priority: Priority, *, historic: bool = False) -> RequestSubmitted:
    """Return the first event; every fact of the command is a field of the same name on the event."""
    judged = {"priority": priority.value, "priority_rule": priority.rule, "historic": historic}
    return made(RequestSubmitted, opening.__dict__ | judged)
