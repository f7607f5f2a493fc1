"""What `plumbline doctor` says of a service, and what it advises."""

from __future__ import annotations

from services.command_line.diagnosis import examine
from services.command_line.opened import Opened
from shared.eventsourcing.erasure import erase
from shared.eventsourcing.housekeeping import erasure_rules
from shared.runtime.ids import uuid7
from tests.intake.conftest import DEFINITION
from tests.support.running import RunningService


async def complaints(intake: RunningService) -> list[str]:
    context = intake.context
    found = Opened(definition=DEFINITION, database=context.database, store=context.store, keys=context.keys)
    told = await examine(found, lambda _position: None)
    forgetful = "NOT durable"  # the tests' server is
    return [finding.text for finding in told if not finding.well and forgetful not in finding.text]


async def test_an_erasure_that_was_interrupted_is_named_with_its_remedy(intake: RunningService):
    person = uuid7()
    await intake.context.keys.erase(person)
    [complaint] = await complaints(intake)
    assert complaint.startswith("erasure: ")
    assert f"run `plumbline erase {person}` again" in complaint
    rules = erasure_rules(intake.clock, "operator:plumbline")
    await erase(intake.context.database, intake.context.store, rules, [person], settle_seconds=0)
    assert await complaints(intake) == []
