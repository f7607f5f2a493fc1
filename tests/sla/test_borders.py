"""What sla hears and says, and that its tables are what its code takes them for."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, get_type_hints
from uuid import UUID

import pytest
import sqlalchemy as sa

from services.sla.app import LOG
from services.sla.domain.permissions import PERMISSIONS
from services.sla.domain.record import events
from services.sla.domain.record.commands import RecordFact
from services.sla.domain.target import RecordKind
from services.sla.publishes import PUBLISHER
from services.sla.subscribes import hear
from shared.contracts import intake
from shared.contracts.envelope import Contract
from shared.contracts.registry import REGISTRY
from shared.eventsourcing.log import Appended, Meta, Recorded
from shared.eventsourcing.rebuild import rebuild, table_hash
from shared.runtime.database import Database
from shared.runtime.ids import uuid7
from shared.runtime.provisioning import ServiceDatabases
from tests.sla.hearing import MONDAY, Timers, heard, submission, units
from tests.sla.test_agreement import TERMS
from tests.support.heard import as_heard
from tests.support.running import RunningService

ANY: dict[Any, Any] = {
    UUID: uuid7(),
    datetime: datetime(2026, 5, 18, 16, tzinfo=UTC),
    str: "words",
    int: 1,
    bool: True,
    RecordKind: RecordKind.RFC,
}


def recorded(kind: type) -> Recorded:
    hints = get_type_hints(kind)
    event = kind(**{f.name: TERMS if f.name == "terms" else ANY[hints[f.name]] for f in fields(kind)})
    return Recorded(
        position=1,
        stream="record",
        stream_id=uuid7(),
        version=1,
        event_id=uuid7(),
        event=event,
        told=Meta(actor="anna", correlation_id="c"),
        recorded_at=ANY[datetime],
        hash=b"",
    )


@pytest.mark.parametrize("kind", PUBLISHER.topics, ids=lambda kind: kind.__name__)
def test_every_public_event_has_its_contract_on_its_topic(kind: type) -> None:
    told = recorded(kind)
    contract = as_heard(PUBLISHER.publish(told))
    assert PUBLISHER.topics[kind] == contract.TOPIC
    assert REGISTRY[contract.TYPE].model_validate_json(contract.to_body()) == contract
    assert (contract.occurred_at, contract.historic) == (told.occurred_at, told.event.historic)


def test_what_is_not_public_has_no_contract() -> None:
    looked = events.RecordChecked(
        seq=2, as_of=MONDAY, covered=True, agreements=(), next_at=None, occurred_at=MONDAY, historic=False
    )
    with pytest.raises(LookupError):
        PUBLISHER.publish(recorded(events.ClockMet)._replace(event=looked))


def taken(contract: Contract, subject: UUID) -> RecordFact:
    (unit,) = hear(heard(contract, subject))
    (step,) = unit.steps
    assert step.stream_id == subject
    command = step.command
    assert isinstance(command, RecordFact)
    return command


def test_a_submission_is_taken_with_what_conditions_may_ask_for_and_no_person() -> None:
    request_id = uuid7()
    fact = taken(submission(request_id, historic=True), request_id)
    assert (fact.kind, fact.record, fact.happened_at) == ("request.submitted", RecordKind.REQUEST, MONDAY)
    assert fact.historic
    assert fact.attributes["complete_outage"] == "false"
    assert fact.attributes["service"] == "Desktop Computing Service"
    assert "requester_id" not in fact.attributes


def test_the_reason_of_a_hold_is_kept_and_the_words_of_a_rejection_are_not() -> None:
    request_id = uuid7()
    held = intake.RequestHeld(request_id=request_id, reason="supplier", occurred_at=MONDAY)
    assert taken(held, request_id).attributes == {"reason": "supplier"}
    rejected = intake.RequestRejected(request_id=request_id, reason="asked by Mr X", occurred_at=MONDAY)
    assert taken(rejected, request_id).attributes == {}


def test_a_decision_on_a_change_is_a_fact_about_that_change() -> None:
    rfc_id = uuid7()
    decided = intake.RfcApproved(rfc_id=rfc_id, decided_by="cab", revision=1, occurred_at=MONDAY)
    fact = taken(decided, rfc_id)
    assert (fact.kind, fact.record) == ("rfc.approved", RecordKind.RFC)


def test_nothing_is_looked_up_for_the_first_thing_said_of_a_record_only() -> None:
    request_id = uuid7()
    first = heard(submission(request_id), request_id)
    later = first._replace(envelope=first.envelope._replace(sequence=2))
    assert [unit.steps[0].new for told in (first, later) for unit in hear(told)] == [True, False]


async def test_a_first_fact_that_is_told_again_is_still_one_fact(sla: RunningService) -> None:
    """A consumer that was set back hears the beginning of records that it knows."""
    request_id = uuid7()
    first = heard(submission(request_id), request_id)
    found = []
    for _ in range(2):
        async with sla.context.database.transaction() as conn:
            [outcome] = await sla.context.store.append(conn, hear(first))
        assert isinstance(outcome, Appended)
        found.append(len(outcome.events))
    assert found == [1, 0]


def test_every_command_says_who_may_issue_it() -> None:
    assert all(roles for roles in PERMISSIONS.values())
    assert PERMISSIONS[RecordFact] == {"system"}


async def test_the_tables_are_what_the_code_takes_them_for(sla: RunningService) -> None:
    query = sa.text(
        "SELECT table_name, column_name, is_nullable FROM information_schema.columns "
        "WHERE table_schema = 'read'"
    )
    found = {
        (row["table_name"], row["column_name"], row["is_nullable"] == "YES")
        for row in await sla.context.database.rows(query)
        if row["table_name"] != "read_model"
    }
    declared = {
        (model.table.name, column.name, bool(column.nullable))
        for model in LOG.read_models
        for column in model.table.columns
    }
    assert found == declared


async def test_tables_built_anew_are_the_same(woodgrove: RunningService, databases: ServiceDatabases) -> None:
    request_id = uuid7()
    held = intake.RequestHeld(request_id=request_id, reason="requester", occurred_at=MONDAY)
    timers = Timers(woodgrove)
    for contract in (submission(request_id), held):
        await woodgrove.append(units(request_id, contract))
        await timers.fire_all()
    owner = await Database.open(databases.owner_url, application_name="rebuild")
    try:
        for model in LOG.read_models:
            async with owner.connection() as conn:
                live = await table_hash(conn, model.table)
            await rebuild(owner, woodgrove.context.store, model)
            async with owner.connection() as conn:
                assert await table_hash(conn, model.table) == live, model.name
    finally:
        await owner.close()
