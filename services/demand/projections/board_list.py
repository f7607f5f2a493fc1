"""Which advisory boards are in office, with whom and with what authority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.dialects.postgresql import JSONB

from services.demand.domain.advisory_board import events
from services.demand.domain.board import Board
from shared.eventsourcing.log import Recorded
from shared.eventsourcing.projection import Changes, ReadModel

TABLE = sa.Table(
    "board_list_v1",
    sa.MetaData(),
    sa.Column("board_id", sa.Uuid, primary_key=True),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("board", JSONB, nullable=False),
    sa.Column("appointed_by", sa.String, nullable=False),
    sa.Column("appointed_at", sa.DateTime(timezone=True), nullable=False),
    schema="read",
)
BOARD = TypeAdapter(Board)


def fold(recorded: Sequence[Recorded], changes: Changes) -> None:
    """Keep one row per board: its latest appointment."""
    for each in recorded:
        event = each.event
        if isinstance(event, events.BoardAppointed):
            changes.put(
                each.stream_id,
                name=event.board.name,
                board=asdict(event.board),
                appointed_by=event.appointed_by,
                appointed_at=event.occurred_at,
            )


BOARD_LIST = ReadModel(name="board_list", version=1, table=TABLE, follows=(events.BoardAppointed,), fold=fold)


def boards() -> sa.Select[Any]:
    """Select every board, by name."""
    return sa.select(TABLE).order_by(TABLE.c.name)


def board_of(row: Any) -> Board:
    """Return the board that a row tells of."""
    return BOARD.validate_json(row["board"])
