"""What happened to an advisory board; stored for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.demand.domain.board import Board


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardAppointed:
    """The board has this composition and this authority until it is appointed anew."""

    board: Board
    appointed_by: str
    reason: str
    occurred_at: datetime
    historic: bool = False


Event = BoardAppointed
