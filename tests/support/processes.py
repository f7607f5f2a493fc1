"""Real processes: started, supervised, killed, ended, and asked whether they are ready."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

import httpx

from shared.runtime.failpoints import VARIABLE as FAILPOINT

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 90.0  # the machine may be shared: a test that is right never waits so long
_POLL_SECONDS = 0.02
_TAIL_CHARACTERS = 4000
_ANY = random.SystemRandom()  # the seed is the tests', and the same in all their processes


async def until(
    condition: Callable[[], Awaitable[bool]],
    why: str | Callable[[], str],
    seconds: float = PATIENCE_SECONDS,
    *,
    every: float = _POLL_SECONDS,
) -> None:
    """Wait for something to become true, looking every so many seconds, or fail with `why`."""
    deadline = now() + seconds
    while not await condition():
        assert now() < deadline, why if isinstance(why, str) else why()
        await asyncio.sleep(every)


def now() -> float:
    """Return monotonic seconds."""
    return asyncio.get_running_loop().time()


def free_ports(count: int) -> list[int]:
    """Return ports that were free just now, from below those that the kernel lends to outgoing connections.

    One of those could take the port of a server while that starts anew.
    """
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        while len(found) < count:
            probe, port = stack.enter_context(socket.socket()), _ANY.choice(range(10_000, 32_000))
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
    return found


def free_port() -> int:
    """Return one such port."""
    [port] = free_ports(1)
    return port


def clean_environment() -> dict[str, str]:
    """Return what this process was started with, without any of its settings of Plumbline and Kafka."""
    ours = ("PLUMBLINE_", "KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "KEYS_DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


async def finished(
    *arguments: str, environment: Mapping[str, str], status: int | None = 0, seconds: float = PATIENCE_SECONDS
) -> str:
    """Run `python ...` to its end and return what it said; another exit status fails the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, env=dict(environment),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), seconds)
    text = said.decode(errors="replace")
    assert status is None or process.returncode == status, f"{arguments}: {process.returncode}\n{text}"
    return text


@dataclass
class Process:
    """One process. Under `supervised` what ends is started again, as Kubernetes does it.

    `armed` holds the failpoint of the next start only; `deaths` the exit statuses of those that ended
    without being asked to.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    management_port: int = 0
    armed: str = ""
    deaths: list[int] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _supervisor: asyncio.Task[None] | None = None

    def start(self) -> Process:
        """Start it, with the armed failpoint if there is one."""
        armed, self.armed = self.armed, ""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, *self.arguments], cwd=ROOT,
                env={**self.environment, **({FAILPOINT: armed} if armed else {})},
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        return self

    def supervised(self) -> Process:
        """Start it, and again whenever it ends."""
        self.start()
        self._supervisor = asyncio.create_task(self._supervise(), name=f"supervisor of {self.name}")
        return self

    async def _supervise(self) -> None:
        while True:
            if (status := self.status) is not None:
                self.deaths.append(status)
                self.start()
            await asyncio.sleep(_POLL_SECONDS)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> int | None:
        """How it ended; None while it runs. A signal counts negative."""
        assert self._process is not None
        return self._process.poll()

    def send(self, what: Signals) -> None:
        """Send a signal to it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, what)

    async def kill(self, armed: str = "") -> None:
        """Kill it as a power cut would and return once its supervisor has started it again."""
        count = len(self.deaths)
        self.armed = armed
        self.send(Signals.SIGKILL)
        await self.has_died(count + 1)

    async def has_died(self, times: int) -> None:
        """Wait until it has died so many times in all."""

        async def died() -> bool:
            return len(self.deaths) >= times

        await until(died, lambda: f"{self.name} has not died {times} times; it said:\n{self.said()}")

    async def end(self, how: Signals = Signals.SIGTERM, seconds: float = PATIENCE_SECONDS) -> int:
        """Ask it to end, wait until it has, and return its exit status."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
            self._supervisor = None
        self.send(how)
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, seconds)

    async def ready(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until it answers that it is ready."""
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:

            async def answers() -> bool:
                try:
                    answer = await client.get(f"http://127.0.0.1:{self.management_port}/readyz")
                except httpx.HTTPError:
                    return False
                return answer.is_success

            await until(answers, lambda: f"{self.name} is not ready; it said:\n{self.said()}", seconds)

    def said(self) -> str:
        """Return the end of what it printed."""
        return self.log.read_text(errors="replace")[-_TAIL_CHARACTERS:] if self.log.exists() else ""
