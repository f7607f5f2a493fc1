"""One example of any stored event, made from its type hints alone."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from uuid import UUID

_PLAIN: Mapping[type, Any] = {
    str: "text",
    int: 7,
    bool: True,
    bytes: b"bytes",
    Decimal: Decimal("12.50"),
    UUID: UUID("0197a000-0000-7000-8000-000000000001"),
    datetime: datetime(2026, 3, 2, 12, 30, tzinfo=UTC),
    date: date(2026, 3, 2),
    timedelta: timedelta(minutes=90),
}


def example(hint: Any) -> Any:  # noqa: PLR0911  one line per kind of hint
    """Return a value of that type, the same one every time; optional ones are given."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return example(arguments[0])
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return example(next(each for each in arguments if each is not type(None)))
    if origin is not None and issubclass(origin, Mapping):
        return {example(arguments[0]): example(arguments[1])}
    if origin is not None and issubclass(origin, Sequence):
        return (example(arguments[0]),)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint, include_extras=True)
        return hint(**{each.name: example(hints[each.name]) for each in dataclasses.fields(hint)})
    if hint is Any or hint is object:
        return "anything"
    return _PLAIN[hint]
