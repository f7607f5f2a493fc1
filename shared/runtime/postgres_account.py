"""As whom a PostgreSQL server runs: it refuses root, so root lends it another identity."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Account:
    """How to start a server process: under another user id, behind a prefix, or plainly."""

    uid: int | None = None
    gid: int | None = None
    prefix: tuple[str, ...] = ()

    def popen(self, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start `command` in its own session, so that Ctrl-C does not reach it; its output goes to `log`."""
        return subprocess.Popen(  # noqa: S603
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            umask=0o077,
        )

    def own(self, *paths: Path) -> None:
        """Give the files to the account."""
        if self.uid is not None and self.gid is not None:
            for path in paths:
                os.chown(path, self.uid, self.gid)

    def can_run(self, *command: str) -> bool:
        """Tell whether the account can execute `command` successfully."""
        try:
            with Path(os.devnull).open("ab") as nowhere:
                return self.popen(list(command), nowhere).wait() == 0
        except OSError:
            return False


def account_for(binaries: Path, folder: Path, data: Path) -> Account | None:
    """Choose the account that can run `binaries` on `data` below `folder`; None when there is none.

    As root there are two ways. An unprivileged user, if it can reach binaries and folder and owns the data;
    otherwise a user namespace without a mapping, in which the server sees uid 65534 while the files stay
    root's: needed when the binaries lie below a closed home directory.
    """
    if os.geteuid() != 0:
        return Account()
    postgres = str(binaries / "postgres")
    owner = data.stat().st_uid if data.exists() else None
    if owner != 0:
        other = _unprivileged(owner)
        if other.can_run(postgres, "--version") and other.can_run("/usr/bin/test", "-x", str(folder)):
            return other
    unshare = shutil.which("unshare")
    if owner in (None, 0) and unshare is not None:
        namespace = Account(prefix=(unshare, "--user"))
        if namespace.can_run(postgres, "--version"):
            return namespace
    return None


def _unprivileged(owner: int | None) -> Account:
    """Return the data's owner, else Debian's `postgres`, else `nobody`."""
    try:
        entry = pwd.getpwnam("postgres") if owner is None else pwd.getpwuid(owner)
    except KeyError:
        return Account(uid=owner or _NOBODY, gid=owner or _NOBODY)
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)
