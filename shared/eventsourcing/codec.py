"""Stored bytes to events and back: type names, versions, upcasters, sealed fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, get_type_hints
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from shared.eventsourcing.decider import Personal
from shared.eventsourcing.encryption import Keys, seal, unseal
from shared.eventsourcing.log import NewerData

SEALED = "[sealed]"
ERASED = "[erased]"
BOXES = "$sealed"

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """An event as it is stored. `payload` is JSON text, kept byte for byte because it is hashed."""

    type: str
    schema_version: int
    payload: str


@dataclass(frozen=True, slots=True)
class _Form:
    kind: type
    adapter: TypeAdapter[Any]
    version: int
    personal: tuple[tuple[str, str], ...]  # (field, field that holds its subject's id)
    subjects: tuple[str, ...]
    sealed: str  # the personal fields as JSON members, each "[sealed]"
    erased: str


class Codec:
    """Every event type that one service may find in its log.

    The stored type name is the class name. A class that changed shape raises its `SCHEMA_VERSION` and leaves
    an upcaster for (name, old version), a pure function from the old fields to the next version's.
    """

    def __init__(
        self, events: Iterable[type], upcasters: Mapping[tuple[str, int], Upcaster] | None = None
    ) -> None:
        self._forms: dict[str, _Form] = {}
        for kind in events:
            if kind.__name__ in self._forms:
                raise ValueError(f"two event classes are called {kind.__name__}")
            self._forms[kind.__name__] = _form(kind)
        self._upcasters = dict(upcasters or {})

    @property
    def types(self) -> tuple[type, ...]:
        """Return every known event class."""
        return tuple(form.kind for form in self._forms.values())

    def knows(self, name: str, version: int) -> bool:
        """Tell whether this release can read the stored type in that schema version."""
        form = self._forms.get(name)
        return form is not None and version <= form.version

    def subjects(self, event: Any) -> set[UUID]:
        """Return the data subjects whose keys are needed to store the event."""
        form = self._forms[type(event).__name__]
        return {getattr(event, name) for name in form.subjects if getattr(event, name) is not None}

    def without_erased(self, event: Any, keys: Keys) -> Any:
        """Return the event as it would be read back: personal fields of erased subjects read "[erased]"."""
        form = self._forms[type(event).__name__]
        gone = {
            name: ERASED
            for name, subject in form.personal
            if getattr(event, name) is not None and keys.get(getattr(event, subject), b"") is None
        }
        return replace(event, **gone) if gone else event

    def encode(self, event: Any, event_id: UUID, keys: Keys) -> Encoded:
        """Return the stored form. A subject whose key is erased is stored as erased, not in the clear."""
        form = self._forms[type(event).__name__]
        if not form.personal:
            payload = form.adapter.dump_json(event)
        else:
            fields = form.adapter.dump_python(event, mode="json")
            boxes: dict[str, dict[str, Any]] = {}
            for name, subject_field in form.personal:
                if fields[name] is not None:
                    boxes.setdefault(fields[subject_field], {})[name] = fields.pop(name)
            fields[BOXES] = {
                subject: _seal(subject, plain, event_id, keys) for subject, plain in boxes.items()
            }
            payload = to_json(fields)
        return Encoded(type=form.kind.__name__, schema_version=form.version, payload=payload.decode())

    def decode(self, name: str, version: int, payload: str | bytes, event_id: UUID, keys: Keys | None) -> Any:
        """Return the event; without `keys` personal fields read "[sealed]", erased ones "[erased]".

        Raises `NewerData` for a type or version that only a later release knows.
        """
        form = self._forms.get(name)
        if form is None or version > form.version:
            raise NewerData(f"stored event {name} version {version} is not known to this release")
        if version == form.version:
            whole = _opened(payload, form, event_id, keys) if form.personal else payload
            return form.adapter.validate_json(whole)
        fields = from_json(payload)
        if form.personal:
            _open_boxes(fields, form, event_id, keys)
        for step in range(version, form.version):
            fields = self._upcasters[(name, step)](fields)
        return form.adapter.validate_python(fields)

    def boxed_subjects(self, payloads: Iterable[tuple[str, str | bytes]]) -> set[UUID]:
        """Return the subjects whose boxes stored (type, payload) pairs carry, to load their keys at once."""
        found: set[UUID] = set()
        for name, payload in payloads:
            form = self._forms.get(name)
            if form is not None and form.personal:
                found.update(map(_subject, _parted(payload)[1]))
        return found


def _form(kind: type) -> _Form:
    hints = get_type_hints(kind, include_extras=True)
    personal = tuple(
        (name, marker.subject)
        for name, hint in hints.items()
        for marker in getattr(hint, "__metadata__", ())
        if isinstance(marker, Personal)
    )
    for name, subject in personal:
        if subject not in hints:
            raise ValueError(f"{kind.__name__}.{name} names the unknown subject field {subject}")
    return _Form(
        kind=kind,
        adapter=TypeAdapter(kind),
        version=getattr(kind, "SCHEMA_VERSION", 1),
        personal=personal,
        subjects=tuple(dict.fromkeys(subject for _, subject in personal)),
        sealed=",".join(f'"{name}":"{SEALED}"' for name, _ in personal),
        erased=",".join(f'"{name}":"{ERASED}"' for name, _ in personal),
    )


def _seal(subject: str, plain: dict[str, Any], event_id: UUID, keys: Keys) -> str | None:
    key = keys.get(_subject(subject))
    return None if key is None else seal(key, to_json(plain), _context(event_id, subject))


_subject = lru_cache(maxsize=16_384)(UUID)  # parsing an id costs more than finding it again
_BOXES_BEGIN = f',"{BOXES}":'


def _parted(payload: str | bytes) -> tuple[str, dict[str, str | None]]:
    """Part a payload into its open members, without the closing brace, and the boxes behind them.

    `encode` writes the boxes last, and inside a JSON string the quotes of this mark would be escaped.
    """
    text = payload if isinstance(payload, str) else payload.decode()
    members, found, rest = text.rpartition(_BOXES_BEGIN)
    if found:
        return members, from_json(rest[:-1])
    if f'"{BOXES}"' not in text:
        return text[:-1], {}
    fields = from_json(text)  # written by another hand, with blanks
    boxes = fields.pop(BOXES)
    return to_json(fields).decode()[:-1], boxes


def _opened(payload: str | bytes, form: _Form, event_id: UUID, keys: Keys | None) -> str:
    """Return the payload's JSON with what its boxes hold in the open, without parsing the rest of it.

    Of members given twice the last one counts: a personal field stands first as sealed or erased, then as a
    box held it, then as it always stood in the open.
    """
    members, boxes = _parted(payload)
    if not boxes:
        return members + "}"
    parts = [form.sealed if keys is None else form.erased]
    for subject, box in boxes.items():
        plain = _unsealed(subject, box, event_id, keys)
        if plain is not None:
            parts.append(plain[1:-1].decode())
    return "{" + ",".join([*parts, members[1:]]) + "}"


def _unsealed(subject: str, box: str | None, event_id: UUID, keys: Keys | None) -> bytes | None:
    key = keys.get(_subject(subject)) if keys is not None else None
    return unseal(key, box, _context(event_id, subject)) if key is not None and box is not None else None


def _open_boxes(fields: dict[str, Any], form: _Form, event_id: UUID, keys: Keys | None) -> None:
    """Do the same to the parsed fields of an older version, for its upcasters."""
    boxes = fields.pop(BOXES, {})
    for subject, box in boxes.items():
        plain = _unsealed(subject, box, event_id, keys)
        if plain is not None:
            fields.update(from_json(plain))
    for name, subject_field in form.personal:
        if name not in fields and fields.get(subject_field) in boxes:
            fields[name] = SEALED if keys is None else ERASED


def _context(event_id: UUID, subject: str) -> bytes:
    return event_id.bytes + subject.encode()
