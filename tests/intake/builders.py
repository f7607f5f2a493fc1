"""Requests and changes as intake's tests say them: only what a test is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.intake.domain.classification import Facts
from services.intake.domain.opening import submitted
from services.intake.domain.priority import THREE_BY_THREE
from services.intake.domain.request import commands as ask
from services.intake.domain.request.events import RequestSubmitted
from services.intake.domain.rfc import commands as ask_rfc
from services.intake.domain.rfc.events import RfcText
from services.intake.domain.vocabulary import (
    ChangeType,
    Channel,
    Level,
    RequestKind,
    SourceType,
    Vote,
)

REQUEST_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
RFC_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8058")
ANNA = UUID("01890a5d-ac96-774b-bcce-b302099a8001")
BORIS = UUID("01890a5d-ac96-774b-bcce-b302099a8002")
CHAIR = UUID("01890a5d-ac96-774b-bcce-b302099a8003")
MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def submit(**facts: Any) -> ask.SubmitRequest:
    known: dict[str, Any] = {
        "request_id": REQUEST_ID,
        "serial": 17,
        "occurred_at": MONDAY,
        "kind": RequestKind.SERVICE_REQUEST,
        "title": "A second monitor",
        "description": "For the new desk.",
        "requester_id": ANNA,
        "requester_name": "Anna Lidman",
        "requester_address": "anna@woodgrove.example",
        "business_unit": "Retail banking",
        "channel": Channel.PORTAL,
        "source_type": SourceType.BUSINESS_UNIT,
        "service": "Workplace",
    }
    return ask.SubmitRequest(**(known | facts))


def was_submitted(**facts: Any) -> RequestSubmitted:
    command = submit(**facts)
    return submitted(command, THREE_BY_THREE.priority(command.impact, command.urgency))


def triage(**facts: Any) -> ask.TriageRequest:
    known: dict[str, Any] = {
        "occurred_at": MONDAY,
        "service": "Workplace",
        "category": "Hardware",
        "impact": Level.LOW,
        "urgency": Level.MEDIUM,
    }
    return ask.TriageRequest(**(known | facts))


TEXT = RfcText(
    title="Move mail to the new cluster",
    business_impact="Mail is slow every morning.",
    service="E-mail",
    risk_of_not_accepting="The old cluster's support ends in June.",
    reason="Support ends.",
)
READY = RfcText(
    title=TEXT.title,
    business_impact=TEXT.business_impact,
    service=TEXT.service,
    risk_of_not_accepting=TEXT.risk_of_not_accepting,
    reason=TEXT.reason,
    affected_components=("mail-1", "mail-2"),
    implementation_plan="Move the mailboxes by department.",
    back_out_plan="Switch the address back.",
    test_plan="Ten pilot users for a week.",
    window_starts_at=MONDAY + 100 * HOUR,
    window_ends_at=MONDAY + 104 * HOUR,
)
FACTS = Facts(
    service_impact=Level.MEDIUM,
    new_service=False,
    expected_risk=Level.LOW,
    initial_resources="two people for a week",
    impact=Level.HIGH,
    urgency=Level.MEDIUM,
    risk_of_not_accepting=Level.LOW,
)
CALM = {
    "service_criticality": "medium",
    "blast_radius": "one_service",
    "window": "maintenance",
    "lead_time": "ample",
    "tested_back_out": "tested",
    "done_before": "once",
    "open_incidents": "none",
}


def draft(text: RfcText = READY, **facts: Any) -> ask_rfc.DraftRfc:
    known: dict[str, Any] = {
        "rfc_id": RFC_ID,
        "serial": 4,
        "occurred_at": MONDAY,
        "requester_id": ANNA,
        "change_type": ChangeType.NORMAL,
    }
    return ask_rfc.DraftRfc(text=text, **(known | facts))


def classify(change_type: ChangeType = ChangeType.NORMAL, **facts: Any) -> ask_rfc.ClassifyRfc:
    return ask_rfc.ClassifyRfc(occurred_at=MONDAY, change_type=change_type, facts=FACTS, **facts)


def assess(by: UUID = BORIS, **answers: str) -> ask_rfc.AssessRisk:
    return ask_rfc.AssessRisk(occurred_at=MONDAY, assessed_by=by, answers=CALM | answers)


def vote(by: UUID = BORIS, revision: int = 1, vote: Vote = Vote.APPROVE) -> ask_rfc.CastVote:
    return ask_rfc.CastVote(occurred_at=MONDAY, voter_id=by, vote=vote, revision=revision)


SUBMIT_RFC = ask_rfc.SubmitRfc(occurred_at=MONDAY)
