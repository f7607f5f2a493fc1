"""Deadlines: what is late is interrupted, what is cancelled stays cancelled."""

from __future__ import annotations

import asyncio

import pytest

from shared.http.deadlines import Deadlines


async def test_what_is_in_time_goes_on_undisturbed():
    deadlines = Deadlines()
    with deadlines.begin(60) as deadline:
        await asyncio.sleep(0)
    assert not deadline.expired
    assert asyncio.current_task().cancelling() == 0


async def test_what_takes_too_long_is_interrupted_and_its_task_lives_on():
    deadlines = Deadlines()
    with pytest.raises(TimeoutError), deadlines.begin(0) as deadline:
        await asyncio.Event().wait()
    assert deadline.expired
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)


async def test_of_two_tasks_only_the_late_one_is_interrupted():
    deadlines, done = Deadlines(), asyncio.Event()

    async def wait(seconds):
        with deadlines.begin(seconds):
            await done.wait()
            return "in time"

    late, other = (asyncio.create_task(wait(seconds)) for seconds in (0, 60))
    with pytest.raises(TimeoutError):
        await late
    done.set()
    assert await other == "in time"


async def test_a_task_that_somebody_cancels_is_cancelled_and_not_late():
    async def wait():
        with Deadlines().begin(60):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_late_task_that_is_cancelled_as_well_is_cancelled():
    deadlines = Deadlines()
    begun = asyncio.Event()

    async def wait():
        with deadlines.begin(60) as deadline:
            deadline.expire()
            asyncio.current_task().cancel()
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await begun.wait()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_its_own_is_not_hidden():
    with pytest.raises(LookupError), Deadlines().begin(60):
        raise LookupError
