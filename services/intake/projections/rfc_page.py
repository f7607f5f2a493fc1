"""One request for change with its votes and timeline, as it stands or as it was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from services.intake.domain.change_lifecycle import (
    allowed_transitions,
    missing_before_approval,
    missing_before_submission,
)
from services.intake.domain.rfc import events as past
from services.intake.domain.rfc.decider import RFC
from services.intake.projections.timeline import entry
from shared.eventsourcing.log import Recorded
from shared.runtime.ids import human_number


def page(history: Sequence[Recorded]) -> dict[str, Any]:
    """Return everything known of the RFC whose history this is (not empty), its timeline included."""
    first, last = history[0], history[-1]
    drafted: past.RfcDrafted = first.event
    state = RFC.fold([recorded.event for recorded in history])
    return {
        "id": first.stream_id,
        "number": human_number("RFC", first.recorded_at, drafted.serial),
        **asdict(state.text),
        "state": state.state,
        "revision": state.revision,
        "change_type": state.change_type,
        "requester_id": state.requester_id,
        "request_id": state.request_id,
        "drafted_at": drafted.occurred_at,
        "changed_at": last.occurred_at,
        **_judged(history),
        "votes": [{"voter_id": voter, "vote": vote} for voter, vote in state.votes.items()],
        "approved_by": state.approved_by,
        "deferred_until": state.deferred_until,
        "implementer_id": state.implementer_id,
        "outcome": state.outcome,
        "missing_before_submission": missing_before_submission(state.text),
        "missing_before_approval": missing_before_approval(state.text),
        "allowed_transitions": allowed_transitions(state),
        "timeline": [entry(recorded) for recorded in history],
    }


def _judged(history: Sequence[Recorded]) -> dict[str, Any]:
    """Return the latest classification, risk, schedule and the projects that came of the RFC."""
    classification: dict[str, Any] | None = None
    risk: dict[str, Any] | None = None
    schedule: dict[str, Any] | None = None
    projects: list[dict[str, Any]] = []
    for recorded in history:
        match recorded.event:
            case past.RfcClassified() as event:
                classification = entry(recorded)["details"]
                for told in ("serial", "drafted_at", "title"):
                    classification.pop(told)
            case past.RiskAssessed() as event:
                risk = {name: getattr(event, name) for name in ("level", "score", "explanation")}
                risk |= {"model_version": event.model_version, "assessed_by": event.assessed_by}
                risk["factors"] = [asdict(term) for term in event.factors]
            case past.RfcScheduled(starts_at=starts_at, ends_at=ends_at):
                schedule = {"starts_at": starts_at, "ends_at": ends_at}
            case past.RfcProjectLinked() as event:
                projects.append(
                    {
                        "project_id": event.project_id,
                        "number": event.project_number,
                        "service": event.service,
                        "new_service": event.new_service,
                    }
                )
            case _:
                pass
    return {"classification": classification, "risk": risk, "schedule": schedule, "projects": projects}
