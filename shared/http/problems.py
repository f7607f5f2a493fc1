"""Every error as an RFC 9457 problem with a stable code, a remedy and a page about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared.eventsourcing.command_handler import Forbidden
from shared.eventsourcing.decider import Rejected
from shared.eventsourcing.log import KeyReused, NewerData, OutcomeUnknown, StaleVersion, StoreFork
from shared.http.validation import Fault, faults
from shared.runtime.database import unavailable

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the registry of problem codes; the page about a code is made of it."""

    code: str
    status: int
    title: str
    remedy: str
    retry_after: int | None = None


KINDS: Mapping[str, Kind] = {
    row["code"]: Kind(**row)
    for row in json.loads((Path(__file__).parent / "assets" / "problems.json").read_text(encoding="utf-8"))
}
_BY_STATUS = {kind.status: kind.code for kind in reversed(tuple(KINDS.values()))} | {503: "unavailable"}
_BY_TYPE: Mapping[type[Exception], str] = {
    StaleVersion: "stale-version",
    KeyReused: "key-reused",
    OutcomeUnknown: "outcome-unknown",
    NewerData: "newer-data",
    StoreFork: "store-fork",
    Forbidden: "forbidden",
    asyncpg.QueryCanceledError: "timeout",
    asyncpg.LockNotAvailableError: "timeout",
}
_SILENT = frozenset({OutcomeUnknown, NewerData, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError})
"""Errors whose own text speaks to operators; callers read the registry's title instead."""


class Problem(Exception):
    """An error that knows its answer. `code` is a key of `KINDS`."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        remedy: str = "",
        errors: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        kind: Kind | None = None,
    ) -> None:
        self.kind = kind or KINDS[code]
        self.detail = detail or self.kind.title + "."
        super().__init__(self.detail)
        self.remedy = remedy or self.kind.remedy
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        if self.kind.retry_after is not None:
            self.headers.setdefault("Retry-After", str(self.kind.retry_after))

    def answer(self, *, root: str, path: str, trace_id: str) -> Response:
        """Return the response; `root` is the service's prefix, under which the page about `type` stands."""
        content: dict[str, object] = {
            "type": f"{root}/problems/{self.kind.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "instance": path,
            "code": self.kind.code,
            "remedy": self.remedy,
            "trace_id": trace_id,
        }
        if self.errors:
            content["errors"] = [fault.as_json() for fault in self.errors]
        return Response(json.dumps(content), self.kind.status, self.headers, MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """Return the problem that answers for any error; what nobody foresaw becomes `internal-error`."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Rejected):
        return _rejected(error)
    if isinstance(error, RequestValidationError):
        return invalid(faults(error.errors()))
    if isinstance(error, HTTPException):
        code = _BY_STATUS.get(error.status_code, "refused")
        return Problem(code, _sentence(error), headers=error.headers)
    for kind, code in _BY_TYPE.items():
        if isinstance(error, kind):
            return Problem(code, "" if kind in _SILENT else str(error))
    return Problem("database-away" if unavailable(error) else "internal-error")


def invalid(found: Sequence[Fault]) -> Problem:
    """Return the problem for input that does not have the shape asked for."""
    if any(fault.code == "json_invalid" for fault in found):
        return Problem("malformed-json", found[0].detail)
    count = len(found)
    return Problem("invalid", f"{count} {'field is' if count == 1 else 'fields are'} wrong.", errors=found)


def kinds() -> Iterator[Kind]:
    """List every code that an answer may carry: the registry's and those of the loaded deciders."""
    yield from KINDS.values()
    known = set(KINDS)
    for refusal in _subclasses(Rejected):
        kind = _kind_of(refusal)
        if kind.code not in known:
            known.add(kind.code)
            yield kind


def _rejected(error: Rejected) -> Problem:
    kind = KINDS.get(error.code) or _kind_of(type(error))
    about = [Fault(pointer=error.field, code=error.code, detail=error.detail, remedy=error.remedy)]
    return Problem(
        kind.code, error.detail, remedy=error.remedy, errors=about if error.field else (), kind=kind
    )


def _kind_of(refusal: type[Rejected]) -> Kind:
    code = refusal.__new__(refusal).code
    sentence = " ".join((refusal.__doc__ or "").split()).partition(". ")[0].rstrip(".")
    title = sentence or code.replace("-", " ").capitalize()
    return Kind(code, refusal.status, title, KINDS[_BY_STATUS.get(refusal.status, "refused")].remedy)


def _subclasses(of: type[Rejected]) -> Iterator[type[Rejected]]:
    for refusal in of.__subclasses__():
        yield refusal
        yield from _subclasses(refusal)


def _sentence(error: HTTPException) -> str:
    default = {404: "There is nothing at this address.", 405: "This address does not take this method."}
    return default.get(error.status_code, str(error.detail))
