"""The statements by which a poller looks at a table of due rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import inf
from typing import Any


def polls(table: str) -> Mapping[str, str]:
    """Build the poll's statements; each is served by the index (sources, due_at, timer_id).

    `now` comes in as a parameter, from "sets": a volatile clock in the condition would read the whole index.
    """
    columns = "timer_id, kind, subject, seq, due_at, attached_at, sources"
    ready = "sources = $1 AND due_at <= $2 AND (attached_at <= $2 OR $1 = '')"
    page = f"SELECT {columns} FROM {table} WHERE {ready}"
    order = "ORDER BY due_at, timer_id LIMIT $3"
    fact = f"SELECT {columns} FROM {table} WHERE sources = '' AND due_at <= n.now ORDER BY due_at, timer_id"
    return {
        "facts": f"SELECT n.now, p.* FROM (SELECT clock_timestamp() AS now) n LEFT JOIN LATERAL "
        f"({fact} LIMIT $1) p ON true",
        "first": f"{page} {order}",
        "next": f"{page} AND (due_at, timer_id) > ($4, $5) {order}",
        "waiting": f"SELECT greatest(due_at, attached_at) FROM {table} WHERE sources = $1 AND due_at <= $2 "
        "AND ($3::timestamptz IS NULL OR greatest(due_at, attached_at) > $3) ORDER BY due_at LIMIT 1",
        "sets": f"WITH RECURSIVE s AS ((SELECT sources FROM {table} ORDER BY sources LIMIT 1) UNION ALL "
        f"SELECT (SELECT t.sources FROM {table} t WHERE t.sources > s.sources ORDER BY t.sources LIMIT 1) "
        f"FROM s WHERE s.sources IS NOT NULL) SELECT n.now, s.sources, (SELECT min(t.due_at) FROM {table} t "
        "WHERE t.sources = s.sources) AS first FROM (SELECT clock_timestamp() AS now) n "
        "LEFT JOIN s ON s.sources IS NOT NULL",
    }


def until_next(looked: Iterable[Any]) -> float:
    """Return the seconds from "sets"'s `now` until the first row that is not due yet; infinite without one.

    It sees the first row of each source set alone; what lies behind one that is due, polling finds.
    """
    ahead = ((row["first"] - row["now"]).total_seconds() for row in looked if row["first"] is not None)
    return min((seconds for seconds in ahead if seconds > 0), default=inf)
