"""The envelope of every public event: CloudEvents 1.0 binary mode on Kafka headers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from struct import unpack_from
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

from asyncpg.pgproto import pgproto
from msgspec.json import Encoder
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Headers = list[tuple[str, bytes]]

SCHEMA_URI: Final = "urn:plumbline:schema:"
# A `uuid.UUID` to everybody, but read and shown in a tenth of its time.
_quick: Final[Callable[[str], UUID]] = pgproto.UUID


class Contract(BaseModel):
    """A fact told to other services, without personal data: people appear as ids only.

    A subclass names its `TYPE`, `TOPIC` and, once it is not the first, its `VERSION`. Inside a version fields
    are only added, always with a default; readers ignore what they do not know and treat enums as open.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]
    VERSION: ClassVar[int] = 1

    occurred_at: AwareDatetime = Field(description="When it happened in the business, UTC.")
    historic: bool = Field(
        default=False, description="True for imported history: count it, never alert or act on it."
    )

    def to_body(self) -> bytes:
        """Return the JSON body of the message; an absent value is left out, not null."""
        return self.__pydantic_serializer__.to_json(self, exclude_none=True)


class Envelope(NamedTuple):
    """Where a public event stands: in its source's log, on its topic, in the chain of its partition.

    `time` is business time, `recorded_at` the moment it became durable; both aware UTC. `prev` is the
    position of the partition's preceding message, 0 for the first. `sequence` is the version of the stream
    `subject`. `hash` is the log's SHA-256 chain at `position`, 64 lower-case hex digits.
    """

    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    recorded_at: datetime
    topic: str
    partition: int
    position: int
    prev: int
    incarnation: UUID
    hash: str
    sequence: int
    correlationid: str
    actor: str
    causationid: str = ""
    traceparent: str = ""

    @property
    def key(self) -> bytes:
        """The Kafka message key: all events of one aggregate share a partition, so their order holds."""
        return self.subject.encode()


_CARRIED: Final = tuple(name for name in Envelope._fields if name not in ("topic", "partition"))


class ForeignMessage(Exception):
    """A message that no Plumbline service wrote, or a damaged one; `part` (a header, `body`) is to blame."""

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(f"{part} {problem}")
        self.part, self.problem = part, problem


def to_headers(envelope: Envelope) -> Headers:
    """Return the Kafka headers of an event; topic, partition and key travel beside them."""
    return headers_of(**{name: getattr(envelope, name) for name in _CARRIED})


def headers_of(  # noqa: PLR0913  every one is a header; the names are the envelope's
    *, id: UUID, source: str, type: str, subject: str, time: datetime, recorded_at: datetime,  # noqa: A002
    position: int, prev: int, incarnation: UUID, hash: str, sequence: int, correlationid: str,  # noqa: A002
    causationid: str, actor: str, traceparent: str,
) -> Headers:  # fmt: skip
    """Return the Kafka headers of an event told by what its envelope would hold."""
    key = subject.encode()
    headers = [
        *_constant_headers(type, source),
        ("ce_id", str(id).encode()),
        ("ce_time", _timestamp(time)),
        ("ce_subject", key),
        ("ce_partitionkey", key),
        # CloudEvents compares sequences as text, hence the zeros.
        ("ce_sequence", b"%010d" % sequence),
        ("ce_position", b"%d" % position),
        ("ce_prev", b"%d" % prev),
        ("ce_incarnation", _recurring_text(incarnation)),
        ("ce_hash", hash.encode()),
        ("ce_recordedtime", _recurring_timestamp(recorded_at)),
        ("ce_correlationid", correlationid.encode()),
        ("ce_actor", actor.encode()),
    ]
    if causationid:
        headers.append(("ce_causationid", causationid.encode()))
    if traceparent:
        headers += [("ce_traceparent", parent := traceparent.encode()), ("traceparent", parent)]
    return headers


def from_headers(
    headers: Sequence[tuple[str, bytes]], topic: str, partition: int, key: bytes | None
) -> Envelope:
    """Return the envelope that `to_headers` wrote; raise `ForeignMessage` for anything else.

    Headers that are not ours (a proxy's, a tracer's) are ignored.
    """
    held = dict(headers)
    if len(held) != len(headers):
        _refuse_repeated(headers)
    kind, source = _recurring(*map(held.get, _RECURRING))
    if held.get("ce_subject") != key or held.get("ce_partitionkey") != key:
        _refuse_unreadable(held)
        raise ForeignMessage("ce_partitionkey", "is wrong: it, ce_subject and the message key differ")
    try:
        event_id, incarnation, subject, correlation, actor, time, recorded, *counts, digest = _every(held)
        position, prev, sequence = map(_count, counts)
        envelope = Envelope(
            _uuid(event_id), source, kind, _text(subject), _moment(time), _recurring_moment(recorded),
            topic, partition, position, prev, _recurring_uuid(incarnation), _digest(digest),
            sequence, _text(correlation), _text(actor), _optional(held, "ce_causationid"),
            _optional(held, "traceparent") or _optional(held, "ce_traceparent"),
        )  # fmt: skip
    except (KeyError, *_UNREADABLE):
        _refuse_unreadable(held)
        raise
    if prev >= position:
        raise ForeignMessage("ce_prev", "is wrong: it does not precede ce_position")
    return envelope


@lru_cache(maxsize=4096)  # an append asks, and so does the answer about it
def partition_for(key: bytes, count: int) -> int:
    """Return the partition of a key among `count`, as Kafka's default partitioner does in every client."""
    return (murmur2(key) & 0x7FFFFFFF) % count


def murmur2(key: bytes) -> int:
    """Return Kafka's 32-bit MurmurHash2 of a key, unsigned (org.apache.kafka.common.utils.Utils.murmur2)."""
    mask, multiplier = 0xFFFFFFFF, 0x5BD1E995
    words, rest = divmod(len(key), 4)
    hashed = 0x9747B28C ^ len(key)
    for word in unpack_from(f"<{words}I", key):
        mixed = word * multiplier & mask
        hashed = hashed * multiplier & mask ^ (mixed ^ mixed >> 24) * multiplier & mask
    if rest:
        hashed = (hashed ^ int.from_bytes(key[-rest:], "little")) * multiplier & mask
    hashed = (hashed ^ hashed >> 13) * multiplier & mask
    return hashed ^ hashed >> 15


@lru_cache(maxsize=1024)
def _constant_headers(kind: str, source: str) -> Headers:
    """Return the headers that every event of one type shares."""
    return [
        ("ce_specversion", b"1.0"),
        ("content-type", b"application/json"),
        ("ce_type", kind.encode()),
        ("ce_source", source.encode()),
        ("ce_dataschema", (SCHEMA_URI + kind).encode()),
    ]


@lru_cache(maxsize=256)
def _recurring_text(identity: UUID) -> bytes:
    return str(identity).encode()


def _timestamp(moment: datetime) -> bytes:
    """RFC 3339 in UTC with microseconds and a Z."""
    text = _json(moment)[1:-1]
    if len(text) != len("2026-03-02T10:15:00.000001Z"):  # on a whole second, or not in UTC
        text = moment.astimezone(UTC).isoformat(timespec="microseconds").encode()[:-6] + b"Z"
    return text


_json: Final = Encoder().encode  # a tenth of the time of `isoformat`
_recurring_timestamp = lru_cache(maxsize=256)(_timestamp)  # the events of one append share `recorded_at`


def _refuse_unreadable(held: dict[str, bytes]) -> None:
    """Name the first of the headers that every message has which is missing or cannot be read."""
    name = ""
    try:
        for name, read in _READERS.items():
            read(held[name])
    except KeyError:
        raise ForeignMessage(name, "is missing") from None
    except _UNREADABLE as error:
        raise ForeignMessage(name, f"is wrong: {error}") from None


def _optional(held: dict[str, bytes], name: str) -> str:
    try:
        return value.decode() if (value := held.get(name)) else ""
    except UnicodeDecodeError as error:
        raise ForeignMessage(name, f"is wrong: {error}") from None


# A header may hold nothing at all, or bytes that are no text.
_UNREADABLE: Final = (ValueError, TypeError, AttributeError, OverflowError)
_RECURRING: Final = ("ce_type", "ce_source", "ce_dataschema", "ce_specversion", "content-type")


@lru_cache(maxsize=1024)
def _recurring(*values: bytes | None) -> tuple[str, str]:
    """Return type and source once the headers that every event of one type shares are in order."""
    texts = []
    for name, value in zip(_RECURRING, values, strict=True):
        if value is None:
            raise ForeignMessage(name, "is missing")
        try:
            texts.append(_text(value))
        except ValueError as error:
            raise ForeignMessage(name, f"is wrong: {error}") from None
    kind, source, dataschema, specversion, content_type = texts
    for name, found, right in (
        ("ce_dataschema", dataschema, SCHEMA_URI + kind),
        ("ce_specversion", specversion, "1.0"),
        ("content-type", content_type, "application/json"),
    ):
        if found != right:
            raise ForeignMessage(name, f"is wrong: {found!r} is not {right!r}")
    return kind, source


def _refuse_repeated(headers: Sequence[tuple[str, bytes]]) -> None:
    """Refuse a header of ours given twice: nobody could say which one is true."""
    for name, times in Counter(name for name, _ in headers).items():
        if times > 1 and (name.startswith("ce_") or name in {"content-type", "traceparent"}):
            raise ForeignMessage(name, f"is wrong: given {times} times")


def _text(value: bytes) -> str:
    if not value:
        raise ValueError("empty")
    return value.decode()


def _count(value: bytes) -> int:
    if not value.isdigit() or len(value) > 19:
        raise ValueError(f"{value!r} is not a count")
    return int(value)


def _moment(value: bytes) -> datetime:
    moment = datetime.fromisoformat(value.decode())
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment.astimezone(UTC)


def _uuid(value: bytes) -> UUID:
    return _quick(value.decode())


def _digest(value: bytes) -> str:
    if len(value) != 64 or value.strip(b"0123456789abcdef"):
        raise ValueError("not 64 lower-case hex digits")
    return value.decode()


_recurring_uuid = lru_cache(maxsize=256)(_uuid)  # an incarnation stands on every message of a log
_recurring_moment = lru_cache(maxsize=256)(_moment)

_READERS: Final[dict[str, Callable[[bytes], Any]]] = {
    **dict.fromkeys(("ce_id", "ce_incarnation"), _uuid),
    **dict.fromkeys(("ce_subject", "ce_correlationid", "ce_actor"), _text),
    **dict.fromkeys(("ce_time", "ce_recordedtime"), _moment),
    **dict.fromkeys(("ce_position", "ce_prev", "ce_sequence"), _count),
    "ce_hash": _digest,
}
_every: Final = itemgetter(*_READERS)  # of a message's headers, in this order
