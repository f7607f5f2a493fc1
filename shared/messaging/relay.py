"""Publishes the outbox to Kafka: one leased process, resuming from what the broker has."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from shared.contracts.envelope import ForeignMessage
from shared.eventsourcing.event_store import EventStore
from shared.eventsourcing.log import NewerData, StoreFork
from shared.messaging.brokers import KafkaAccess
from shared.messaging.failures import Backoff, cancelled, deterministic, unless, wait_for_event
from shared.messaging.kafka import KafkaSender, Record, tails
from shared.messaging.lease import Lease, LeaseLost
from shared.messaging.measures import Measures
from shared.messaging.message import Message
from shared.messaging.outbox import Outbox, Place, hash_at, incarnations
from shared.messaging.pages import Incarnation, limit_of
from shared.messaging.topics import PartitionsDiffer, compare
from shared.runtime.database import Database
from shared.runtime.failpoints import failpoint

BUSY_SECONDS: Final = 0.01
IDLE_SECONDS: Final = 0.1
IDLE_AFTER_SECONDS: Final = 1.0
REFUSED_SECONDS: Final = 5.0
GRACE_SECONDS: Final = 5.0  # for the round in hand when the process is to stop and the broker is away
SAVE_SECONDS: Final = 1.0  # between checkpoints, which serve empty partitions and people only

_CHECKPOINT: Final = "SELECT position FROM work.relay_checkpoint WHERE name = $1"
_SAVE: Final = """
INSERT INTO work.relay_checkpoint AS c (name, epoch, position, hash) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE
SET epoch = excluded.epoch, position = excluded.position, hash = excluded.hash,
    recorded_at = clock_timestamp()
WHERE c.epoch <= excluded.epoch AND c.position <= excluded.position
"""

_LOG = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What is sent at once. With it, everything public up to `position`, whose hash is `hash`, is sent."""

    rows: Sequence[Any]  # of the outbox
    position: int
    hash: bytes
    more: bool  # there is at least one message behind these


class Relay:
    """Sends every outbox row as a message, at least once and in order per partition.

    Two relays at once only make duplicates, since the chain of each partition stands in the log. What the
    relay must not pass over stops it: a broker with other partitions, records that this log has not written
    (`StoreFork`), a type this release cannot map. It then gives up the lease and looks again every 5 s.
    """

    def __init__(
        self,
        database: Database,
        store: EventStore,
        access: KafkaAccess,
        measures: Measures,
        *,
        lease: Lease | None = None,
        send_at_once: int = 1000,
    ) -> None:
        self.refused = ""  # why the relay stands still, for the operator; empty while it does not
        self._database = database
        self._store = store
        self._access = access
        self._measures = measures
        self._outbox = Outbox(store)
        self._sender = KafkaSender(access)
        self._lease = lease or Lease(database, "relay")
        self._send_at_once = send_at_once
        self._news = asyncio.Event()
        self._cursors: dict[Place, int] = {}
        self._done = -1  # the head up to which everything was chosen for sending
        self._unsaved: Round | None = None
        self._saved_at = 0.0
        store.on_append(lambda _position: self._news.set())

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until `stopping` is set; then end after the round in hand and release the lease."""
        backoff = Backoff()
        try:
            while not stopping.is_set():
                try:
                    if await self._lease.hold():
                        await unless(stopping, self._lead(stopping, backoff), grace=GRACE_SECONDS)
                    else:
                        await wait_for_event(stopping, 1.0)
                except LeaseLost as lost:
                    _LOG.warning("relay: another process leads", lease=str(lost))
                except Exception as error:  # noqa: BLE001  whatever it is, the next attempt begins from the broker
                    await self._recover(error, backoff, stopping)
                finally:
                    self._measures.relay_leads().set(0)
        finally:
            await self._sender.close()
            await self._lease.release()

    async def _recover(self, error: Exception, backoff: Backoff, stopping: asyncio.Event) -> None:
        if not isinstance(error, StoreFork | NewerData | PartitionsDiffer) and not deterministic(error):
            _LOG.warning("relay: trying again", error=repr(error))
            await backoff.pause(stopping)
            return
        self.refused = f"{type(error).__name__}: {error}"
        self._measures.relay_stopped(type(error).__name__).set(1)
        _LOG.error("relay stopped", error=self.refused)
        await self._lease.release()
        await wait_for_event(stopping, REFUSED_SECONDS)
        self._measures.relay_stopped(type(error).__name__).set(0)

    async def _lead(self, stopping: asyncio.Event, backoff: Backoff) -> None:
        await compare(self._access, self._store.partitions)
        self._cursors, self._done, self._unsaved = await self._resume(), -1, None
        _LOG.info("relay leads", lease=self._lease.name, epoch=self._lease.epoch)
        self._measures.relay_leads().set(1)
        busy_until = _now() + IDLE_AFTER_SECONDS
        while not stopping.is_set() and await self._lease.hold():
            news = self._news.is_set()
            self._news.clear()
            if (news or await self._grown()) and (round_ := await self._choose()):
                await self._send_all(round_, stopping)
                self.refused = ""
                backoff.reset()
                busy_until = _now() + IDLE_AFTER_SECONDS
            await self._save_now_and_then()
            if not self._news.is_set():
                await wait_for_event(self._news, BUSY_SECONDS if _now() < busy_until else IDLE_SECONDS)

    async def _choose(self) -> Round | None:
        """Read what is to be sent next, None for nothing; from here on it counts as chosen."""
        if not await self._lease.hold():
            raise LeaseLost(self._lease.name)
        async with self._database.connection() as conn:
            rows, head, digest = await self._outbox.rows(conn, self._cursors, self._send_at_once)
        if head < self._done:
            raise StoreFork(f"the log ends at {head}, {self._done} was relayed")
        self._cursors |= {(row["topic"], row["partition"]): row["position"] for row in rows}
        self._measures.relay_backlog().set(max(0, head - max(self._done, *self._cursors.values())))
        if len(rows) == self._send_at_once:
            return Round(rows=rows, position=rows[-1]["position"], hash=rows[-1]["hash"], more=True)
        before, self._done = self._done, head
        if head == before and not rows:
            return None
        return Round(rows=rows, position=head, hash=digest, more=False)

    async def _grown(self) -> bool:
        """Tell whether the log has grown since it was last looked through; the cheapest way to wait."""
        async with self._database.connection() as conn:
            return (await self._store.head(conn)).position != self._done

    async def _send_all(self, round_: Round, stopping: asyncio.Event) -> None:
        """Send this round and all behind it, each once the one before it is acknowledged.

        While the broker has one round the next is mapped, which gives the sender and the reader of the one
        behind that their turns. What stops the reading or the mapping is raised after what is on its way is
        through.
        """
        sending: asyncio.Task[None] | None = None
        reading: asyncio.Task[Round | None] | None = None
        following: Round | None = round_
        try:
            while following is not None:
                round_ = following
                more = round_.more and not stopping.is_set()
                reading = asyncio.ensure_future(self._choose()) if more else None
                messages = await self._outbox.messages(round_.rows)
                if sending is not None:
                    await sending
                sending = asyncio.ensure_future(self._send(round_, messages))
                following = await reading if reading is not None else None
            if sending is not None:
                await sending
        except Exception:
            if sending is not None and not sending.done():
                await sending
            raise
        finally:
            await cancelled(sending, reading)

    async def _send(self, round_: Round, messages: Sequence[Message]) -> None:
        await self._sender.send(messages)
        failpoint("relay.mid_round")
        self._unsaved = round_
        failpoint("relay.after_produce_before_checkpoint")
        self._measures.relay_sent().inc(len(messages))
        await self._save_now_and_then()

    async def _save_now_and_then(self) -> None:
        if self._unsaved is None or _now() - self._saved_at < SAVE_SECONDS:
            return
        async with self._database.transaction() as conn:
            await self._lease.fence(conn)
            place = (self._unsaved.position, self._unsaved.hash)
            await conn.execute(_SAVE, self._lease.name, self._lease.epoch, *place)
        self._unsaved, self._saved_at = None, _now()

    async def _resume(self) -> dict[Place, int]:
        """Return per partition the position after which to go on, told by the last record it holds."""
        places = [(name, n) for name, count in self._store.partitions.items() for n in range(count)]
        found = await tails(self._access, places) if places else {}
        async with self._database.connection() as conn:
            checkpoint = await conn.fetchval(_CHECKPOINT, self._lease.name) or 0
            lives = await incarnations(conn)
            cursors: dict[Place, int] = {}
            for place in places:
                last = _last_own(found[place], self._store.definition.publisher.source)
                cursors[place] = await _after(conn, last, lives) if last else checkpoint
        return cursors


def _last_own(records: Sequence[Record], source: str) -> Message | None:
    """Return the last record that a relay of this service wrote; whatever else is there, is not ours."""
    for record in reversed(records):
        try:
            message = Message.read(
                record.topic, record.partition, record.key, record.headers, record.value or b""
            )
        except ForeignMessage:
            continue
        if message.envelope.source == source:
            return message
    return None


async def _after(conn: Any, last: Message, lives: Sequence[Incarnation]) -> int:
    """Return where a partition goes on behind its last record; `StoreFork` if it is not this log's."""
    limit = limit_of(last.incarnation, lives)
    if limit is not None and last.position > limit:
        return limit  # a restore undid it: consumers drop it too
    if await hash_at(conn, last.position) != last.hash:
        raise StoreFork(f"{last.partition} holds position {last.position}, which this log has not written")
    return last.position


def _now() -> float:
    return asyncio.get_running_loop().time()
