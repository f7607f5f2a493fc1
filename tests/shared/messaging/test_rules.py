"""The pure rules: what a message is to a checkpoint, and when something is given up."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from uuid import UUID, uuid4

import pytest

from shared.contracts.envelope import Envelope, to_headers
from shared.eventsourcing.log import StoreFork
from shared.messaging.breaker import Breaker
from shared.messaging.checkpoints import Checkpoint, LineageUnknown, sort_out
from shared.messaging.message import Message, Partition, demultiplex
from shared.messaging.pages import FeedHead, Incarnation
from shared.messaging.watchdog import Watchdog

OLD, NEW = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def a_message(position: int, prev: int, *, life: UUID = OLD, partition: int = 0, mark: str = "a") -> Message:
    envelope = Envelope(
        id=uuid4(), source="/parcels", type="plumbline.parcel.sent.v1", subject="p", time=NOW,
        recorded_at=NOW, topic="t", partition=partition, position=position, prev=prev, incarnation=life,
        hash=f"{mark}{position:063x}", sequence=1, correlationid="c", actor="a",
    )  # fmt: skip
    return Message.read(envelope.topic, partition, envelope.key, to_headers(envelope), b"{}")


def chain(*positions: int) -> list[Message]:
    return [a_message(position, prev) for prev, position in pairwise((0, *positions))]


def head(*lives: tuple[UUID, int]) -> FeedHead:
    incarnations = tuple(Incarnation(id=life, after=after) for life, after in lives)
    return FeedHead(incarnations=incarnations, position=0, hash=b"", as_of=NOW, ends={})


ONE_LIFE = head((OLD, 0))
RESTORED = head((OLD, 0), (NEW, 9))


def at(position: int, life: UUID | None = OLD) -> Checkpoint:
    return Checkpoint(incarnation=life, position=position, hash=bytes.fromhex(f"a{position:063x}"))


def test_a_chain_is_followed_from_its_beginning():
    found = sort_out(Checkpoint(), chain(3, 5, 9), ONE_LIFE)
    assert [m.position for m in found.fresh] == [3, 5, 9]
    assert found.checkpoint == at(9)


def test_what_is_known_is_a_duplicate_wherever_it_stands():
    found = sort_out(at(5), [*chain(3, 5, 9), *chain(3, 5)], ONE_LIFE)
    assert ([m.position for m in found.fresh], found.duplicates) == ([9], 4)


def test_behind_a_missing_message_everything_is_held():
    first, _, third, fourth = chain(3, 5, 9, 12)
    found = sort_out(Checkpoint(), [first, third, fourth], ONE_LIFE)
    assert (found.fresh, found.held) == ([first], [third, fourth])


def test_the_same_position_with_another_hash_is_a_fork():
    with pytest.raises(StoreFork):
        sort_out(at(5), [a_message(5, 3, mark="b")], ONE_LIFE)


def test_messages_that_a_restore_undid_are_dropped():
    found = sort_out(at(9), [a_message(12, 9), a_message(11, 9, life=NEW)], RESTORED)
    assert (found.dropped, [m.incarnation for m in found.fresh]) == (1, [NEW])


def test_a_new_life_is_followed_from_a_checkpoint_that_it_kept_only():
    assert sort_out(at(9), [a_message(11, 9, life=NEW)], RESTORED).fresh
    with pytest.raises(StoreFork, match="reconcile"):
        sort_out(at(12), [a_message(11, 9, life=NEW)], RESTORED)


def test_a_known_life_needs_no_word_from_its_source_but_another_does():
    assert sort_out(at(9), [a_message(12, 9)], None).fresh
    with pytest.raises(LineageUnknown):
        sort_out(at(9), [a_message(12, 9, life=NEW)], None)
    with pytest.raises(StoreFork, match="not one of this log"):
        sort_out(at(9), [a_message(12, 9, life=NEW)], ONE_LIFE)


def test_messages_are_told_apart_by_partition_in_order():
    mixed = [a_message(1, 0), a_message(2, 0, partition=1), a_message(3, 1)]
    chains = demultiplex(mixed)
    assert {p.number: [m.position for m in found] for p, found in chains.items()} == {0: [1, 3], 1: [2]}
    assert list(chains) == [Partition("parcels", "t", 0), Partition("parcels", "t", 1)]


def test_one_percent_of_the_last_thousand_messages_may_fail():
    breaker = Breaker()
    breaker.took(5000)
    for _ in range(10):
        assert not breaker.trips(0.0, 0)
        breaker.failed(0.0)
    assert breaker.trips(1.0, 10)
    assert not breaker.trips(301.0, 0)
    breaker.failed(301.0)


def test_a_stopped_partition_is_tried_again_after_pauses_that_grow_until_it_takes_something():
    breaker = Breaker()
    now, pauses = 0.0, []
    for _ in range(6):
        assert breaker.trips(now, 20)
        pauses.append(breaker.pause)
        assert breaker.stops(now + breaker.pause - 0.1)
        now += breaker.pause
        assert not breaker.stops(now)
    assert pauses == [30, 60, 120, 240, 300, 300]
    breaker.took(1)
    assert breaker.pause == 0
    assert breaker.trips(now, 20)
    assert breaker.pause == 30


def test_failures_among_many_messages_are_forgiven_up_to_twenty_keys():
    breaker = Breaker()
    for keys in range(20):
        breaker.took(1000)
        assert not breaker.trips(float(keys), keys)
        breaker.failed(float(keys))
    assert breaker.trips(21.0, 20)


def test_a_reader_that_stands_still_before_the_end_is_given_up_after_a_minute():
    watchdog = Watchdog(0.0)
    assert watchdog.verdict(10.0, 1, {("t", 0): (5, 9)}) == ""
    assert watchdog.verdict(65.0, 1, {("t", 0): (5, 9)}) == ""
    assert watchdog.verdict(71.0, 1, {("t", 0): (5, 9)}) == "stuck"
    assert watchdog.verdict(80.0, 1, {("t", 0): (6, 9)}) == ""
    assert watchdog.verdict(200.0, 1, {("t", 0): (9, 9)}) == ""


def test_a_reader_without_partitions_is_given_up_after_two_minutes_but_never_the_process():
    watchdog = Watchdog(0.0)
    for now in (0.0, 121.0, 242.0, 363.0):
        assert watchdog.verdict(now + 119.0, 0, {}) == ""
        assert watchdog.verdict(now + 121.0, 0, {}) == "unassigned"
        assert not watchdog.rebuilt(now + 121.0, "unassigned")


def test_three_stuck_readers_within_ten_minutes_call_for_a_new_process():
    watchdog = Watchdog(0.0)
    assert [watchdog.rebuilt(at, "stuck") for at in (0.0, 400.0, 601.0, 900.0)] == [False, False, False, True]
