"""What can happen to a person's data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectErased:
    subject_id: UUID
    occurred_at: datetime
    historic: bool = False
