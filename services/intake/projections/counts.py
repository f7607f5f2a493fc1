"""How many requests there are, by state, by kind, and late: an import is checked by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from services.intake.projections.request_list import TABLE, Filters


def counted(filters: Filters) -> sa.Select[Any]:
    """Return the statement that counts requests by state and kind, with the late ones among them."""
    c = TABLE.c
    return (
        sa.select(
            c.state,
            c.kind,
            sa.func.count().label("requests"),
            sa.func.count().filter(c.breaches > 0).label("breached"),
            sa.func.count().filter(c.breached_at_source).label("breached_at_source"),
        )
        .where(*filters.conditions())
        .group_by(c.state, c.kind)
    )


def summed(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Add the groups up. `breached` counts our own clocks' verdicts, `breached_at_source` the source's."""
    by_state: dict[str, int] = {}
    by_kind: dict[str, int] = {}
    total = breached = at_source = 0
    for row in rows:
        by_state[row["state"]] = by_state.get(row["state"], 0) + row["requests"]
        by_kind[row["kind"]] = by_kind.get(row["kind"], 0) + row["requests"]
        total += row["requests"]
        breached += row["breached"]
        at_source += row["breached_at_source"]
    return {
        "total": total,
        "by_state": dict(sorted(by_state.items())),
        "by_kind": dict(sorted(by_kind.items())),
        "breached": breached,
        "breached_at_source": at_source,
    }
