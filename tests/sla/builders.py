"""Targets, facts and commands of the tests, valid unless told otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from services.sla.domain.business_time import Calendar, round_the_clock
from services.sla.domain.record import commands
from services.sla.domain.target import Condition, Fact, Limit, OnChange, RecordKind, Target

RECORD_ID = UUID("0197a000-0000-7000-8000-00000000000a")
AGREEMENT_ID = UUID("0197a000-0000-7000-8000-00000000000b")
CALENDAR_ID = UUID("0197a000-0000-7000-8000-00000000000c")
MONDAY = datetime(2026, 5, 18, 9, 0, tzinfo=UTC)
ALWAYS = round_the_clock()

SUBMITTED = (Condition(fact="request.submitted"),)
DONE = (Condition(fact="request.fulfilled"), Condition(fact="request.closed"))

NOMINAL = Target(
    name="incident-nominal",
    words="95 percent in fewer than 2 hours for nominal incidents",
    start=SUBMITTED,
    stop=DONE,
    seconds=7200,
    limit=Limit.UNDER,
    share_percent="95",
    applies={"kind": ("incident",), "complete_outage": ("false",)},
    on_change=OnChange.KEEP_START,
)
OUTAGE = Target(
    name="incident-complete-outage",
    words="30 minutes for complete outages of the service",
    start=SUBMITTED,
    stop=DONE,
    seconds=1800,
    applies={"kind": ("incident",), "complete_outage": ("true",)},
)
CONTACT = Target(
    name="contact",
    words="handled within 10 minutes of message receipt",
    start=(Condition(fact="request.submitted"), Condition(fact="request.contact_received")),
    stop=(Condition(fact="request.responded", where={"human": ("true",)}),),
    seconds=600,
    pause=(),
    reopen=(),
    every=True,
)

_KEYS = count(1)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def fact(kind: str, after: float = 0, /, *, start: datetime = MONDAY, **attributes: str) -> Fact:
    """A fact `after` so many minutes; the kind without its aggregate means a request's."""
    full = kind if "." in kind else f"request.{kind}"
    return Fact(
        key=f"fact-{next(_KEYS)}", kind=full, occurred_at=start + minutes(after), attributes=attributes
    )


def submitted(after: float = 0, **attributes: str) -> Fact:
    told = {"kind": "incident", "complete_outage": "false", "service": "Desktop"} | attributes
    return fact("submitted", after, **told)


def record(told: Fact, *, historic: bool = False) -> commands.RecordFact:
    return commands.RecordFact(
        key=told.key,
        kind=told.kind,
        record=RecordKind.REQUEST,
        happened_at=told.occurred_at,
        historic=historic,
        attributes=told.attributes,
    )


def check(seq: int, as_of: datetime | None = None, **changes: Any) -> commands.CheckRecord:
    targets = changes.pop("targets", (NOMINAL,))
    calendar: Calendar = changes.pop("calendar", ALWAYS)
    promised = tuple(commands.PromisedTarget(target=target, calendar=calendar) for target in targets)
    promise = commands.Promise(agreement_id=AGREEMENT_ID, version=1, targets=promised)
    fields: dict[str, Any] = {
        "record_id": RECORD_ID,
        "seq": seq,
        "as_of": as_of,
        "now": as_of or MONDAY + minutes(600),
        "promises": (promise,) if targets else (),
        "covered": bool(targets),
    }
    return commands.CheckRecord(**(fields | changes))
