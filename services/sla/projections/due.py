"""Which records are to be looked at, because of a fact or because of a deadline."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

from services.sla.domain.record.events import FactRecorded, RecordChecked
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel
from shared.eventsourcing.timers import due_table

BY_FACT, BY_DEADLINE = "fact", "deadline"
# What intake has yet to tell may stop or pause a clock before its deadline.
DEADLINE_SOURCES = "intake"


def timer_id(record_id: UUID, kind: str) -> UUID:
    """Return the row's id: a record has at most one row of each kind."""
    return uuid5(record_id, kind)


def _fold(events: Sequence[Recorded], changes: Changes) -> None:
    for recorded in events:
        record_id = recorded.stream_id
        by_fact, by_deadline = timer_id(record_id, BY_FACT), timer_id(record_id, BY_DEADLINE)
        match recorded.event:
            case FactRecorded(seq=seq):
                changes.put(
                    by_fact,
                    kind=BY_FACT,
                    subject=record_id,
                    seq=seq,
                    due_at=recorded.recorded_at,
                    attached_at=recorded.recorded_at,
                    sources="",
                )
                # The look that follows sets the deadline anew.
                changes.delete(by_deadline)
            case RecordChecked(seq=seq, next_at=next_at):
                changes.delete(by_fact)
                if next_at is None:
                    changes.delete(by_deadline)
                    continue
                changes.put(
                    by_deadline,
                    kind=BY_DEADLINE,
                    subject=record_id,
                    seq=seq,
                    due_at=next_at,
                    attached_at=recorded.recorded_at,
                    sources=DEADLINE_SOURCES,
                )


DUE = ReadModel(name="due", version=1, table=due_table(1), follows=(FactRecorded, RecordChecked), fold=_fold)
"""The timer table: by fact at once, by deadline once intake has been heard up to it."""
