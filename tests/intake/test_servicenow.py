"""ServiceNow's audit export becomes one history per incident, each fact at its own time."""

from __future__ import annotations

import csv
import json
import lzma
import os
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.intake.adapters import servicenow
from services.intake.domain.imported import ImportedRecord
from services.intake.domain.request import events as past
from services.intake.domain.request.decider import REQUEST
from services.intake.domain.vocabulary import Channel, HoldReason, RequestState

LISBON = ZoneInfo("Europe/Lisbon")
SAMPLE = Path(__file__).parents[2] / "examples" / "servicenow-sample.csv"


def row(state: str = "New", count: int = 0, at: str = "29/2/2016 01:23", **more: str) -> dict[str, str]:
    known = {
        "number": "0000045",
        "incident_state": state,
        "sys_mod_count": str(count),
        "made_sla": "true",
        "caller_id": "2403",
        "opened_at": "29/2/2016 01:16",
        "sys_updated_at": at,
        "contact_type": "Phone",
        "location": "143",
        "category": "55",
        "subcategory": "170",
        "impact": "2",
        "urgency": "2",
        "priority": "3",
        "assignment_group": "56",
        "assigned_to": "?",
        "resolved_at": "29/2/2016 11:29",
        "closed_at": "5/3/2016 12:00",
    }
    return known | more


def read(*rows: dict[str, str]) -> ImportedRecord:
    return servicenow.incident("0000045", rows, LISBON)


def events(*rows: dict[str, str]) -> list[past.RequestEvent]:
    history = read(*rows).history
    assert history is not None
    return list(REQUEST.decide(history, REQUEST.initial))


def said(*rows: dict[str, str]) -> list[str]:
    return [type(event).__name__ for event in events(*rows)]


def test_an_incident_is_told_at_its_own_times() -> None:
    told = events(
        row("New"),
        row("Active", 1, "29/2/2016 02:00", assigned_to="89"),
        row("Awaiting User Info", 2, "29/2/2016 03:00"),
        row("Resolved", 3, "29/2/2016 04:00"),
        row("Closed", 4, "5/3/2016 12:00", made_sla="false"),
    )
    assert [(type(event).__name__, event.occurred_at.hour) for event in told] == [
        ("RequestSubmitted", 1),
        ("RequestAssigned", 1),
        ("RequestAssigned", 2),
        ("RequestAccepted", 2),
        ("RequestAssigned", 3),
        ("RequestHeld", 3),
        ("RequestFulfilled", 4),
        ("BreachNoted", 12),
        ("RequestClosed", 12),
        ("HistoryRecorded", 12),
    ]
    assert all(event.historic for event in told)


def test_the_first_event_says_what_the_first_row_knew() -> None:
    opened = events(row(priority="4"))[0]
    assert isinstance(opened, past.RequestSubmitted)
    assert opened.occurred_at == datetime(2016, 2, 29, 1, 16, tzinfo=UTC)
    assert (opened.service, opened.category) == ("Category 55", "Subcategory 170")
    assert (opened.priority, opened.channel) == (4, Channel.PHONE)
    assert opened.priority_rule == "priority 4 as servicenow recorded it"


def test_hindsight_on_early_rows_is_never_read() -> None:
    assert said(row()) == ["RequestSubmitted", "RequestAssigned", "HistoryRecorded"]
    assert not {"resolved_at", "closed_at", "closed_code", "resolved_by"} & set(servicenow.COLUMNS)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("Active", "RequestAccepted"),
        ("Awaiting Problem", "RequestHeld"),
        ("Resolved", "RequestFulfilled"),
        ("Closed", "RequestClosed"),
    ],
)
def test_an_incident_may_begin_in_any_state(state: str, expected: str) -> None:
    assert said(row(state)) == ["RequestSubmitted", "RequestAssigned", expected, "HistoryRecorded"]


def test_a_row_that_changes_nothing_says_nothing() -> None:
    assert said(row(), row(count=1, at="29/2/2016 09:00")) == said(row())


@pytest.mark.parametrize(
    ("after", "then", "expected"),
    [
        ("Resolved", "Active", ["RequestReopened"]),
        ("Closed", "Active", ["RequestReopened"]),
        ("Resolved", "Awaiting User Info", ["RequestReopened", "RequestHeld"]),
        ("Awaiting User Info", "Awaiting Vendor", ["RequestResumed", "RequestHeld"]),
        ("Awaiting Vendor", "Active", ["RequestResumed", "RequestAccepted"]),
        ("Awaiting Vendor", "New", ["RequestResumed"]),
        ("Awaiting Evidence", "Closed", ["RequestClosed"]),
        ("Closed", "Resolved", ["RequestReopened", "RequestFulfilled"]),
    ],
)
def test_every_way_between_states_is_told_in_ordinary_events(
    after: str, then: str, expected: list[str]
) -> None:
    told = said(row(after), row(then, 1, "29/2/2016 09:00"))
    assert told[len(said(row(after))) - 1 : -1] == expected


def test_a_change_of_weight_category_or_caller_is_told() -> None:
    assert "RequestReprioritised" in said(row(), row(count=1, impact="1"))
    assert "RequestTriaged" in said(row(), row(count=1, category="40"))
    assert "RequesterChanged" in said(row(), row(count=1, caller_id="7"))


def test_importing_again_takes_only_what_lies_beyond_the_last_row() -> None:
    rows = [row(), row("Active", 1, "29/2/2016 02:00"), row("Closed", 2, "29/2/2016 03:00")]
    early, late = read(*rows[:2]).history, read(*rows).history
    assert early is not None
    assert late is not None
    first = REQUEST.decide(early, REQUEST.initial)
    state = REQUEST.fold(first)
    assert REQUEST.decide(early, state) == []
    beyond = REQUEST.decide(late, state)
    assert [type(event).__name__ for event in beyond] == ["RequestClosed", "HistoryRecorded"]
    assert REQUEST.decide(late, REQUEST.fold(beyond, state)) == []


def test_of_rows_with_the_same_count_the_last_one_is_taken() -> None:
    result = read(
        row("New", 1, "29/2/2016 11:10"),
        row("New", 1, "29/2/2016 09:52"),
        row("Resolved", 2, "29/2/2016 11:03"),
    )
    assert [(reject.row, "repeated" in reject.reason) for reject in result.rejected] == [(1, True)]
    assert result.history is not None
    assert [entry.row for entry in result.history.rows] == [1, 2]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"incident_state": "-100"}, "'-100' is no state"),
        ({"sys_mod_count": "?"}, "sys_mod_count"),
        ({"sys_updated_at": "2016-02-29"}, "not a time"),
        ({"sys_updated_at": "31/2/2016 01:00"}, "is no time"),
        ({"impact": "?"}, "impact"),
        ({"urgency": "5 - None"}, "urgency"),
        ({"priority": ""}, "priority"),
    ],
)
def test_a_row_without_meaning_is_rejected_with_its_reason(wrong: dict[str, str], reason: str) -> None:
    result = read(row(), row(count=1) | wrong, row("Active", 2))
    (rejected,) = result.rejected
    assert rejected.row == 2
    assert reason in rejected.reason
    assert result.history is not None
    assert [entry.row for entry in result.history.rows] == [0, 2]


def test_an_incident_whose_rows_all_are_meaningless_has_no_history() -> None:
    assert read(row("-100")).history is None


def test_an_unknown_opening_time_is_that_of_the_first_row() -> None:
    opened = events(row(opened_at="?", caller_id="?", contact_type="Fax"))[0]
    assert isinstance(opened, past.RequestSubmitted)
    assert opened.occurred_at == datetime(2016, 2, 29, 1, 23, tzinfo=UTC)
    assert (opened.requester_name, opened.channel) == ("Unknown caller", Channel.IMPORT)


def test_an_opening_later_than_the_first_row_is_not_believed() -> None:
    opened = events(row(opened_at="29/2/2016 09:41", at="29/2/2016 07:14"))[0]
    assert opened.occurred_at == datetime(2016, 2, 29, 7, 14, tzinfo=UTC)


def test_a_time_that_the_spring_change_skipped_moves_forward() -> None:
    skipped = servicenow.instant(datetime.fromisoformat("2016-03-27T01:30"), LISBON)
    assert skipped == datetime(2016, 3, 27, 1, 30, tzinfo=UTC)
    assert skipped.astimezone(LISBON).hour == 2


def test_a_time_that_the_autumn_change_repeats_never_runs_backwards() -> None:
    local = datetime.fromisoformat("2016-10-30T01:30")
    assert servicenow.instant(local, LISBON) == datetime(2016, 10, 30, 0, 30, tzinfo=UTC)
    later = servicenow.instant(local, LISBON, datetime(2016, 10, 30, 0, 50, tzinfo=UTC))
    assert later == datetime(2016, 10, 30, 1, 30, tzinfo=UTC)


def test_rows_never_run_backwards_in_time() -> None:
    told = events(row(at="29/2/2016 09:00"), row("Active", 1, "29/2/2016 08:00"))
    assert [event.occurred_at for event in told] == sorted(event.occurred_at for event in told)


def test_an_incident_has_the_same_id_wherever_it_is_imported() -> None:
    assert servicenow.incident_id("0000045") == servicenow.incident_id("0000045")
    assert servicenow.incident_id("0000045") != servicenow.incident_id("0000045", "another instance")


def test_batches_hold_whole_incidents_and_stay_small() -> None:
    rows = [row(count=n, number=str(i)) for i in range(20) for n in range(5)]
    cut = list(servicenow.batches(rows, "Europe/Lisbon", most_bytes=8_000))
    assert all(len(batch.body) <= 8_000 for batch in cut)
    assert (sum(batch.incidents for batch in cut), sum(batch.rows for batch in cut)) == (20, 100)
    bodies = [json.loads(batch.body) for batch in cut]
    assert {(body["zone"], body["source"]) for body in bodies} == {("Europe/Lisbon", "servicenow")}
    incidents = [incident for body in bodies for incident in body["incidents"]]
    assert [(one["number"], len(one["rows"])) for one in incidents] == [(str(i), 5) for i in range(20)]
    assert "resolved_at" not in incidents[0]["rows"][0]


def _imported(rows: list[dict[str, str]]) -> tuple[Counter[str], Counter[str], int, int]:
    """Return states, event names, breached requests and rejected rows of an export taken twice."""
    states: Counter[str] = Counter()
    names: Counter[str] = Counter()
    breached = rejected = 0
    for number, together in servicenow.grouped(rows):
        incident = servicenow.incident(number, together, LISBON)
        assert incident.history is not None
        told = REQUEST.decide(incident.history, REQUEST.initial)
        assert [event.occurred_at for event in told] == sorted(event.occurred_at for event in told)
        state = REQUEST.fold(told)
        assert REQUEST.decide(incident.history, state) == []
        states[state.state] += 1
        names.update(type(event).__name__ for event in told)
        breached += bool(state.breaches)
        rejected += len(incident.rejected)
    return states, names, breached, rejected


def test_the_sample_holds_every_oddity_of_the_log() -> None:
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    states, names, breached, rejected = _imported(rows)
    assert states == {RequestState.CLOSED: len({row["number"] for row in rows})}
    assert breached == len({row["number"] for row in rows if row["made_sla"] == "false"})
    assert rejected == 5
    assert {"RequesterChanged", "RequestReopened", "RequestResumed", "RequestReprioritised"} <= set(names)
    begins = {together[0]["incident_state"] for _, together in servicenow.grouped(rows)}
    assert begins == {"New", "Active", "Resolved", "Awaiting User Info", "Awaiting Problem"}
    held = {row["incident_state"] for row in rows}
    assert held >= {f"Awaiting {who}" for who in ("User Info", "Vendor", "Problem", "Evidence")}
    assert len(HoldReason) == 5


@pytest.mark.whole_log
def test_the_whole_log_becomes_twelve_thousand_requests_that_agree_with_the_file() -> None:
    path = os.environ.get("PLUMBLINE_TEST_SERVICENOW_LOG")
    if not path:
        pytest.skip("PLUMBLINE_TEST_SERVICENOW_LOG names no log")
    with lzma.open(path, "rt", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    states, names, breached, rejected = _imported(rows)
    numbers = {row["number"] for row in rows}
    assert len(numbers) == 12_000
    assert states == {RequestState.CLOSED: 12_000}
    assert names["RequestSubmitted"] == names["HistoryRecorded"] == len(numbers)
    assert (
        breached == names["BreachNoted"] == len({row["number"] for row in rows if row["made_sla"] == "false"})
    )
    ways = Counter(
        (a["incident_state"], b["incident_state"]) for a, b in pairwise(rows) if a["number"] == b["number"]
    )
    done = {"Resolved", "Closed"}
    reopened = sum(n for (was, now), n in ways.items() if was in done and now not in done)
    assert names["RequestReopened"] == reopened
    assert names["RequestClosed"] == 12_000 + ways["Closed", "Active"]
    assert sum(n for (was, now), n in ways.items() if was == now) == 30_945
    assert rejected == 5
