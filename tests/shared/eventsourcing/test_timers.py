"""Timers fire what is due, late rather than never, once, and not before the facts are in."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.eventsourcing.log import Appended, Step, StoreFork, Unit
from shared.eventsourcing.timer_polls import until_next
from shared.eventsourcing.timer_restraint import Backoff, StepGuard
from shared.eventsourcing.timers import Due, TimerPoller
from shared.messaging.lease import Lease
from shared.runtime.ids import uuid7
from shared.runtime.metrics import Metrics
from tests.support.parcel_office import DUE, LOG, OFFICE, Remind, ReminderSet, open_office, said
from tests.support.parcels import META, NOON, Parcels, opened

SECOND = timedelta(seconds=1)


@pytest.fixture
async def office(fresh_databases):
    async with opened(await fresh_databases("parcels", open_office), log=LOG) as office:
        yield office


@dataclass
class Heard:
    """How far each source has been heard, as the test says."""

    as_of: dict[str, datetime] = field(default_factory=dict)
    parked: dict[str, set[bytes]] = field(default_factory=dict)
    forked: bool = False

    async def complete(self, sources):
        if self.forked:
            raise StoreFork("another life")
        return (
            min((self.as_of[s] for s in sources), default=None) if set(sources) <= set(self.as_of) else None
        )

    async def parked_keys(self, source):
        return self.parked.get(source, set())


@dataclass
class Reminders:
    """Issues one reminder per due row and remembers the pages it was given."""

    pages: list[list[Due]] = field(default_factory=list)
    cannot: set[UUID] = field(default_factory=set)

    async def issue(self, rows):
        self.pages.append(list(rows))
        if self.cannot & {row.timer_id for row in rows}:
            raise LookupError("no such parcel")
        return [
            Unit(steps=(Step(decider=OFFICE, stream_id=row.subject, command=Remind(seq=row.seq)),), meta=META)
            for row in rows
        ]

    @property
    def fired(self) -> list[UUID]:
        return [row.timer_id for page in self.pages for row in page]


def a_poller(office: Parcels, heard: Heard, reminders: Reminders, metrics: Metrics | None = None):
    return TimerPoller(
        office.database,
        office.store,
        DUE,
        progress=heard,
        issue=reminders.issue,
        lease=Lease(office.database, "timers"),
        metrics=metrics,
    )


async def append(office: Parcels, *units: Unit) -> list[Appended]:
    async with office.database.transaction() as conn:
        outcomes = await office.store.append(conn, units)
    assert all(isinstance(outcome, Appended) for outcome in outcomes), outcomes
    return outcomes


async def remind(
    office: Parcels, due_at: datetime, *, sources: str = "", count: int = 1, **more
) -> list[UUID]:
    outcomes = await append(
        office, *(said(ReminderSet(seq=1, due_at=due_at, sources=sources, **more)) for _ in range(count))
    )
    return [outcome.stream_id for outcome in outcomes]


async def reminded(office: Parcels) -> int:
    return await office.database.pool.fetchval("SELECT count(*) FROM log.event WHERE type = 'Reminded'")


async def reminders_given(office: Parcels, count: int) -> None:
    while True:
        if await reminded(office) >= count:
            return
        await asyncio.sleep(0.002)


async def now(office: Parcels) -> datetime:
    return await office.database.pool.fetchval("SELECT clock_timestamp()")


async def test_what_is_due_fires_once_and_what_is_not_due_waits(office):
    reminders = Reminders()
    poller = a_poller(office, Heard(), reminders)
    [due] = await remind(office, NOON - SECOND)
    await remind(office, await now(office) + timedelta(hours=1))
    assert await poller.round() == 1
    assert await poller.round() == 0
    assert reminders.fired == [due]
    assert await reminded(office) == 1


async def test_a_long_downtime_skips_nothing_and_keeps_the_order_of_deadlines(office):
    for n in (3, 1, 2):
        await remind(office, NOON - n * timedelta(days=300), count=120)
    reminders = Reminders()
    assert await a_poller(office, Heard(), reminders).round() == 360
    assert [len(page) for page in reminders.pages] == [100, 100, 100, 60]
    deadlines = [row.due_at for page in reminders.pages for row in page]
    assert deadlines == sorted(deadlines)
    assert await reminded(office) == 360
    assert await office.database.pool.fetchval("SELECT count(*) FROM read.due_v1") == 0


async def test_a_row_waits_until_its_sources_are_complete_to_its_deadline_and_to_its_making(office):
    heard = Heard()
    reminders = Reminders()
    poller = a_poller(office, heard, reminders)
    await remind(office, NOON, sources="intake", attached_at=NOON + 5 * SECOND)
    for as_of in (None, NOON - SECOND, NOON, NOON + 4 * SECOND):
        if as_of is not None:
            heard.as_of["intake"] = as_of
        assert await poller.round() == 0
    heard.as_of["intake"] = NOON + 5 * SECOND
    assert await poller.round() == 1


async def test_of_two_sources_the_slower_one_decides(office):
    heard = Heard(as_of={"intake": NOON + SECOND})
    poller = a_poller(office, heard, Reminders())
    await remind(office, NOON, sources="catalog,intake")
    assert await poller.round() == 0
    heard.as_of["catalog"] = NOON - SECOND
    assert await poller.round() == 0
    heard.as_of["catalog"] = NOON + SECOND
    assert await poller.round() == 1


async def test_two_thousand_rows_that_wait_for_a_source_starve_nobody(office):
    heard = Heard()
    reminders = Reminders()
    poller = a_poller(office, heard, reminders)
    for _ in range(4):
        await remind(office, NOON - 60 * SECOND, sources="intake", count=500)
    [free] = await remind(office, NOON)
    assert await poller.round() == 1
    assert reminders.fired == [free]
    heard.forked = True
    assert await poller.round() == 0


async def test_a_row_whose_subject_has_a_parked_message_waits_alone(office):
    held, free = await remind(office, NOON, sources="intake", count=2)
    heard = Heard(as_of={"intake": NOON + SECOND}, parked={"intake": {str(held).encode()}})
    reminders = Reminders()
    metrics = Metrics("parcels")
    poller = a_poller(office, heard, reminders, metrics)
    assert await poller.round() == 1
    assert reminders.fired == [free]
    labels = {"service": "parcels", "sources": "intake parked"}
    assert metrics.registry.get_sample_value("plumbline_timer_waiting_seconds", labels) > 900
    heard.parked = {}
    assert await poller.round() == 1


async def test_a_wait_of_more_than_a_quarter_of_an_hour_raises_the_alarm_once(office, capsys):
    at = await now(office)
    metrics = Metrics("parcels")
    heard = Heard(as_of={"intake": at - timedelta(hours=1)})
    poller = a_poller(office, heard, Reminders(), metrics)
    await remind(office, at - timedelta(minutes=16), sources="intake")
    await poller.round()
    await poller.round()
    labels = {"service": "parcels", "sources": "intake"}
    assert 960 <= metrics.registry.get_sample_value("plumbline_timer_waiting_seconds", labels) < 1020
    assert capsys.readouterr().out.count("timers wait for a source") == 1
    heard.as_of["intake"] = at
    assert await poller.round() == 1
    await poller.round()
    assert metrics.registry.get_sample_value("plumbline_timer_waiting_seconds", labels) == 0


async def test_a_row_that_fails_is_left_alone_for_longer_each_time_and_blocks_nobody(office):
    bad, *_ = await remind(office, NOON, count=30)
    reminders = Reminders(cannot={bad})
    poller = a_poller(office, Heard(), reminders)
    assert await poller.round() == 30
    assert await reminded(office) == 29
    assert await poller.round() == 0
    [another] = await remind(office, NOON)
    assert await poller.round() == 1
    assert reminders.fired[-1] == another


async def test_a_repeat_and_a_command_of_an_older_seq_decide_to_nothing(office):
    [parcel] = await remind(office, NOON)
    reminders = Reminders()
    await append(office, said(ReminderSet(seq=2, due_at=NOON), about=parcel))
    for seq in (1, 2, 2):
        row = Due(
            timer_id=parcel, kind="", subject=parcel, seq=seq, due_at=NOON, attached_at=NOON, sources=""
        )
        await append(office, *await reminders.issue([row]))
    assert await reminded(office) == 1


async def test_two_processes_poll_and_one_fires(fresh_databases):
    databases = await fresh_databases("parcels", open_office)
    async with opened(databases, log=LOG) as one, opened(databases, log=LOG) as two:
        pollers = [a_poller(process, Heard(), Reminders()) for process in (one, two)]
        for poller in pollers:
            poller.start()
        await remind(one, NOON, count=50)
        async with asyncio.timeout(10):
            await reminders_given(one, 50)
        for poller in pollers:
            await poller.stop()
        assert await reminded(one) == 50
        assert await one.database.pool.fetchval("SELECT count(*) FROM work.lease") == 1


async def test_a_row_due_by_fact_fires_soon_after_the_append_that_made_it(office):
    poller = a_poller(office, Heard(), Reminders())
    poller.start()
    await asyncio.sleep(0.05)
    for count in range(1, 6):
        await remind(office, NOON)
        office.store.announce(0)
        async with asyncio.timeout(5):
            await reminders_given(office, count)
    await poller.stop()


async def test_the_poll_reads_a_few_pages_of_the_index_whatever_is_armed(office):
    await office.database.pool.execute(
        "INSERT INTO read.due_v1 SELECT gen_random_uuid(), 'x', gen_random_uuid(), 1, "
        "now() + make_interval(secs => n), now(), (ARRAY['', 'intake', 'catalog,intake'])[1 + n % 3] "
        "FROM generate_series(1, 60000) n"
    )
    polls = a_poller(office, Heard(), Reminders())._polls
    at = await now(office)
    first = (at, uuid7())
    arguments = {
        "sets": (),
        "facts": (100,),
        "first": ("intake", at, 100),
        "next": ("intake", at, 100, *first),
        "waiting": ("intake", at, at),
    }
    assert set(arguments) == set(polls)
    for name, statement in polls.items():
        plan = await office.database.pool.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *arguments[name]
        )
        assert "Seq Scan" not in plan, name
        top = json.loads(plan)[0]["Plan"]
        assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 60, name


# the guard against a clock that jumps

START = datetime(2026, 3, 2, 12, tzinfo=UTC)


def readings(guard: StepGuard, *steps: tuple[float, float]) -> list[bool]:
    """Read both clocks after each (wall seconds, monotonic seconds) that passed."""
    wall, monotonic = START, 100.0
    answers = [guard.trusts(wall, monotonic)]
    for wall_passed, passed in steps:
        wall, monotonic = wall + timedelta(seconds=wall_passed), monotonic + passed
        answers.append(guard.trusts(wall, monotonic))
    return answers[1:]


def test_the_next_look_is_when_the_first_row_that_is_not_due_yet_will_be():
    firsts = (None, NOON - SECOND, NOON, NOON + 3 * SECOND, NOON + 2 * SECOND)
    assert until_next([{"now": NOON, "first": first} for first in firsts]) == 2
    assert until_next([{"now": NOON, "first": None}]) == float("inf")


def test_a_clock_that_keeps_the_pace_is_trusted_however_long_the_pause():
    assert readings(StepGuard(), (0.25, 0.25), (7200, 7200), (59, 0.25)) == [True, True, True]


def test_a_jump_ahead_stops_the_timers_until_the_clock_has_kept_the_pace_for_half_a_minute():
    assert readings(StepGuard(), (3600, 0.25), (15, 15), (14, 14), (2, 2), (1, 1)) == [
        False,
        False,
        False,
        True,
        True,
    ]


def test_a_jump_that_is_taken_back_starts_the_half_minute_again():
    assert readings(StepGuard(), (3600, 0.25), (20, 20), (-3600, 1), (20, 20), (11, 11)) == [
        False,
        False,
        False,
        False,
        True,
    ]


def test_a_clock_set_back_only_delays():
    assert readings(StepGuard(), (-3600, 0.25), (1, 1)) == [True, True]


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30)), max_size=30))
def test_a_jump_of_an_hour_never_fires_within_half_a_minute(steps):
    guard = StepGuard()
    readings(guard)
    wall, monotonic = START + timedelta(hours=1), 101.0
    assert not guard.trusts(wall, monotonic)
    for _, passed in steps:
        wall, monotonic = wall + timedelta(seconds=passed), monotonic + passed
        if monotonic - 101.0 < 29.9:
            assert not guard.trusts(wall, monotonic)


def test_a_row_tried_again_and_again_waits_a_minute_at_most_and_a_new_seq_waits_not_at_all():
    backoff = Backoff()
    row = Due(timer_id=uuid7(), kind="", subject=uuid7(), seq=1, due_at=NOON, attached_at=NOON, sources="")
    waits, clock = [], 0.0
    for _ in range(9):
        assert backoff.ready([row], clock) == [row]
        backoff.fired([row], clock)
        wait = next(step for step in range(200) if backoff.ready([row], clock + step))
        waits.append(wait)
        clock += wait
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    again = Due(
        timer_id=row.timer_id, kind="", subject=row.subject, seq=2, due_at=NOON, attached_at=NOON, sources=""
    )
    backoff.fired([row], clock)
    assert backoff.ready([again], clock) == [again]
    backoff.forget(clock + 1000)
    assert backoff.ready([row], clock) == [row]
