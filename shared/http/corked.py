"""uvicorn's protocol with head and body in one write, and a short way to write both."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from random import uniform
from typing import Any, ClassVar, cast

from starlette.types import Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle


class CorkedTransport:
    """A transport that joins what is written within one turn of the loop; all else is the transport's own.

    uvloop hands every write to the kernel at once, and uvicorn writes head and body one after the other.
    """

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Hold the first part until the second one or the end of this turn, whichever comes first."""
        if self._held:
            self._held += data
            self._release()
        elif data:
            self._held = data
            self._loop.call_soon(self._release)

    def write_now(self, data: bytes) -> None:
        """Write what needs no second part, behind whatever is held."""
        self._release()
        self._transport.write(data)

    def close(self) -> None:
        """Close once everything is written."""
        self._release()
        self._transport.close()

    def _release(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class CorkedProtocol(HttpToolsProtocol):
    """The protocol that uvicorn is told to speak on every connection.

    A connection older than `OLDEST_SECONDS` ends with its next answer: a client that never closes one would
    stay with the process it first met, and processes added later would get nothing to do.
    """

    OLDEST_SECONDS: ClassVar[float] = 300.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the cork between uvicorn and the socket."""
        super().connection_made(cast("asyncio.Transport", CorkedTransport(transport, self.loop)))
        # Not all at once, if they began at once.
        self._until = self.loop.time() + self.OLDEST_SECONDS * uniform(0.8, 1.0)  # noqa: S311

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self.loop.time() >= self._until:
            cycle.keep_alive = False
        super()._start_asgi_task(cycle, app)


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return header lines, each with its CRLF; nothing in them is checked."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


def write_answer(send: Send, status: int, head: bytes, body: bytes) -> bool:
    """Write a complete answer at once, or say False where it has to go through ASGI's `send` itself.

    `head` are the header lines, each with its CRLF; `Content-Length` is among them and all of it is ours:
    nothing that a client wrote stands in it unchecked. `send` looks for CR and LF in every header again and
    takes four times as long.
    """
    cycle = getattr(send, "__self__", None)
    if not isinstance(cycle, RequestResponseCycle) or not isinstance(cycle.transport, CorkedTransport):
        return False  # another server's, or a test's
    if cycle.disconnected or cycle.response_started or cycle.flow.write_paused or not cycle.keep_alive:
        return False
    cycle.response_started = cycle.response_complete = True
    answer = b"".join((STATUS_LINE[status], lines_of(cycle.default_headers), head, b"\r\n", body))
    cycle.transport.write_now(answer)
    cycle.message_event.set()
    cycle.on_response()
    return True
