"""Stored bytes to events and back: type names, versions, upcasters, sealed fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_type_hints
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from shared.eventsourcing.decider import Personal
from shared.eventsourcing.encryption import Keys, seal
from shared.eventsourcing.log import NewerData
from shared.eventsourcing.unsealing import (
    BOXES,
    NO_BOXES,
    Ciphers,
    Parted,
    context,
    opened,
    parted,
    unsealed,
)

SEALED = "[sealed]"
ERASED = "[erased]"
_BOXES = BOXES.encode()

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


class Encoded(NamedTuple):
    """An event as it is stored. `payload` is JSON text, kept byte for byte because it is hashed."""

    type: str
    schema_version: int
    payload: str


@dataclass(frozen=True, slots=True)
class _Form:
    kind: type
    adapter: TypeAdapter[Any]
    read: Callable[[str], Any]
    write: Callable[..., bytes]
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
        self._boxed = {name for name, form in self._forms.items() if form.personal}
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
        names = self._forms[type(event).__name__].subjects
        return {subject for name in names if (subject := getattr(event, name)) is not None}

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
            payload = form.write(event)
        else:
            plain: dict[UUID, dict[str, Any]] = {}
            personal = {name for name, _ in form.personal if getattr(event, name) is not None}
            for name, subject_field in form.personal:
                if name in personal:
                    plain.setdefault(getattr(event, subject_field), {})[name] = getattr(event, name)
            boxes = {str(of): _seal(of, fields, event_id, keys) for of, fields in plain.items()}
            # Behind the open members, of which every event has one: `parted` looks for the boxes there.
            payload = b'%b,"%b":%b}' % (form.write(event, exclude=personal)[:-1], _BOXES, to_json(boxes))
        return Encoded(type=form.kind.__name__, schema_version=form.version, payload=payload.decode())

    def decode(self, name: str, version: int, payload: str | bytes, event_id: UUID, keys: Keys | None) -> Any:
        """Return the event; without `keys` personal fields read "[sealed]", erased ones "[erased]".

        Raises `NewerData` for a type or version that only a later release knows.
        """
        text = payload if isinstance(payload, str) else payload.decode()
        parts = self.part(name, text, sealed=keys is None)
        ciphers = None
        if keys is not None:
            ciphers = Ciphers()
            ciphers.add(keys, parts[1])
        return self.joined(name, version, parts, event_id, ciphers)

    def part(self, name: str, payload: str, *, sealed: bool) -> Parted:
        """Part a stored payload into open members and boxes, to learn whose keys `joined` will need."""
        return parted(payload, sealed=sealed) if name in self._boxed else (payload, NO_BOXES)

    def joined(
        self, name: str, version: int, payload: Parted, event_id: UUID, ciphers: Ciphers | None
    ) -> Any:
        """Return the event of a parted payload, as `decode` does; without `ciphers` boxes stay sealed."""
        form = self._forms.get(name)
        if form is None or version > form.version:
            raise NewerData(f"stored event {name} version {version} is not known to this release")
        members, boxes = payload
        if version < form.version:
            return form.adapter.validate_python(self._upcast(form, version, payload, event_id, ciphers))
        if not boxes:
            return form.read(members)
        if ciphers is None:
            return form.read(f"{{{form.sealed},{members[1:]}}}")
        return form.read(unsealed(payload, event_id, ciphers, form.erased))

    def _upcast(
        self, form: _Form, version: int, payload: Parted, event_id: UUID, ciphers: Ciphers | None
    ) -> dict[str, Any]:
        """Return an older version's fields as this version has them; its upcasters see personal fields."""
        members, boxes = payload
        fields: dict[str, Any] = from_json(members + "}" if boxes else members)
        for subject, box in boxes.items():
            cipher = None if ciphers is None else ciphers[subject]
            plain = opened(box, cipher, event_id, subject)
            if plain is not None:
                fields.update(from_json(plain))
        for name, subject_field in form.personal:
            if name not in fields and fields.get(subject_field) in boxes:
                fields[name] = SEALED if ciphers is None else ERASED
        for step in range(version, form.version):
            fields = self._upcasters[(form.kind.__name__, step)](fields)
        return fields


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
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    return _Form(
        kind=kind,
        adapter=adapter,
        read=adapter.validator.validate_json,
        write=adapter.serializer.to_json,
        version=getattr(kind, "SCHEMA_VERSION", 1),
        personal=personal,
        subjects=tuple(dict.fromkeys(subject for _, subject in personal)),
        sealed=",".join(f'"{name}":"{SEALED}"' for name, _ in personal),
        erased=",".join(f'"{name}":"{ERASED}"' for name, _ in personal),
    )


def _seal(subject: UUID | None, plain: dict[str, Any], event_id: UUID, keys: Keys) -> str | None:
    if subject is None:
        raise ValueError(f"{', '.join(plain)}: personal data of nobody")
    key = keys.get(subject)
    return None if key is None else seal(key, to_json(plain), context(event_id, str(subject)))
