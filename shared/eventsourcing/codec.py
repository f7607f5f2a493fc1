"""Stored bytes to events and back: type names, versions, upcasters, sealed fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, NamedTuple, get_type_hints
from uuid import UUID

import msgspec

from shared.eventsourcing.decider import Personal
from shared.eventsourcing.encryption import Keys, seal
from shared.eventsourcing.log import NewerData
from shared.eventsourcing.unsealing import BOXES, Ciphers, context, subjects_of, unsealed

SEALED = "[sealed]"
ERASED = "[erased]"


Upcaster = Callable[[dict[str, Any]], dict[str, Any]]


class Encoded(NamedTuple):
    """An event as it is stored. `payload` is JSON text, kept byte for byte because it is hashed."""

    type: str
    schema_version: int
    payload: str


@dataclass(frozen=True, slots=True)
class _Form:
    kind: type
    names: tuple[str, ...]
    values: Callable[[Any], tuple[Any, ...]]  # an event's fields, in the order of the names
    read: Callable[[str], Any]
    version: int
    personal: tuple[tuple[str, str], ...]  # (field, field that holds its subject's id)
    subjects: tuple[str, ...]
    sealed: str  # the personal fields as JSON members, each "[sealed]"
    erased: str


def _plain(value: Any) -> Any:
    """Return what JSON has for a value of a type that msgspec does not know: any mapping is an object."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"events hold no {type(value).__name__}")


_write = msgspec.json.Encoder(enc_hook=_plain).encode


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
        name = type(event).__name__
        form = self._forms[name]
        if not form.personal:
            payload = _write(event)
        else:
            facts = dict(zip(form.names, form.values(event), strict=True))
            plain: dict[UUID, dict[str, Any]] = {}
            for field, subject in form.personal:
                if facts[field] is not None:
                    plain.setdefault(facts[subject], {})[field] = facts.pop(field)
            # Behind all others, where `unsealed` looks for it.
            facts[BOXES] = dict(_box(of, held, event_id, keys) for of, held in plain.items())
            payload = _write(facts)
        return Encoded(name, form.version, payload.decode())

    def decode(self, name: str, version: int, payload: str, event_id: UUID, keys: Keys | None) -> Any:
        """Return the event; without `keys` personal fields read "[sealed]", erased ones "[erased]".

        Raises `NewerData` for a type or version that only a later release knows.
        """
        ciphers = None
        if keys is not None:
            ciphers = Ciphers()
            ciphers.add(keys, self.boxed(name, payload))
        return self.opened(name, version, payload, event_id, ciphers)

    def boxed(self, name: str, payload: str) -> Iterable[str]:
        """Return the people whose keys `opened` will need, as boxes name them."""
        return subjects_of(payload) if name in self._boxed else ()

    def opened(self, name: str, version: int, payload: str, event_id: UUID, ciphers: Ciphers | None) -> Any:
        """Return the event, as `decode` does; without `ciphers` boxes stay sealed."""
        form = self._forms.get(name)
        if form is None or version > form.version:
            raise NewerData(f"stored event {name} version {version} is not known to this release")
        if form.personal:
            payload = unsealed(payload, event_id, ciphers, form.sealed if ciphers is None else form.erased)
        if version == form.version:
            return form.read(payload)
        facts = msgspec.json.decode(payload)
        for step in range(version, form.version):
            facts = self._upcasters[(name, step)](facts)
        return msgspec.convert(facts, form.kind)


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
    names = tuple(field.name for field in fields(kind))
    return _Form(
        kind=kind,
        names=names,
        values=attrgetter(*names) if len(names) > 1 else lambda event: (getattr(event, names[0]),),
        read=msgspec.json.Decoder(kind).decode,
        version=getattr(kind, "SCHEMA_VERSION", 1),
        personal=personal,
        subjects=tuple(dict.fromkeys(subject for _, subject in personal)),
        sealed=",".join(f'"{name}":"{SEALED}"' for name, _ in personal),
        erased=",".join(f'"{name}":"{ERASED}"' for name, _ in personal),
    )


def _box(subject: UUID | None, plain: dict[str, Any], event_id: UUID, keys: Keys) -> tuple[str, str | None]:
    """Return a person's id as text and what is sealed of them, None once they are erased."""
    if subject is None:
        raise ValueError(f"{', '.join(plain)}: personal data of nobody")
    name, key = str(subject), keys.get(subject)
    return name, None if key is None else seal(key, _write(plain), context(event_id, name.encode()))
