"""Opening stored payloads: their boxes of personal data parted, decrypted and put back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic_core import SchemaValidator, core_schema, from_json, to_json

from shared.eventsourcing.encryption import NONCE_BYTES, Keys

BOXES = "$sealed"

Boxes = Mapping[str, bytes | None]
# A payload's open members without their closing brace, with its boxes by subject; or all of it and no boxes.
Parted = tuple[str, Boxes]

NO_BOXES: Boxes = {}
_BEGIN = f',"{BOXES}":'
_READ_BOXES = SchemaValidator(
    core_schema.dict_schema(
        core_schema.str_schema(), core_schema.nullable_schema(core_schema.bytes_schema())
    ),
    core_schema.CoreConfig(val_json_bytes="base64"),
).validate_json

subject_id = lru_cache(maxsize=16_384)(UUID)  # parsing an id costs more than finding it again


class Ciphers(dict[str, AESGCM | None]):
    """What opens boxes, by subject as boxes name it; None: nothing does.

    Made for a page or a few and thrown away, so that no key long outlives its time in `SubjectKeys`.
    """

    def add(self, keys: Keys, subjects: Iterable[str]) -> None:
        """Take these subjects' keys; one that has none, erased or never made, opens nothing."""
        for subject in subjects:
            key = keys.get(subject_id(subject))
            self[subject] = None if key is None else AESGCM(key)


def parted(payload: str, *, sealed: bool) -> Parted:
    """Part a payload into its open members and the boxes behind them, left in base64 if they stay `sealed`.

    `encode` writes the boxes last, and inside a JSON string the quotes of their mark would be escaped.
    """
    read = from_json if sealed else _READ_BOXES
    at = payload.rfind(_BEGIN)
    if at >= 0:
        members, boxes = payload[:at], read(payload[at + len(_BEGIN) : -1])
    elif f'"{BOXES}"' in payload:
        fields = from_json(payload)  # written by another hand, with blanks
        boxes = read(to_json(fields.pop(BOXES)))
        members = to_json(fields).decode()[:-1]
    else:
        return payload, NO_BOXES
    return (members, boxes) if boxes else (members + "}", NO_BOXES)


def unsealed(payload: Parted, event_id: UUID, ciphers: Ciphers, erased: str) -> str:
    """Return the payload's JSON with what its boxes hold in the open, without parsing the rest of it.

    Of members given twice the last one counts: where a box does not open, `erased` stands first for all that
    it may have held.
    """
    members, boxes = payload
    for subject, box in boxes.items():
        plain = opened(box, ciphers[subject], event_id, subject)
        members = f"{{{erased},{members[1:]}" if plain is None else f"{members},{plain[1:-1].decode()}"
    return members + "}"


def opened(box: bytes | None, cipher: AESGCM | None, event_id: UUID, subject: str) -> bytes | None:
    """Return what a box holds, or None where it was not sealed by this key for this event and person."""
    if box is None or cipher is None:
        return None
    try:
        return cipher.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], context(event_id, subject))
    except InvalidTag:
        return None


def context(event_id: UUID, subject: str) -> bytes:
    """Return what a box is bound to: it cannot be moved to another event or person."""
    return event_id.bytes + subject.encode()
