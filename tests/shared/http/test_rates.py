"""How many requests of one caller pass, and what the rest are told."""

from __future__ import annotations

import asyncio
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.http.problems import Problem
from shared.http.rates import BURST_SECONDS, Rates
from tests.shared.http.conftest import House


class Moment:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def passes(rates: Rates, caller: str = "desk") -> bool:
    try:
        rates.count(caller)
    except Problem:
        return False
    return True


def test_a_quiet_caller_may_send_two_seconds_worth_at_once_and_is_told_when_to_come_again():
    moment = Moment()
    rates = Rates(5, now=moment)
    assert [passes(rates) for _ in range(11)] == [True] * 10 + [False]
    with pytest.raises(Problem) as refusal:
        rates.count("desk")
    assert (refusal.value.kind.status, refusal.value.kind.code) == (429, "too-many-requests")
    assert refusal.value.headers["Retry-After"] == "1"
    moment.seconds += 0.2
    assert [passes(rates) for _ in range(2)] == [True, False]


def test_a_rate_below_one_a_second_says_how_many_seconds_to_wait():
    moment = Moment()
    rates = Rates(0.1, now=moment)
    assert passes(rates)
    with pytest.raises(Problem) as refusal:
        rates.count("desk")
    assert refusal.value.headers["Retry-After"] == "10"
    moment.seconds += int(refusal.value.headers["Retry-After"])
    assert passes(rates)


def test_what_one_caller_sends_is_not_held_against_another():
    rates = Rates(1, now=Moment())
    while passes(rates, "greedy"):
        pass
    assert passes(rates, "modest")


def test_only_so_many_callers_are_remembered():
    rates = Rates(1, now=Moment(), capacity=2)
    while passes(rates, "first"):
        pass
    assert passes(rates, "second")
    assert passes(rates, "third")
    assert passes(rates, "first"), "forgotten, so it begins anew"


@given(st.floats(0.001, 2_000), st.integers(1, 400))
def test_whoever_keeps_to_the_rate_is_never_refused(per_second: float, count: int):
    moment = Moment()
    rates = Rates(per_second, now=moment)
    for _ in range(count):
        assert passes(rates)
        moment.seconds += 1 / per_second


@given(st.floats(1, 1_000), st.lists(st.floats(0, 0.5), min_size=1, max_size=200))
def test_no_stretch_of_time_lets_more_pass_than_the_rate_and_one_burst(per_second: float, gaps: list[float]):
    moment = Moment()
    rates = Rates(per_second, now=moment)
    passed: list[float] = []
    for at in accumulate(gaps, initial=1_000.0):
        moment.seconds = at
        passed += [at for _ in range(5) if passes(rates)]
    for first, begin in enumerate(passed):
        for last in range(first, len(passed)):
            allowed = per_second * (passed[last] - begin + BURST_SECONDS) + 1
            assert last - first + 1 <= allowed


async def test_the_gate_answers_too_many_requests_before_it_reads_their_bodies(house: House) -> None:
    object.__setattr__(house.api.rules, "rates", Rates(3, now=Moment()))
    body = {"title": "a printer"}
    answers = await asyncio.gather(*[house.client.post("/v1/requests", json=body) for _ in range(8)])
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) == 2
    for answer in refused:
        assert answer.status_code == 429
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["code"] == "too-many-requests"
        assert answer.json()["detail"] == "anna may send 3 requests a second to this process."
    other = house.token(name="bert")
    assert (await house.client.post("/v1/requests", json=body, headers=other)).status_code == 201
    unread = await house.client.post("/v1/requests", content=b"{", headers=house.token(name="anna"))
    assert unread.status_code == 429
