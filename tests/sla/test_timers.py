"""From a message of intake to clocks and breaches, on real PostgreSQL."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import pytest

from services.sla.publishes import PUBLISHER
from shared.contracts import intake, sla
from shared.contracts.envelope import Contract
from shared.runtime.ids import uuid7
from tests.sla.hearing import MONDAY, Timers, submission, units
from tests.support.heard import as_heard
from tests.support.running import RunningService

FAR = datetime(2100, 1, 1, tzinfo=UTC)
ELSEWHERE = {"service": "Telephony"}


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.fixture
async def timers(woodgrove: RunningService) -> Timers:
    found = Timers(woodgrove)
    await found.fire_all()  # the new agreement's look at what was uncovered
    return found


async def told(service: RunningService) -> list[Contract]:
    """Everything public about clocks, in order."""
    context = service.context
    async with context.database.connection() as conn:
        recorded = await context.store.read(conn, 0, 1_000_000)
    return [
        as_heard(PUBLISHER.publish(each))
        for each in recorded
        if PUBLISHER.topics.get(type(each.event)) == sla.ClockFact.TOPIC
    ]


def kinds(contracts: list[Contract], target: str) -> list[str]:
    return [type(c).__name__ for c in contracts if getattr(c, "target", "") == target]


async def test_a_request_that_is_heard_gets_the_clocks_its_agreement_promises(
    woodgrove: RunningService, timers: Timers
) -> None:
    request_id = uuid7()
    await woodgrove.append(units(request_id, submission(request_id)))
    await timers.fire_all()
    clocks = (await woodgrove.get("/v1/clocks", record_id=str(request_id)))["items"]
    assert {clock["target"]: clock["due_at"] for clock in clocks} == {
        "contact": "2026-05-18T16:10:00Z",
        "incident-nominal": "2026-05-18T18:00:00Z",
    }
    assert {clock["state"] for clock in clocks} == {"running"}
    at_risk = (await woodgrove.get("/v1/clocks"))["items"]
    assert [clock["target"] for clock in at_risk] == ["contact", "incident-nominal"]
    attached = await told(woodgrove)
    assert all(isinstance(each, sla.ClockAttached) and not each.historic for each in attached)


async def test_no_breach_is_told_before_intake_is_heard_up_to_the_deadline(
    woodgrove: RunningService, timers: Timers
) -> None:
    request_id = uuid7()
    await woodgrove.append(units(request_id, submission(request_id)))
    await timers.fire_all()
    before = await told(woodgrove)
    timers.source.as_of = MONDAY + minutes(30)  # the outage of the broker began here
    await timers.fire_all()
    assert await told(woodgrove) == before
    timers.source.as_of = FAR
    await timers.fire_all()
    after = await told(woodgrove)
    assert kinds(after, "contact") == ["ClockAttached", *["ClockThresholdReached"] * 4, "SlaBreached"]
    breach = next(each for each in after if isinstance(each, sla.SlaBreached))
    assert (breach.occurred_at, breach.due_at) == (MONDAY + minutes(10), MONDAY + minutes(10))
    assert (breach.elapsed_seconds, breach.detected_at) == (600, woodgrove.clock.now())


async def test_a_stop_that_was_on_its_way_leaves_no_breach(woodgrove: RunningService, timers: Timers) -> None:
    request_id = uuid7()
    await woodgrove.append(units(request_id, submission(request_id)))
    await timers.fire_all()
    answered = intake.RequestResponded(
        request_id=request_id, human=True, channel="phone", occurred_at=MONDAY + minutes(4)
    )
    done = intake.RequestFulfilled(request_id=request_id, occurred_at=MONDAY + minutes(90))
    await woodgrove.append(units(request_id, answered, done))
    timers.source.as_of = FAR
    await timers.fire_all()
    after = await told(woodgrove)
    assert not any(isinstance(each, sla.SlaBreached) for each in after)
    met = {each.target: each.late for each in after if isinstance(each, sla.ClockMet)}
    assert met == {"contact": False, "incident-nominal": False}
    assert await timers.fire() == 0


async def test_a_record_with_a_message_set_aside_waits(woodgrove: RunningService, timers: Timers) -> None:
    request_id = uuid7()
    await woodgrove.append(units(request_id, submission(request_id)))
    await timers.fire_all()
    timers.source.as_of, timers.source.parked = FAR, {request_id}
    assert await timers.fire() == 0
    timers.source.parked = set()
    assert await timers.fire_all() > 0


async def test_a_breach_can_be_explained_to_the_second(woodgrove: RunningService, timers: Timers) -> None:
    request_id = uuid7()
    woodgrove.clock.set(MONDAY + minutes(60))
    held = intake.RequestHeld(request_id=request_id, reason="requester", occurred_at=MONDAY + minutes(30))
    resumed = intake.RequestResumed(request_id=request_id, occurred_at=MONDAY + minutes(45))
    await woodgrove.append(units(request_id, submission(request_id), held, resumed))
    await timers.fire_all()
    clocks = (await woodgrove.get("/v1/clocks", record_id=str(request_id)))["items"]
    nominal = next(clock for clock in clocks if clock["target"] == "incident-nominal")
    why = await woodgrove.get(f"/v1/clocks/{nominal['clock_id']}/explain", pause_seconds=1800)
    assert [(part["kind"], part["seconds"]) for part in why["intervals"]] == [
        ("running", 1800),
        ("paused", 900),
        ("running", 900),
    ]
    counted = sum(part["seconds"] for part in why["intervals"] if part["counts"])
    assert counted == why["elapsed_seconds"] == 2700
    assert why["due_at"] == nominal["due_at"] == "2026-05-18T18:15:00Z"
    assert why["if_paused_now"]["due_at"] == "2026-05-18T18:45:00Z"
    assert why["if_paused_now"]["remaining_seconds"] == 7200 - 2700


async def test_a_record_that_no_agreement_covers_is_listed(woodgrove: RunningService, timers: Timers) -> None:
    request_id = uuid7()
    await woodgrove.append(units(request_id, submission(request_id, **ELSEWHERE)))
    await timers.fire_all()
    (listed,) = (await woodgrove.get("/v1/records/uncovered"))["items"]
    assert (listed["record_id"], listed["service"]) == (str(request_id), "Telephony")
    assert (await woodgrove.get(f"/v1/records/{request_id}"))["clocks"] == []
    assert await told(woodgrove) == []


async def test_an_agreement_that_comes_into_force_later_covers_what_was_uncovered(
    sla: RunningService, sample: list[dict[str, Any]]
) -> None:
    timers = Timers(sla)
    before = [(uuid7(), {}) for _ in range(3)] + [(uuid7(), ELSEWHERE)]
    for request_id, changes in before:
        await sla.append(units(request_id, submission(request_id, **changes)))
    await timers.fire_all()
    assert len((await sla.get("/v1/records/uncovered"))["items"]) == 4
    for post in sample:
        await sla.post(post["path"], post["body"])
    await timers.fire_all()
    (left,) = (await sla.get("/v1/records/uncovered"))["items"]
    assert left["service"] == "Telephony"
    for request_id, _ in before[:3]:
        assert len((await sla.get("/v1/clocks", record_id=str(request_id)))["items"]) == 2
    assert await timers.fire() == 0


async def test_the_same_message_twice_is_one_fact(woodgrove: RunningService, timers: Timers) -> None:
    request_id = uuid7()
    twice = units(request_id, submission(request_id)) * 2
    await woodgrove.append(twice)
    await timers.fire_all()
    assert len((await woodgrove.get(f"/v1/records/{request_id}"))["heard"]) == 1


def a_past_incident(number: int) -> tuple[Any, list[Contract]]:
    request_id = uuid7()
    opened = datetime(2016, 3, 1, 17, 0, tzinfo=UTC) + timedelta(minutes=7 * number)
    done = opened + timedelta(minutes=60 if number % 2 else 60 * 24 * 3)
    past = {"request_id": request_id, "historic": True}
    return request_id, [
        submission(request_id, opened, historic=True, number=f"REQ-2016-{number:06d}"),
        intake.RequestResponded(**past, human=True, channel="phone", occurred_at=opened + minutes(5)),
        intake.RequestHeld(**past, reason="requester", occurred_at=opened + minutes(20)),
        intake.RequestResumed(**past, occurred_at=opened + minutes(30)),
        intake.RequestFulfilled(**past, occurred_at=done),
        intake.RequestClosed(**past, reason="imported", occurred_at=done + timedelta(days=5)),
    ]


async def test_a_thousand_past_incidents_are_judged_at_their_own_times_within_seconds(
    woodgrove: RunningService, timers: Timers
) -> None:
    messages = [a_past_incident(number) for number in range(1000)]
    await woodgrove.append([unit for request_id, said in messages for unit in units(request_id, *said)])
    began = perf_counter()
    assert await timers.fire_all() == 1000
    assert perf_counter() - began < 20
    public = await told(woodgrove)
    assert all(each.historic for each in public)
    assert max(each.occurred_at for each in public).year == 2016
    counted = Counter(type(each).__name__ for each in public)
    assert (counted["ClockAttached"], counted["ClockMet"]) == (2000, 2000)
    counts = {row["target"]: row for row in (await woodgrove.get("/v1/clocks/counts"))["items"]}
    assert counts["incident-nominal"]["met"] == 1000
    assert counts["incident-nominal"]["breached"] == counted["SlaBreached"] >= 500
    (covered,) = (await woodgrove.get("/v1/records/counts"))["items"]
    assert (covered["records"], covered["covered"], covered["historic"]) == (1000, True, True)
