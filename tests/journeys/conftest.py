"""What journeys need: `plumbline up` in a process, with a folder and ports of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any

import pytest

from services.command_line.access import Access
from services.command_line.demo import access_of
from services.command_line.installation import FOLDER_VARIABLE, PORT_VARIABLE, Installation
from tests.support.processes import Process, clean_environment, finished, free_port


@dataclass
class Launched:
    """Everything on one machine, as `make up` starts it."""

    folder: Path
    environment: dict[str, str]
    process: Process

    @property
    def installation(self) -> Installation:
        return Installation(self.folder)

    @property
    def url(self) -> str:
        return self.installation.running().url

    def access(self) -> Access:
        """Return the first administrator's way in."""
        return Access.at(self.url, self.installation.first_token()[0])

    def access_of(self, name: str) -> Access:
        """Return a player's way in."""
        return access_of(self.url, self.installation.issuer())(name)

    async def get(self, service: str, path: str, **query: Any) -> Any:
        async with self.access() as access:
            return await access.get(service, path, **query)

    async def start(self) -> None:
        """Start and wait until it is ready."""
        self.process.start()
        await self.process.ready()

    async def stop(self, how: Signals) -> int:
        """Send a signal and return the exit status."""
        return await self.process.end(how)

    async def plumbline(self, *arguments: str, status: int | None = 0, seconds: float = 600) -> str:
        """Run the `plumbline` command against it."""
        return await finished(
            "-m", "services", *arguments, environment=self.environment, status=status, seconds=seconds
        )

    def servers(self) -> list[int]:
        """Return the process ids of PostgreSQL servers that run on its folder."""
        wanted = str(self.folder / "postgres" / "data").encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if wanted in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found


@pytest.fixture(scope="module")
async def launched() -> AsyncIterator[Launched]:
    """Everything on one machine, running and ready at the begin of every test."""
    parent = Path(tempfile.mkdtemp(prefix="plumbline-test-up-"))
    os.chmod(parent, 0o711)  # noqa: PTH101, S103  PostgreSQL may run as another user
    folder = parent / "local"
    port = _two_free_ports()
    environment = {
        **clean_environment(),
        FOLDER_VARIABLE: str(folder),
        PORT_VARIABLE: str(port),
        "COLUMNS": "200",
    }
    arguments = ["-m", "services", "up", "--no-sample"]
    process = Process("plumbline up", arguments, environment, parent / "up.log", port + 1)
    launched = Launched(folder, environment, process)
    try:
        await launched.start()
        yield launched
    finally:
        await launched.stop(Signals.SIGINT)
        shutil.rmtree(parent, ignore_errors=True)


def _two_free_ports() -> int:
    """Return a free port whose successor is free too: management listens there."""
    while True:
        port = free_port()
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port + 1))
            return port
