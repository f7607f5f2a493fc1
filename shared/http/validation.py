"""Reads bodies into models; says what is wrong with a field and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

_SHOWN = 50
_LONGEST_NAME = 100
_PLACES = frozenset({"body", "query", "path", "header", "cookie"})
_REMEDIES: Mapping[str, str] = {
    "missing": "Add this field.",
    "extra_forbidden": "Remove this field: nothing of this name exists here.",
    "string_too_long": "Use at most {max_length} characters.",
    "string_too_short": "Use at least {min_length} characters.",
    "string_type": "Send a string.",
    "literal_error": "Use one of: {expected}.",
    "enum": "Use one of: {expected}.",
    "uuid_parsing": "Send a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057.",
    "uuid_type": "Send a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057.",
    "bool_parsing": "Send true or false.",
    "int_parsing": "Send a whole number.",
    "int_type": "Send a whole number.",
    "decimal_parsing": 'Send a decimal as a string, such as "12.50".',
    "greater_than": "Send more than {gt}.",
    "greater_than_equal": "Send {ge} or more.",
    "less_than": "Send less than {lt}.",
    "less_than_equal": "Send {le} or less.",
    "too_long": "Send at most {max_length} items.",
    "too_short": "Send at least {min_length} items.",
    "timezone_aware": "Add the offset or Z: 2026-01-31T09:00:00Z.",
    "string_pattern_mismatch": "Match the pattern {pattern}.",
    "model_attributes_type": "Send a JSON object.",
    "model_type": "Send a JSON object.",
}
_TIME = "Send an RFC 3339 date and time such as 2026-01-31T09:00:00Z."


class Body(BaseModel):
    """Base of every request body: immutable, no unknown fields, no NaN, no blanks around a text."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True)


BodyT = TypeVar("BodyT", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One wrong field: its JSON pointer (RFC 6901) within `place`, what is wrong, what would be right."""

    pointer: str
    code: str
    detail: str
    remedy: str = ""
    place: str = "body"

    def as_json(self) -> dict[str, str]:
        return {
            "in": self.place,
            "pointer": self.pointer,
            "code": self.code,
            "detail": self.detail,
            "remedy": self.remedy or "Correct this value.",
        }


def faults(errors: Iterable[Mapping[str, Any]]) -> list[Fault]:
    """Translate pydantic's error list; at most 50 are told, and never the value that was sent."""
    return [_fault(error) for error, _ in zip(errors, range(_SHOWN), strict=False)]


def _fault(error: Mapping[str, Any]) -> Fault:
    where: Sequence[str | int] = error["loc"]
    place, inside = (str(where[0]), where[1:]) if where and where[0] in _PLACES else ("body", where)
    kind = str(error["type"])
    if kind == "json_invalid":
        inside = ()
    return Fault(
        place=place,
        pointer=pointer(inside),
        code=kind,
        detail=f"{error['msg']}.",
        remedy=_remedy(kind, error),
    )


def _remedy(kind: str, error: Mapping[str, Any]) -> str:
    pattern = _TIME if kind.startswith("datetime_") else _REMEDIES.get(kind, "")
    try:
        return pattern.format(**error.get("ctx", {}))
    except (KeyError, IndexError):
        return ""


def pointer(parts: Iterable[str | int]) -> str:
    """Return `/items/0/name` for ("items", 0, "name")."""
    return "".join("/" + str(part)[:_LONGEST_NAME].replace("~", "~0").replace("/", "~1") for part in parts)
