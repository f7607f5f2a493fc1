"""What other services found out about a request, taken as it is."""

from __future__ import annotations

from uuid import UUID

from services.intake.domain.lifecycle import Request
from services.intake.domain.request import commands as ask
from services.intake.domain.request import events as past
from services.intake.domain.request.events import RequestEvent


def heard(
    command: ask.NoteBreach | ask.NoteBreachWithdrawn | ask.NoteProject, state: Request
) -> list[RequestEvent]:
    """Take a fact from another service; one about a record that is no request of ours says nothing here."""
    request_id, at = state.request_id, command.occurred_at
    if request_id is None:
        return []
    match command:
        case ask.NoteBreach(clock_id=clock_id) if str(clock_id) not in state.breaches:
            return [
                past.BreachNoted(
                    request_id=request_id,
                    occurred_at=at,
                    found_by="sla",
                    clock_id=clock_id,
                    target=command.target,
                    due_at=command.due_at,
                    breaches=len(state.breaches) + 1,
                    historic=command.historic,
                )
            ]
        case ask.NoteBreachWithdrawn(clock_id=clock_id) if str(clock_id) in state.breaches:
            left = len(state.breaches) - 1
            return [
                past.BreachWithdrawn(
                    request_id=request_id,
                    occurred_at=at,
                    clock_id=clock_id,
                    breaches=left,
                    historic=command.historic,
                )
            ]
        case ask.NoteProject(project_id=project_id) if project_id not in state.projects:
            return [_linked(command, request_id)]
        case _:
            return []


def _linked(command: ask.NoteProject, request_id: UUID) -> past.RequestProjectLinked:
    return past.RequestProjectLinked(
        request_id=request_id,
        occurred_at=command.occurred_at,
        project_id=command.project_id,
        project_number=command.project_number,
        historic=command.historic,
    )
