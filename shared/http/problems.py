"""Every error as an RFC 9457 problem with a stable code, a remedy and a page about it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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


_SAME_KEY = "Send the same request again with the same Idempotency-Key: it takes effect at most once."

KINDS: Mapping[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind("malformed", 400, "The request cannot be read", "Correct what `detail` names."),
        Kind("malformed-json", 400, "The body is not valid JSON", "Send one JSON document in UTF-8."),
        Kind(
            "nul-character",
            400,
            "The request contains U+0000",
            "Remove the NUL character; no field takes it.",
        ),
        Kind("too-deep", 400, "The JSON is nested too deeply", "Send at most 20 levels of nesting."),
        Kind("bad-cursor", 400, "The cursor is not one of ours", "Begin again without `cursor`."),
        Kind("unauthenticated", 401, "A valid token is needed", "Send `Authorization: Bearer <token>`."),
        Kind(
            "forbidden",
            403,
            "Your roles do not allow this",
            "Ask an administrator for one of the roles named.",
        ),
        Kind("not-found", 404, "There is nothing here", "Check the address and the id."),
        Kind("method-not-allowed", 405, "This method does not exist here", "Use a method named in `Allow`."),
        Kind("conflict", 409, "The present state does not allow this", "Read the record and decide anew."),
        Kind(
            "store-fork",
            409,
            "The log has been restored since",
            "Run `plumbline reconcile`; see the operator guide.",
        ),
        Kind("stale-version", 412, "The record has changed since", "Read it again and use its new ETag."),
        Kind("too-large", 413, "The body is too large", "Send less at once."),
        Kind(
            "media-type", 415, "This content type is not understood", "Send `Content-Type: application/json`."
        ),
        Kind(
            "invalid", 422, "Fields are missing, unknown or wrong", "Correct each field that `errors` names."
        ),
        Kind(
            "key-reused",
            422,
            "The Idempotency-Key was used for another body",
            "Use a new key for a new request.",
        ),
        Kind("refused", 400, "The request is refused", "Correct what `detail` names."),
        Kind(
            "internal-error",
            500,
            "Something is wrong on our side",
            "Tell the operator the `trace_id`; the log has it.",
        ),
        Kind("database-away", 503, "The database does not answer", _SAME_KEY, retry_after=2),
        Kind("timeout", 503, "This took too long and was given up", _SAME_KEY, retry_after=2),
        Kind("outcome-unknown", 503, "The change may or may not have been made", _SAME_KEY, retry_after=2),
        Kind(
            "newer-data",
            503,
            "The log holds data of a newer release",
            "Finish the upgrade, then retry.",
            retry_after=30,
        ),
        Kind(
            "projection-lag",
            503,
            "The view has not caught up yet",
            "Wait, then send the same request.",
            retry_after=1,
        ),
        Kind(
            "overloaded",
            503,
            "Too many requests are waiting",
            "Wait, then send the same request.",
            retry_after=1,
        ),
        Kind(
            "unavailable",
            503,
            "The service cannot answer now",
            "Wait, then send the same request.",
            retry_after=2,
        ),
    )
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
