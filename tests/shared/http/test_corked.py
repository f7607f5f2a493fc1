"""An answer leaves in one write, and nothing that was written is ever left behind."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from shared.http.corked import CorkedTransport


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
