"""Opening stored payloads: their boxes of personal data parted, decrypted and put back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic_core import SchemaValidator, core_schema, from_json, to_json

from shared.eventsourcing.encryption import NONCE_BYTES, Keys

BOXES = "$sealed"

_BEGIN = f',"{BOXES}":'
_LONE = f'{_BEGIN}{{"'  # what parts the open members from the only box; its subject's id is next
_BOX = core_schema.nullable_schema(core_schema.bytes_schema())
_BASE64 = core_schema.CoreConfig(val_json_bytes="base64")
_READ_BOX = SchemaValidator(_BOX, _BASE64).validate_json
_READ_BOXES = SchemaValidator(core_schema.dict_schema(core_schema.str_schema(), _BOX), _BASE64).validate_json

subject_id = lru_cache(maxsize=16_384)(UUID)  # parsing an id costs more than finding it again


class UnknownSubject(Exception):
    """A box is a person's whose key nobody has looked up."""


# What decrypts a nonce and a box's rest under a context, and the subject as `context` takes it.
Opener = tuple[Callable[[bytes, bytes, bytes], bytes], bytes]


class Ciphers(dict[str, Opener | None]):
    """What opens boxes, by subject as boxes name it; None: nothing does.

    Made for a page or a few and thrown away, so that no key long outlives its time in `SubjectKeys`.
    """

    def add(self, keys: Keys, subjects: Iterable[str]) -> None:
        """Take these subjects' keys; one that has none, erased or never made, opens nothing."""
        for subject in subjects:
            key = keys.get(subject_id(subject))
            self[subject] = None if key is None else (AESGCM(key).decrypt, subject.encode())

    def __missing__(self, subject: str) -> Opener | None:
        raise UnknownSubject(subject)


def subjects_of(payload: str) -> Iterable[str]:
    """Return the people whose boxes a stored payload has; no box is decoded for it."""
    begin = payload.rfind('"', 0, -3)
    if payload[begin - 51 : begin - 38] == _LONE:
        return (payload[begin - 38 : begin - 2],)
    return _parted(payload)[1]


def unsealed(payload: str, event_id: UUID, ciphers: Ciphers | None, unread: str) -> str:
    """Return a stored payload's JSON with what its boxes hold in the open, without parsing the rest of it.

    Of members given twice the last one counts: where a box does not open, `unread` stands first for all that
    it may have held. Without `ciphers` none is opened. `encode` writes the boxes last, nearly always a single
    one; base64 holds no quotes, and inside a JSON string those of the boxes' name would be escaped.
    """
    begin = payload.rfind('"', 0, -3)
    if payload[begin - 51 : begin - 38] == _LONE and payload.endswith('"}}'):
        members, plain = payload[: begin - 51], None
        if ciphers is not None:
            plain = opened(_READ_BOX(payload[begin:-2]), ciphers[payload[begin - 38 : begin - 2]], event_id)
        return f"{{{unread},{members[1:]}}}" if plain is None else f"{members},{plain[1:].decode()}"
    members, boxes = _parted(payload)
    for subject, box in boxes.items():
        plain = None if ciphers is None else opened(box, ciphers[subject], event_id)
        members = f"{{{unread},{members[1:]}" if plain is None else f"{members},{plain[1:-1].decode()}"
    return members + "}"


def _parted(payload: str) -> tuple[str, Mapping[str, bytes | None]]:
    """Return the open members without their closing brace, and the boxes by subject."""
    at = payload.rfind(_BEGIN)
    if at >= 0:
        return payload[:at], _READ_BOXES(payload[at + len(_BEGIN) : -1])
    if f'"{BOXES}"' not in payload:
        return payload[:-1], {}
    fields = from_json(payload)  # written by another hand, with blanks
    boxes = _READ_BOXES(to_json(fields.pop(BOXES)))
    return to_json(fields).decode()[:-1], boxes


def opened(box: bytes | None, opener: Opener | None, event_id: UUID) -> bytes | None:
    """Return what a box holds, or None where it was not sealed by this key for this event and person."""
    if box is None or opener is None:
        return None
    decrypt, subject = opener
    try:
        return decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], context(event_id, subject))
    except InvalidTag:
        return None


def context(event_id: UUID, subject: bytes) -> bytes:
    """Return what a box is bound to: it cannot be moved to another event or person, named by id as text."""
    return event_id.bytes + subject
