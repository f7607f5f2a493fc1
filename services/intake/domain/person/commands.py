"""What can be asked about a person's data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordErasure:
    """The person's key has been destroyed; say so, so that read models forget the plain text."""

    subject_id: UUID
    occurred_at: datetime
