"""What `plumbline doctor` says of a service, and what it advises."""

from __future__ import annotations

from services.command_line.diagnosis import examine
from services.command_line.opened import Opened
from services.command_line.parked import give_up
from shared.eventsourcing.erasure import erase
from shared.eventsourcing.housekeeping import MessagesGivenUp, erasure_rules
from shared.messaging import parked
from shared.messaging.message import Partition
from shared.messaging.parked import Foreign
from shared.runtime.ids import uuid7
from tests.intake.conftest import DEFINITION
from tests.support.running import RunningService


def operated(intake: RunningService) -> Opened:
    context = intake.context
    return Opened(definition=DEFINITION, database=context.database, store=context.store, keys=context.keys)


async def complaints(intake: RunningService) -> list[str]:
    told = await examine(operated(intake), lambda _position: None)
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


async def test_what_can_never_be_taken_is_given_up_and_the_log_says_why(intake: RunningService):
    place = Partition("demand", "plumbline.demand.projects.v1", 3)
    stray = Foreign(partition=place, offset=17, key=None, headers=(), value=b"who am I", error="no headers")
    async with intake.context.database.transaction() as conn:
        await parked.park_foreign(conn, "intake", stray)
    [complaint] = await complaints(intake)
    name = "plumbline.demand.projects.v1/3@17"
    assert f"`plumbline unpark --discard {name} --reason ...`" in complaint

    assert await give_up(operated(intake), "plumbline.demand.projects.v1/3@18", "a probe") == []
    assert await give_up(operated(intake), name, "a probe of the monitoring") == [
        "plumbline.demand.projects.v1: 1 given up"
    ]
    assert await complaints(intake) == []
    async with intake.context.database.connection() as conn:
        [noted] = await intake.context.store.read(conn, 0, 10, (MessagesGivenUp,))
    assert (noted.event.positions, noted.event.reason) == ((17,), "a probe of the monitoring")
    assert noted.meta.actor == "operator:plumbline"
