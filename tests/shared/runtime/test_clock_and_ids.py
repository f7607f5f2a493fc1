"""Time and identifiers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from shared.runtime.clock import SystemClock
from shared.runtime.ids import derived, human_number, uuid7
from tests.support.clock import FixedClock

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAMESPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


def test_a_fixed_clock_stands_still_until_told_otherwise() -> None:
    clock = FixedClock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.advance(timedelta(hours=4))
    assert clock.now() == NOON + timedelta(hours=4)
    clock.set(datetime(2026, 3, 3, 1, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now().isoformat() == "2026-03-02T23:00:00+00:00"


def test_a_clock_answers_in_utc_and_refuses_a_time_without_zone() -> None:
    assert SystemClock().now().tzinfo is UTC
    with pytest.raises(ValueError, match="time zone"):
        FixedClock(datetime(2026, 3, 2))  # noqa: DTZ001


def test_ids_of_one_process_sort_in_the_order_they_were_made() -> None:
    ids = [uuid7() for _ in range(20_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    assert {(each.version, each.variant) for each in ids} == {(7, "specified in RFC 4122")}


def test_an_id_says_when_it_was_made() -> None:
    made = datetime.fromtimestamp((uuid7().int >> 80) / 1000, UTC)
    assert abs(made - datetime.now(UTC)) < timedelta(seconds=5)


def test_the_same_parts_always_give_the_same_id_and_their_borders_count() -> None:
    assert derived(NAMESPACE, "servicenow", "INC01") == derived(NAMESPACE, "servicenow", "INC01")
    assert derived(NAMESPACE, "ab", "c") != derived(NAMESPACE, "a", "bc")


def test_a_human_number_has_six_digits_and_more_when_it_needs_them() -> None:
    assert human_number("REQ", NOON, 123).endswith("-000123")
    assert human_number("REQ", NOON, 12_345_678).endswith("-12345678")


def test_a_human_number_carries_the_year_in_utc() -> None:
    new_year_in_tokyo = datetime(2027, 1, 1, 3, tzinfo=timezone(timedelta(hours=9)))
    assert human_number("RFC", new_year_in_tokyo, 45) == "RFC-2026-000045"
