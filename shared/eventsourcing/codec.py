"""Stored bytes to events and back: type names, versions, upcasters, sealed fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
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
        if not form.personal and version == form.version:
            return form.adapter.validate_json(payload)
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
                found.update(UUID(subject) for subject in from_json(payload).get(BOXES, {}))
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
    )


def _seal(subject: str, plain: dict[str, Any], event_id: UUID, keys: Keys) -> str | None:
    key = keys.get(UUID(subject))
    return None if key is None else seal(key, to_json(plain), _context(event_id, subject))


def _open_boxes(fields: dict[str, Any], form: _Form, event_id: UUID, keys: Keys | None) -> None:
    boxes = fields.pop(BOXES, {})
    for subject, box in boxes.items():
        key = keys.get(UUID(subject)) if keys is not None else None
        plain = unseal(key, box, _context(event_id, subject)) if key is not None and box is not None else None
        if plain is not None:
            fields.update(from_json(plain))
    for name, subject_field in form.personal:
        if name not in fields and fields.get(subject_field) in boxes:
            fields[name] = SEALED if keys is None else ERASED


def _context(event_id: UUID, subject: str) -> bytes:
    return event_id.bytes + subject.encode()
