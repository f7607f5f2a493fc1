"""What others are told of requests and changes: contracts with ids, never a person's name."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from services.intake.app import LOG
from services.intake.domain.people import person_id
from services.intake.domain.request import commands as ask
from services.intake.domain.request.decider import REQUEST
from services.intake.domain.rfc.decider import RFC
from services.intake.domain.vocabulary import Level
from services.intake.publishes import PUBLISHER, publish
from services.intake.subscribes import SUBSCRIPTIONS, hear_demand, hear_sla
from shared.contracts import demand, intake, sla
from shared.contracts.envelope import Contract, Envelope
from shared.contracts.registry import REGISTRY
from shared.eventsourcing.log import Meta, Recorded
from shared.messaging.message import Heard
from tests.intake.builders import (
    ANNA,
    MONDAY,
    REQUEST_ID,
    RFC_ID,
    SUBMIT_RFC,
    assess,
    classify,
    draft,
    submit,
)
from tests.support.heard import as_heard
from tests.support.specification import specify

META = Meta(actor="anna", correlation_id="c-1")


def recorded(event: Any) -> Recorded:
    return Recorded(
        position=1,
        stream="request",
        stream_id=REQUEST_ID,
        version=1,
        event_id=UUID(int=1),
        event=event,
        told=META,
        recorded_at=MONDAY,
        hash=b"",
    )


def heard(contract: Contract) -> Heard:
    envelope = Envelope(
        id=UUID(int=1),
        source="/sla",
        type=contract.TYPE,
        subject="s",
        time=MONDAY,
        recorded_at=MONDAY,
        topic=contract.TOPIC,
        partition=0,
        position=7,
        prev=0,
        incarnation=UUID(int=2),
        hash="00" * 32,
        sequence=1,
        correlationid="c-1",
        actor="sla",
    )
    return Heard(envelope=envelope, contract=contract)


def test_every_public_event_is_stored_by_intake_and_goes_to_its_contracts_topic() -> None:
    assert set(PUBLISHER.topics) <= set(LOG.codec.types)
    said = set(PUBLISHER.topics.values())
    assert said == {intake.RequestFact.TOPIC, intake.RfcFact.TOPIC}


def test_a_submitted_request_is_told_without_names() -> None:
    (event,) = specify(REQUEST).when(submit(impact=Level.HIGH, service=None)).events()
    contract = as_heard(publish(recorded(event)))
    assert isinstance(contract, intake.RequestSubmitted)
    assert (contract.number, contract.impact, contract.urgency, contract.priority) == (
        "REQ-2026-000017",
        "high",
        "medium",
        2,
    )
    assert (contract.service, contract.requester_id, contract.units) == (None, ANNA, 1)
    body = contract.to_body().decode()
    for secret in ("Anna", "monitor", "desk", "woodgrove"):
        assert secret not in body


def test_an_assignee_is_told_as_an_id() -> None:
    assign = ask.AssignRequest(occurred_at=MONDAY, group="Desk", assignee="boris")
    (event,) = specify(REQUEST).when(submit(), assign).events()
    contract = as_heard(publish(recorded(event)))
    assert isinstance(contract, intake.RequestAssigned)
    assert contract.assignee == str(person_id("boris"))


def test_a_classified_change_says_all_that_a_board_needs() -> None:
    (event,) = specify(RFC).when(draft(), SUBMIT_RFC, classify(affected_services=("Calendar",))).events()
    contract = as_heard(publish(recorded(event)))
    assert isinstance(contract, intake.RfcClassified)
    assert (contract.number, contract.title) == ("RFC-2026-000004", "Move mail to the new cluster")
    assert (contract.impact, contract.urgency, contract.priority) == ("high", "medium", 2)
    assert contract.affected_services == ("Calendar",)
    (event,) = specify(RFC).when(draft(), SUBMIT_RFC, classify(), assess()).events()
    contract = as_heard(publish(recorded(event)))
    assert isinstance(contract, intake.RfcRiskAssessed)
    assert contract.score == sum(factor.points for factor in contract.factors)


async def test_every_contract_of_intake_is_said_by_one_event() -> None:
    wanted = {kind for kind in REGISTRY.values() if kind.TOPIC in set(PUBLISHER.topics.values())}
    assert len(wanted) == len(PUBLISHER.topics)


def breached(record: str) -> sla.SlaBreached:
    return sla.SlaBreached(
        occurred_at=MONDAY,
        clock_id=UUID(int=9),
        record_id=REQUEST_ID,
        record=record,
        agreement_id=UUID(int=8),
        target="Resolution",
        target_version=1,
        due_at=MONDAY,
        detected_at=MONDAY,
        elapsed_seconds=60,
    )


def test_a_breach_of_a_request_is_noted_and_that_of_a_change_is_not() -> None:
    (unit,) = hear_sla(heard(breached("request")))
    (step,) = unit.steps
    assert step.stream_id == REQUEST_ID
    assert isinstance(step.command, ask.NoteBreach)
    assert hear_sla(heard(breached("rfc"))) == ()


def test_a_withdrawn_breach_is_noted() -> None:
    withdrawn = sla.SlaBreachWithdrawn(
        occurred_at=MONDAY,
        clock_id=UUID(int=9),
        record_id=REQUEST_ID,
        agreement_id=UUID(int=8),
        record="request",
        target="Resolution",
        target_version=1,
        reason="paused",
    )
    (unit,) = hear_sla(heard(withdrawn))
    assert isinstance(unit.steps[0].command, ask.NoteBreachWithdrawn)


def test_a_project_is_linked_to_the_request_and_the_change_it_came_from() -> None:
    approved = demand.ProjectApproved(
        occurred_at=MONDAY,
        project_id=UUID(int=5),
        number="PRJ-2026-000001",
        title="Mail",
        description="",
        designation="sustaining",
        owner="it_manager",
        team="Messaging",
        service="E-mail",
        new_service=False,
        rfc_id=RFC_ID,
        decided_by="advisory board",
    )
    (unit,) = hear_demand(heard(approved))
    assert unit.steps[0].stream_id == RFC_ID
    assert hear_demand(heard(approved.model_copy(update={"rfc_id": None}))) == ()
    asked = hear_demand(heard(approved.model_copy(update={"request_id": REQUEST_ID})))
    assert [each.steps[0].stream_id for each in asked] == [REQUEST_ID, RFC_ID]
    assert isinstance(asked[0].steps[0].command, ask.NoteProject)


def test_intake_hears_sla_and_demand() -> None:
    assert {subscription.source for subscription in SUBSCRIPTIONS} == {"sla", "demand"}
