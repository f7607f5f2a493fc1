"""All four services in one process, as `plumbline up` runs them, in a folder of the benchmark's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.servers import Process, running, wait_until_answered
from shared.http.issuer import Issuer
from shared.runtime.clock import SystemClock
from tests.support.processes import free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A running Plumbline: its process, seconds from its start to its first answer, its folder."""

    process: Process
    seconds: float
    folder: Path

    def issuer(self) -> Issuer:
        """Return the issuer whose tokens it takes."""
        return Issuer.open(self.folder / "issuer.json", clock=SystemClock())

    def owner_url(self, service: str) -> str:
        """Return the owner's URL of a service's database."""
        known = json.loads((self.folder / "databases.json").read_text())
        return str(known[service]["owner_url"])


@contextmanager
def plumbline_up(folder: Path, *options: str, **settings: str) -> Iterator[Local]:
    """Run `plumbline up` until the end, from its first answered request."""
    port = free_port()
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "PLUMBLINE_LOCAL_FOLDER": str(folder),
        "PLUMBLINE_LOCAL_PORT": str(port),
        **settings,
    }
    began = time.perf_counter()
    command = [sys.executable, "-m", "services", "up", *options]
    with running(command, environment, folder.parent / "up.log") as child:
        _wait_for_token(child, folder / "token", folder.parent / "up.log")
        token = (folder / "token").read_text().strip()
        address = f"http://127.0.0.1:{port}/intake/v1/requests"
        wait_until_answered(child, address, {"Authorization": f"Bearer {token}"})
        seconds = time.perf_counter() - began
        process = Process(port=port, management_port=port + 1, pid=child.pid)
        yield Local(process=process, seconds=seconds, folder=folder)


def _wait_for_token(child: subprocess.Popen[bytes], token: Path, log: Path) -> None:
    while not token.is_file():
        if child.poll() is not None:
            raise RuntimeError(f"plumbline up has ended:\n{log.read_text()[-2000:]}")
        time.sleep(0.02)
