"""A private PostgreSQL cluster below a folder, for a machine that was given no database."""

from __future__ import annotations

import fcntl
import hmac
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from shared.runtime.postgres_account import Account, account_for
from shared.runtime.postgres_binaries import Binaries, NoPostgres, find_binaries

SUPERUSER = "plumbline"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.01
_LOG_TAIL = 1500
_LOG_LIMIT = 10_000_000
_READY = "ready"

SERVER_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",  # our statements are short; compiling them costs more than running them
}


class EmbeddedPostgres:
    """A running cluster. It listens on loopback only, asks for a password (SCRAM), outlives Ctrl-C.

    One launcher at a time holds a folder; a server that a killed launcher left behind is adopted.
    Below the folder: `data` (the cluster), `secret` (0600; every role's password follows from it),
    `port`, `log`, `lock`.
    """

    def __init__(self, folder: Path, binaries: Binaries, pid: int, port: int, lock: IO[str]) -> None:
        self.folder, self.binaries, self.pid, self.port = folder, binaries, pid, port
        self._lock = lock
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls,
        folder: Path,
        environment: Mapping[str, str],
        *,
        binaries: Binaries | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> EmbeddedPostgres:
        """Start or adopt the cluster below `folder`, creating it on first use; raises NoPostgres.

        `settings` are server settings beside `SERVER_SETTINGS`, such as `fsync` for tests.
        """
        folder = folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(folder / "lock")
        data = folder / "data"
        created = (data / "PG_VERSION").is_file()
        major = int((data / "PG_VERSION").read_text().strip()) if created else None
        chosen = binaries or find_binaries(environment, major=major)
        adopted = _running(data)
        if adopted is not None:
            return cls(folder, chosen, *adopted, lock)
        account = account_for(chosen.folder, folder, data)
        if account is None:
            raise NoPostgres(
                "PostgreSQL refuses to run as root, and neither an unprivileged user (it must be able to read"
                f" {chosen.folder} and {folder}) nor `unshare -U` is possible here. Start as another user."
            )
        if not created:
            _initialise(chosen, folder, account)
        server = cls(folder, chosen, 0, _free_port(folder / "port"), lock)
        server._launch(account, {**SERVER_SETTINGS, **(settings or {})})
        return server

    def password(self, role: str) -> str:
        """Return the password of a role: an HMAC of its name, so that one secret is kept, not many."""
        return hmac.new(_secret(self.folder), role.encode(), "sha256").hexdigest()

    def url(self, database: str = "postgres", role: str = SUPERUSER) -> str:
        return f"postgresql://{role}:{self.password(role)}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Stop the server (fast shutdown: sessions are cut, all is on disk) and give the folder back."""
        for wish in (signal.SIGINT, signal.SIGQUIT):
            _signal(self.pid, wish)
            if self._gone(_STOP_SECONDS):
                break
        self._lock.close()

    def _gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._child is not None and self._child.poll() is not None:
                return True
            if self._child is None and not _alive(self.pid):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _launch(self, account: Account, settings: Mapping[str, str]) -> None:
        data = self.folder / "data"
        options = [f"-c{name}={value}" for name, value in {**settings, "port": str(self.port)}.items()]
        log_file = self.folder / "log"
        if log_file.is_file() and log_file.stat().st_size > _LOG_LIMIT:
            log_file.replace(self.folder / "log.1")
        with log_file.open("ab") as log:
            self._child = account.popen(
                [str(self.binaries.folder / "postgres"), "-D", str(data), *options], log
            )
        self.pid = self._child.pid
        deadline = time.monotonic() + _START_SECONDS
        while _status(data) != (self.pid, self.port, _READY):
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise NoPostgres(f"PostgreSQL did not start; its log ends:\n{_tail(self.folder / 'log')}")
            time.sleep(_POLL_SECONDS)


def _initialise(binaries: Binaries, folder: Path, account: Account) -> None:
    data, password = folder / "data", folder / "initial-password"
    data.mkdir(mode=0o700, exist_ok=True)
    superuser = hmac.new(_secret(folder), SUPERUSER.encode(), "sha256").hexdigest()
    password.touch(mode=0o600)
    password.write_text(superuser + "\n")
    account.own(data, password)
    builtin = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    command = [str(binaries.folder / "initdb"), "-D", str(data), "-U", SUPERUSER, f"--pwfile={password}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", "--no-sync"]
    command += builtin if binaries.major >= 17 else ["--locale=C.UTF-8"]
    try:
        with (folder / "log").open("ab") as log:
            failed = account.popen(command, log).wait()
    finally:
        password.unlink()
    if failed:
        shutil.rmtree(data)
        raise NoPostgres(f"initdb failed; its log ends:\n{_tail(folder / 'log')}")


def _secret(folder: Path) -> bytes:
    path = folder / "secret"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_hex(32).encode())
        return path.read_bytes()


def _locked(path: Path) -> IO[str]:
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise NoPostgres(f"another process is using {path.parent}") from None
    return lock


def _free_port(remembered: Path) -> int:
    """Return the port of last time if it is still free, else any free one, and remember it."""
    last = int(remembered.read_text()) if remembered.is_file() else 0
    for wanted in (last, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            port: int = probe.getsockname()[1]
            remembered.write_text(str(port))
            return port
    raise NoPostgres("no free TCP port on 127.0.0.1")


def _running(data: Path) -> tuple[int, int] | None:
    """Return process id and port of a server that already serves `data`; clears a stale pid file."""
    status = _status(data)
    if status is None:
        return None
    pid, port, _ = status
    if not _alive(pid) or _name(pid) not in ("postgres", None):
        (data / "postmaster.pid").unlink(missing_ok=True)
        return None
    deadline = time.monotonic() + _START_SECONDS
    while _alive(pid) and time.monotonic() < deadline:
        now = _status(data)
        if now is not None and now[2] == _READY:
            return pid, port
        time.sleep(_POLL_SECONDS)
    return None


def _status(data: Path) -> tuple[int, int, str] | None:
    """Read `postmaster.pid`: line 1 is the process, line 4 the port, line 8 the state."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    return (int(lines[0]), int(lines[3]), lines[7].strip()) if len(lines) >= 8 else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _name(pid: int) -> str | None:
    """Return the process's name where /proc tells it."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def _signal(pid: int, wish: signal.Signals) -> None:
    try:
        os.kill(pid, wish)
    except ProcessLookupError:
        return


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_LOG_TAIL:]
