"""What benchmarks measure: durable PostgreSQL and services as they are deployed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from shared.http.issuer import Issuer
from shared.runtime.clock import SystemClock
from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.provisioning import ServiceDatabases, provision
from tests.support.processes import free_port
from tests.support.real import temporary_server

ROOT = Path(__file__).resolve().parents[1]
_READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A server process of ours."""

    port: int
    management_port: int
    pid: int

    def resident_mib(self) -> float:
        """Return the resident memory in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used."""
        return sum(_times(_stat(self.pid))[:2])


class Bench:
    """One run's PostgreSQL (durable: as the launcher starts it), its databases, its issuer of tokens."""

    def __init__(self, postgres: EmbeddedPostgres, folder: Path) -> None:
        self.postgres = postgres
        self.folder = folder
        self.issuer = Issuer.open(folder / "issuer.json", clock=SystemClock())

    def token(self, name: str, *roles: str) -> str:
        return self.issuer.mint(name, roles or ("administrator",), timedelta(hours=8))

    def postgres_cpu_seconds(self) -> float:
        """Return the processor time of the server and its backends, those that have ended included."""
        total = sum(_times(_stat(self.postgres.pid)))
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = _stat(int(folder.name))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended since
            if int(fields[1]) == self.postgres.pid:
                total += sum(_times(fields)[:2])
        return total

    def databases(self, service: str) -> ServiceDatabases:
        """Create the service's databases once, migrated by its own command."""
        found = asyncio.run(provision(self.postgres.url(), [service], self.postgres.password))[service]
        subprocess.run(
            [sys.executable, "-m", f"services.{service}", "migrate"],
            env=self._environment(found, {"PLUMBLINE_LOG_LEVEL": "warning"}),
            cwd=ROOT,
            check=True,
        )
        return found

    @contextmanager
    def process(
        self, service: str, role: str, databases: ServiceDatabases, **settings: str
    ) -> Iterator[Process]:
        """Run `python -m services.<service> <role>` until the end, from the moment it is ready."""
        port, management_port = free_port(), free_port()
        environment = self._environment(
            databases,
            {
                "PLUMBLINE_HOST": "127.0.0.1",
                "PLUMBLINE_PORT": str(port),
                "PLUMBLINE_MANAGEMENT_PORT": str(management_port),
                **settings,
            },
        )
        command = [sys.executable, "-m", f"services.{service}", role]
        with running(command, environment, self.folder / f"{service}-{role}.log") as child:
            wait_until_answered(child, f"http://127.0.0.1:{management_port}/readyz")
            yield Process(port=port, management_port=management_port, pid=child.pid)

    def _environment(self, databases: ServiceDatabases, more: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "DATABASE_URL": databases.url,
            "KEYS_DATABASE_URL": databases.keys_url,
            "PLUMBLINE_MIGRATION_DATABASE_URL": databases.owner_url,
            "PLUMBLINE_KEYS_MIGRATION_DATABASE_URL": databases.keys_owner_url,
            "PLUMBLINE_JWKS": self.issuer.jwks(),
            # One caller stands for many here; its requests are counted all the same.
            "PLUMBLINE_REQUESTS_PER_SECOND": "1000000",
            **more,
        }


@contextmanager
def bench() -> Iterator[Bench]:
    """Start a PostgreSQL of one's own, with every commit flushed, and remove it at the end."""
    with (
        temporary_server(settings={"max_wal_size": "4GB"}) as postgres,
        tempfile.TemporaryDirectory() as name,
    ):
        folder = Path(name)
        folder.chmod(0o711)  # a server below it may run as another user
        yield Bench(postgres, folder)


@contextmanager
def running(
    command: list[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the end; what it says goes to `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(command, env=dict(environment), cwd=ROOT, stdout=output, stderr=output)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def wait_until_answered(
    child: subprocess.Popen[bytes], url: str, headers: Mapping[str, str] | None = None
) -> None:
    """Return once the address answers 200; raises when the process has ended or takes too long."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and child.poll() is None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers or {})), timeout=2):  # noqa: S310
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise RuntimeError(f"{url} did not answer in {_READY_SECONDS:g} s")


def _stat(pid: int) -> list[str]:
    """Return what /proc says of a process, from its state on; the parent's id is next."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _times(fields: list[str]) -> list[float]:
    """Return seconds of processor time: own in user and kernel mode, then that of children that ended."""
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:15]]
