"""A load generator that costs little: blocking-free sockets, one epoll loop, ready-made bytes."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.figures import percentile

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_STALLED_SECONDS = 15.0


class WrongAnswer(Exception):
    """An answer that is not what the benchmark counts: the run is worth nothing."""


@dataclass(slots=True)
class Load:
    """What a run sent. `seconds` are those of the measured part, `cpu` the generator's own in it."""

    seconds: float
    cpu: float = 0.0
    answered: int = 0  # all, the ones after the end of the measured part included
    milliseconds: list[float] = field(default_factory=list)  # of the answers inside it

    @property
    def rate(self) -> float:
        return len(self.milliseconds) / self.seconds

    @property
    def p50(self) -> float:
        return percentile(self.milliseconds, 0.50)

    @property
    def p99(self) -> float:
        return percentile(self.milliseconds, 0.99)


class _Connection:
    __slots__ = ("begun", "got", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.got = b""
        self.begun = 0.0

    def send(self, request: bytes) -> None:
        self.begun = time.perf_counter()
        self.socket.sendall(request)

    def answer(self, status: bytes) -> bool:
        """Take what has arrived; tell whether that completes the answer, which must have the status."""
        self.got = self.got + self.socket.recv(65_536) if self.got else self.socket.recv(65_536)
        head, found, body = self.got.partition(_HEAD_END)
        if not found:
            if not self.got:
                raise WrongAnswer("the server closed the connection")
            return False
        begin = head.find(_LENGTH) + len(_LENGTH)
        end = head.find(b"\r", begin)
        if len(body) < int(head[begin : end if end > 0 else None]):
            return False
        if self.got[9:12] != status:
            raise WrongAnswer(self.got[:1000].decode(errors="replace"))
        self.got = b""
        return True


def drive(port: int, requests: Iterator[bytes], *, clients: int, seconds: float, status: int = 201) -> Load:
    """Send from so many keep-alive connections, each its next request once it has its answer.

    Requests under way at the end are waited for, so that what was answered can be counted in the database.
    Raises `WrongAnswer` for any other status.
    """
    wanted = str(status).encode()
    connections = {each.socket.fileno(): each for each in (_Connection(port) for _ in range(clients))}
    poll = select.epoll()
    for number in connections:
        poll.register(number, select.EPOLLIN)
    load = Load(seconds)
    began, cpu = time.perf_counter(), time.process_time()
    ends = began + seconds
    waiting = 0
    for each in connections.values():
        each.send(next(requests))
        waiting += 1
    while waiting:
        ready = poll.poll(_STALLED_SECONDS)
        if not ready:
            raise WrongAnswer(f"{waiting} requests were not answered in {_STALLED_SECONDS:g} s")
        for number, _ in ready:
            each = connections[number]
            if not each.answer(wanted):
                continue
            now = time.perf_counter()
            load.answered += 1
            if now < ends:
                load.milliseconds.append((now - each.begun) * 1000)
                following = next(requests, None)
                if following is not None:
                    each.send(following)
                    continue
            waiting -= 1
    load.cpu = time.process_time() - cpu
    load.seconds = min(seconds, time.perf_counter() - began)
    poll.close()
    for each in connections.values():
        each.socket.close()
    return load
