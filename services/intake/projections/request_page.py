"""One request with its timeline, as it stands now or as it was recorded at some moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from services.intake.domain.lifecycle import allowed_transitions
from services.intake.domain.request import events as past
from services.intake.domain.request.decider import REQUEST
from services.intake.projections.timeline import entry
from shared.eventsourcing.log import Recorded
from shared.runtime.ids import human_number


def page(history: Sequence[Recorded]) -> dict[str, Any]:
    """Return everything known of the request whose history this is (not empty), its timeline included."""
    first, last = history[0], history[-1]
    opened: past.RequestSubmitted = first.event
    state = REQUEST.fold([recorded.event for recorded in history])
    facts = {field.name: getattr(opened, field.name) for field in fields(opened)}
    facts.pop("serial")
    facts.pop("request_id")
    submitted_at = facts.pop("occurred_at")
    return {
        "id": first.stream_id,
        "number": human_number("REQ", first.recorded_at, opened.serial),
        **facts,
        **_latest(history),
        "state": state.state,
        "hold": state.hold,
        "requester_id": state.requester_id,
        "service": state.service,
        "category": state.category,
        "impact": state.impact,
        "urgency": state.urgency,
        "priority": state.priority,
        "assignment_group": state.group,
        "assignee": state.assignee,
        "submitted_at": submitted_at,
        "changed_at": last.occurred_at,
        "breaches": _breaches(history),
        "projects": _projects(history),
        "allowed_transitions": allowed_transitions(state),
        "timeline": [entry(recorded) for recorded in history],
    }


def _latest(history: Sequence[Recorded]) -> dict[str, Any]:
    """Return what the last event that says it says: the priority's reason, the requester, the conversion."""
    found: dict[str, Any] = {"converted_to": None, "target_id": None}
    for recorded in history:
        match recorded.event:
            case past.RequestTriaged(priority_rule=rule) | past.RequestReprioritised(priority_rule=rule):
                found["priority_rule"] = rule
            case past.RequesterChanged(requester_name=name):
                found |= {"requester_name": name, "requester_address": ""}
            case past.RequestConverted(to=to, target_id=target_id):
                found |= {"converted_to": to, "target_id": target_id}
    return found


def _projects(history: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Return the projects that came of it."""
    return [
        {"project_id": linked.project_id, "number": linked.project_number, "approved_at": linked.occurred_at}
        for recorded in history
        if isinstance(linked := recorded.event, past.RequestProjectLinked)
    ]


def _breaches(history: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Return the breaches that stand; a withdrawn one leaves only its traces in the timeline."""
    standing: dict[Any, dict[str, Any]] = {}
    for recorded in history:
        match recorded.event:
            case past.BreachNoted() as noted:
                standing[noted.clock_id] = {
                    "found_by": noted.found_by,
                    "clock_id": noted.clock_id,
                    "target": noted.target,
                    "due_at": noted.due_at,
                    "noted_at": noted.occurred_at,
                    "historic": noted.historic,
                }
            case past.BreachWithdrawn(clock_id=clock_id):
                standing.pop(clock_id, None)
    return list(standing.values())
