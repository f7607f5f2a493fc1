"""Which records are to be looked at: because of a fact, a deadline, or a new agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.sla.domain.agreement.events import AgreementInForce, CoverageApplied
from services.sla.domain.record.events import FactRecorded, RecordChecked
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel
from shared.eventsourcing.timers import due_table
from shared.runtime.ids import derived

BY_FACT, BY_DEADLINE, BY_AGREEMENT = "fact", "deadline", "agreement"
# What intake has yet to tell may stop or pause a clock before its deadline.
DEADLINE_SOURCES = "intake"


def timer_id(subject: UUID, kind: str) -> UUID:
    """Return the row's id: a record or agreement has at most one row of each kind."""
    return derived(subject, kind)


def _fold(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        subject = recorded.stream_id
        match recorded.event:
            case FactRecorded(seq=seq):
                changes.put(timer_id(subject, BY_FACT), **_row(recorded, BY_FACT, seq))
                if seq > 1:  # the look that follows sets the deadline anew; before the first there is none
                    changes.delete(timer_id(subject, BY_DEADLINE))
            case RecordChecked(seq=seq, next_at=None):
                changes.delete(timer_id(subject, BY_FACT))
                changes.delete(timer_id(subject, BY_DEADLINE))
            case RecordChecked(seq=seq, next_at=next_at):
                changes.delete(timer_id(subject, BY_FACT))
                deadline = {"due_at": next_at, "sources": DEADLINE_SOURCES}
                changes.put(timer_id(subject, BY_DEADLINE), **_row(recorded, BY_DEADLINE, seq) | deadline)
            case CoverageApplied(done=True):
                changes.delete(timer_id(subject, BY_AGREEMENT))
            case AgreementInForce() | CoverageApplied():
                by_agreement = timer_id(subject, BY_AGREEMENT)
                changes.put(by_agreement, **_row(recorded, BY_AGREEMENT, recorded.version))


def _row(recorded: Recorded, kind: str, seq: int) -> dict[str, Any]:
    """Return a row that is due at once."""
    return {
        "kind": kind,
        "subject": recorded.stream_id,
        "seq": seq,
        "due_at": recorded.recorded_at,
        "attached_at": recorded.recorded_at,
        "sources": "",
    }


DUE = ReadModel(
    name="due",
    version=1,
    table=due_table(1),
    follows=(FactRecorded, RecordChecked, AgreementInForce, CoverageApplied),
    fold=_fold,
)
