"""An answer leaves in one write, and nothing that was written is ever left behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx
import uvicorn

from shared.http.corked import CorkedProtocol, CorkedTransport, write_answer


class Wire:
    """The socket's side: remembers each write and the close."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, sent: bytes) -> None:
        self.sent.append(sent)

    def close(self) -> None:
        self.sent.append(b"<closed>")

    def get_extra_info(self, name: str) -> Any:
        return f"the {name}"


def corked() -> tuple[CorkedTransport, Wire]:
    wire = Wire()
    return CorkedTransport(cast("asyncio.Transport", wire), asyncio.get_running_loop()), wire


async def test_a_head_and_its_body_leave_in_one_write() -> None:
    transport, wire = corked()
    transport.write(b"head ")
    transport.write(b"body")
    assert wire.sent == [b"head body"]


async def test_a_head_without_a_body_leaves_at_the_end_of_the_turn() -> None:
    transport, wire = corked()
    transport.write(b"head of a HEAD answer")
    assert wire.sent == []
    await asyncio.sleep(0)
    assert wire.sent == [b"head of a HEAD answer"]


async def test_a_long_answer_keeps_its_order() -> None:
    transport, wire = corked()
    for part in (b"head ", b"one ", b"two ", b"three"):
        transport.write(part)
    await asyncio.sleep(0)
    assert b"".join(wire.sent) == b"head one two three"


async def test_what_was_written_leaves_before_the_connection_closes() -> None:
    transport, wire = corked()
    transport.write(b"head")
    transport.write(b"")  # the empty body of an answer such as 204
    transport.write(b"last words")
    transport.close()
    assert b"".join(wire.sent) == b"headlast words<closed>"


async def test_everything_else_is_the_transports_own() -> None:
    transport, _ = corked()
    assert transport.get_extra_info("peername") == "the peername"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer at once under /at-once, else through ASGI."""
    head = [(b"content-length", b"2"), (b"x-way", b"asgi")]
    ready = b"content-length: 2\r\nx-way: at once\r\n"
    if scope["path"] == "/at-once" and write_answer(send, 201, ready, b"ok"):
        return
    await send({"type": "http.response.start", "status": 201, "headers": head})
    await send({"type": "http.response.body", "body": b"ok"})


class Brief(CorkedProtocol):
    OLDEST_SECONDS = 0.0


@asynccontextmanager
async def serving(protocol: type[CorkedProtocol]) -> AsyncIterator[httpx.AsyncClient]:
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None, port=0)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve([listener]))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
        yield client
    server.should_exit = True
    await task


async def test_an_answer_written_at_once_is_like_any_other_and_leaves_the_connection_open() -> None:
    async with serving(CorkedProtocol) as client:
        for path, way in (("/at-once", "at once"), ("/", "asgi"), ("/at-once", "at once")):
            answer = await client.post(path, content=b"x" * 1000)
            assert (answer.status_code, answer.text, answer.headers["x-way"]) == (201, "ok", way)
            assert "date" in answer.headers
            assert "connection" not in answer.headers


async def test_an_old_connection_ends_with_its_answer_whichever_way_that_goes() -> None:
    async with serving(Brief) as client:
        for path in ("/at-once", "/", "/at-once"):
            answer = await client.post(path, content=b"x")
            assert (answer.status_code, answer.text) == (201, "ok")
            assert answer.headers["connection"] == "close"
