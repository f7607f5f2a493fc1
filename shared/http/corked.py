"""uvicorn's protocol with an answer's head and body in one write: half the system calls."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


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
    """The protocol that uvicorn is told to speak on every connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the cork between uvicorn and the socket."""
        super().connection_made(cast("asyncio.Transport", CorkedTransport(transport, self.loop)))
