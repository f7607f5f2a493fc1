"""What an import makes of one foreign record: its history, and rows that were not taken."""

from __future__ import annotations

from dataclasses import dataclass

from services.intake.domain.request.commands import RecordHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedRow:
    """A row that was not taken; `row` counts from 1 within its record."""

    number: str
    row: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRecord:
    """What one record's rows amount to; no `history` when none of them could be read."""

    number: str
    history: RecordHistory | None
    rejected: tuple[RejectedRow, ...]
