"""Ids of people: the same name or address always has the same id."""

from __future__ import annotations

from uuid import UUID, uuid5

_PEOPLE = UUID("6f2b8f0a-54a6-5a0b-8a52-0f0f7f3f8d21")


def person_id(*name: str) -> UUID:
    """Return a person's subject id, derived from a sign-in name, an address or a source and its own id."""
    return uuid5(_PEOPLE, "\x1f".join(part.strip().casefold() for part in name))
