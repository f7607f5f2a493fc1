"""The rule of a person's data: an erasure is recorded once."""

from __future__ import annotations

from collections.abc import Sequence

from services.intake.domain.person.commands import RecordErasure
from services.intake.domain.person.events import SubjectErased
from shared.eventsourcing.decider import Decider


def decide(command: RecordErasure, erased: bool) -> Sequence[SubjectErased]:  # noqa: FBT001  it is the state
    """Record an erasure unless it is recorded already."""
    if erased:
        return []
    return [SubjectErased(subject_id=command.subject_id, occurred_at=command.occurred_at)]


def evolve(_erased: bool, _event: SubjectErased) -> bool:  # noqa: FBT001  it is the state
    """Fold: whoever was erased stays erased."""
    return True


PERSON: Decider[RecordErasure, bool, SubjectErased] = Decider(
    stream="person", initial=False, decide=decide, evolve=evolve
)
