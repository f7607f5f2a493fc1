"""Structured logs: JSON on stdout, lines on a terminal, a correlation id on each."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping, Sequence
from contextvars import ContextVar
from typing import Any

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor

_NEVER = frozenset({"payload", "body", "token", "password", "authorization", "secret"})
_CHATTY = {"aiokafka": "WARNING", "httpx": "WARNING", "httpcore": "WARNING", "uvicorn.access": "WARNING"}

# A variable of our own: structlog's way to bind one takes ten times as long, on every request.
_CORRELATION: ContextVar[str] = ContextVar("correlation_id", default="")
_TRACEBACK = ExceptionDictTransformer(show_locals=False)  # local values may be personal data

_LINES: Sequence[Processor] = (
    structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
)
_JSON: Sequence[Processor] = (
    structlog.processors.ExceptionRenderer(_TRACEBACK),
    structlog.processors.JSONRenderer(),
)


def configure(*, service: str, level: str = "info", style: str = "auto") -> None:
    """Send this process's logs, the standard library's included, to stdout.

    `style` is `json`, `console` or `auto`: console when stdout is a terminal.
    """
    shared: list[Processor] = [
        _correlated,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        _drop_what_must_not_be_logged,
    ]
    console = style == "console" or (style == "auto" and sys.stdout.isatty())
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _Named(service),
                *(_LINES if console else _JSON),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, quiet in _CHATTY.items():
        logging.getLogger(name).setLevel(quiet)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def converse(correlation_id: str) -> None:
    """Put the correlation id on every line that this task logs from now on, and the tasks that it starts."""
    _CORRELATION.set(correlation_id)


def correlation_id() -> str:
    """Return the id of the conversation that the current task belongs to, or an empty string."""
    return _CORRELATION.get()


def _correlated(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if conversation := _CORRELATION.get():
        event.setdefault("correlation_id", conversation)
    return event


class _Named:
    """Writes the service's name on every line that does not carry one already."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", self._service)
        return event


def _drop_what_must_not_be_logged(
    _: Any, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in _NEVER.intersection(event):
        event[key] = "[not logged]"
    return event
