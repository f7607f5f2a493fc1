"""ServiceNow's incident audit export: rows to one history per incident, at their times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from services.intake.domain.imported import ImportedRecord, RejectedRow
from services.intake.domain.people import person_id
from services.intake.domain.request.commands import HistoryRow, RecordHistory, SubmitRequest
from services.intake.domain.vocabulary import (
    Channel,
    HoldReason,
    Level,
    RequestKind,
    RequestState,
    SourceType,
)
from shared.eventsourcing.decider import made
from shared.runtime.ids import derived

SOURCE = "servicenow"
INCIDENTS = UUID("0b6f2f0e-3d0c-5c56-9d0e-6f6c0b7f2a11")
UNKNOWN = "?"

# Hindsight is left out on purpose: resolved_at, closed_at, closed_code and resolved_by stand on every row,
# the first included, and were not known then.
COLUMNS = (
    "number",
    "incident_state",
    "sys_mod_count",
    "made_sla",
    "caller_id",
    "opened_at",
    "sys_updated_at",
    "contact_type",
    "location",
    "category",
    "subcategory",
    "impact",
    "urgency",
    "priority",
    "assignment_group",
    "assigned_to",
)

_STATES: dict[str, tuple[RequestState, HoldReason | None]] = {
    "New": (RequestState.SUBMITTED, None),
    "Active": (RequestState.ACCEPTED, None),
    "Awaiting User Info": (RequestState.ON_HOLD, HoldReason.REQUESTER),
    "Awaiting Vendor": (RequestState.ON_HOLD, HoldReason.SUPPLIER),
    "Awaiting Problem": (RequestState.ON_HOLD, HoldReason.PROBLEM),
    "Awaiting Evidence": (RequestState.ON_HOLD, HoldReason.EVIDENCE),
    "Resolved": (RequestState.FULFILLED, None),
    "Closed": (RequestState.CLOSED, None),
}
_CHANNELS = {
    "phone": Channel.PHONE,
    "email": Channel.MAIL,
    "self service": Channel.PORTAL,
    "ivr": Channel.PHONE,
    "chat": Channel.CHAT,
}
_LEVELS = {"1": Level.HIGH, "2": Level.MEDIUM, "3": Level.LOW}
_RANK = re.compile(r"\s*([1-5])\b")
_TIME = re.compile(r"\s*(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d{2})\s*")

Row = Mapping[str, str]
_person = lru_cache(maxsize=4096)(person_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Whole incidents as one JSON body for `POST /v1/imports/servicenow`."""

    body: bytes
    incidents: int
    rows: int


class _Readable(NamedTuple):
    """A row with what was read of it; `at` is a local time without zone."""

    row: Row
    at: datetime
    state: RequestState
    hold: HoldReason | None
    impact: Level
    urgency: Level
    priority: int


class _Unreadable(Exception):
    """A row cannot be taken; the message says why."""


def incident_id(number: str, source: str = SOURCE) -> UUID:
    """Return the id that this incident has wherever and however often it is imported."""
    return derived(INCIDENTS, source, number)


def grouped(rows: Iterable[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Gather the rows of one incident, which stand together in an export, without reading ahead."""
    for number, together in groupby(rows, key=lambda row: row.get("number", "")):
        yield number, list(together)


def batches(
    rows: Iterable[Row], zone: str, *, source: str = SOURCE, most_bytes: int = 200_000
) -> Iterator[Batch]:
    """Cut an export into bodies of whole incidents below `most_bytes`, a longer incident alone."""
    head = json.dumps({"zone": zone, "source": source}, ensure_ascii=False)[:-1].encode()
    waiting: list[bytes] = []
    size = count = 0

    def cut() -> Batch:
        body = head + b',"incidents":[' + b",".join(waiting) + b"]}"
        return Batch(body=body, incidents=len(waiting), rows=count)

    for number, together in grouped(rows):
        kept = [{name: row[name] for name in COLUMNS if row.get(name) is not None} for row in together]
        item = json.dumps(
            {"number": number, "rows": kept}, ensure_ascii=False, separators=(",", ":")
        ).encode()
        if waiting and size + len(item) + len(head) > most_bytes:
            yield cut()
            waiting, size, count = [], 0, 0
        waiting.append(item)
        size, count = size + len(item) + 1, count + len(together)
    if waiting:
        yield cut()


def incident(number: str, rows: Sequence[Row], zone: tzinfo, source: str = SOURCE) -> ImportedRecord:
    """Translate one incident's rows, in the order of sys_mod_count; times are local to `zone`.

    Where a sys_mod_count stands on several rows the last of them counts. Times never run backwards.
    """
    rejected: list[RejectedRow] = []
    readable: dict[int, tuple[int, _Readable]] = {}
    for place, row in enumerate(rows, 1):
        try:
            count = _count(row)
            read = _read(row)
        except _Unreadable as error:
            rejected.append(RejectedRow(number=number, row=place, reason=str(error)))
            continue
        if count in readable:
            reason = f"sys_mod_count {count} is repeated by row {place}, which counts"
            rejected.append(RejectedRow(number=number, row=readable[count][0], reason=reason))
        readable[count] = (place, read)
    if not number or not readable:
        return ImportedRecord(number=number, history=None, rejected=tuple(rejected))
    taken: list[HistoryRow] = []
    for count in sorted(readable):
        not_before = taken[-1].occurred_at if taken else None
        taken.append(_history_row(readable[count][1], count, zone, not_before, source))
    opening = _opening(number, readable[min(readable)][1].row, taken[0], zone, source)
    history = RecordHistory(opening=opening, rows=tuple(taken))
    return ImportedRecord(number=number, history=history, rejected=tuple(rejected))


def instant(local: datetime, zone: tzinfo, not_before: datetime | None = None) -> datetime:
    """Return the UTC instant of a wall-clock time.

    A time that the spring change skipped is read with the offset before it, so it moves forward by the gap.
    A time that the autumn change repeats is the earlier of the two, unless that lies before `not_before`.
    """
    early, late = _both_instants(local, zone)
    if not_before is not None and early < not_before <= late:
        return late
    return early


@lru_cache(maxsize=4096)  # several rows of an incident say the same minute
def _both_instants(local: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return early, local.replace(tzinfo=zone, fold=1).astimezone(UTC)


def _history_row(
    read: _Readable, count: int, zone: tzinfo, not_before: datetime | None, source: str
) -> HistoryRow:
    row, at = read.row, instant(read.at, zone, not_before)
    caller = row.get("caller_id", UNKNOWN)
    facts = {
        "row": count,
        "occurred_at": at if not_before is None else max(at, not_before),
        "state": read.state,
        "hold": read.hold,
        "requester_id": _person(source, caller),
        "requester_name": _named("Caller", caller) or "Unknown caller",
        "service": _named("Category", row.get("category", UNKNOWN)),
        "category": _named("Subcategory", row.get("subcategory", UNKNOWN)),
        "impact": read.impact,
        "urgency": read.urgency,
        "priority": read.priority,
        "group": _named("Group", row.get("assignment_group", UNKNOWN)),
        "assignee": _named("Resolver", row.get("assigned_to", UNKNOWN)),
        "breached": row.get("made_sla", "").strip().lower() == "false",
    }
    return made(HistoryRow, facts)


def _opening(number: str, row: Row, first: HistoryRow, zone: tzinfo, source: str) -> SubmitRequest:
    """Return how the incident began. The serial is given where it is recorded, once."""
    try:
        at = instant(_local(row.get("opened_at", "")), zone)
    except _Unreadable:
        at = first.occurred_at
    about = ", ".join(name for name in (first.service, first.category) if name)
    return SubmitRequest(
        request_id=incident_id(number, source),
        serial=0,
        occurred_at=at,
        kind=RequestKind.INCIDENT,
        title=f"Incident {number}" + (f": {about}" if about else ""),
        description="",
        requester_id=first.requester_id,
        requester_name=first.requester_name,
        requester_address="",
        business_unit=_named("Location", row.get("location", UNKNOWN)) or "",
        channel=_CHANNELS.get(row.get("contact_type", "").strip().lower(), Channel.IMPORT),
        source_type=SourceType.DESK_TOOL,
        source_system=source,
        external_id=number,
        impact=first.impact,
        urgency=first.urgency,
        service=first.service,
        category=first.category,
        units=0,
    )


def _read(row: Row) -> _Readable:
    """Read what a row means nothing without; raise `_Unreadable` for the first thing that is missing."""
    name = row.get("incident_state", "").strip()
    found = _STATES.get(name)
    if found is None:
        raise _Unreadable(f"incident_state {name!r} is no state of an incident")
    at = _local(row.get("sys_updated_at", ""))
    return _Readable(
        row, at, *found, _level(row, "impact"), _level(row, "urgency"), int(_rank(row, "priority"))
    )


def _level(row: Row, name: str) -> Level:
    level = _LEVELS.get(_rank(row, name))
    if level is None:
        raise _Unreadable(f"{name} {row[name]!r} is not 1, 2 or 3")
    return level


def _count(row: Row) -> int:
    text = row.get("sys_mod_count", "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise _Unreadable(f"sys_mod_count {text!r} is not a count")
    return int(text)


def _rank(row: Row, name: str) -> str:
    """Return the leading digit of `2` or `2 - Medium`."""
    rank = _leading_rank(row.get(name, ""))
    if rank is None:
        raise _Unreadable(f"{name} {row.get(name, '')!r} does not begin with a rank from 1 to 5")
    return rank


@lru_cache(maxsize=256)
def _leading_rank(text: str) -> str | None:
    return match[1] if (match := _RANK.match(text)) else None


@lru_cache(maxsize=4096)
def _local(text: str) -> datetime:
    """Read `29/2/2016 01:16`, day first, without zone."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise _Unreadable(f"{text!r} is not a time such as 29/2/2016 01:16")
    day, month, year, hour, minute = (int(part) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute)  # noqa: DTZ001 - `instant` gives it its zone
    except ValueError as error:
        raise _Unreadable(f"{text!r} is no time: {error}") from None


@lru_cache(maxsize=4096)
def _named(word: str, value: str) -> str | None:
    """Give an anonymised value its word back; None when the source did not know it."""
    value = value.strip()
    if value in ("", UNKNOWN):
        return None
    return f"{word} {value}" if value.isdigit() else value
