"""The kernel's own tables and functions: frozen SQL for every service's first migration."""

from __future__ import annotations

import re
from pathlib import Path

DDL = Path(__file__).with_name("ddl")


def kernel_sql(version: int, *, app_role: str) -> str:
    """Return the log's DDL of that kernel version, granting the service's app role what it may do."""
    return _sql(f"kernel_v{version}", app_role)


def work_sql(version: int, *, app_role: str) -> str:
    """Return the DDL of leases, checkpoints and parked messages."""
    return _sql(f"work_v{version}", app_role)


def keys_sql(version: int, *, app_role: str) -> str:
    """Return the DDL of the separate database that holds the data subjects' keys."""
    return _sql(f"keys_v{version}", app_role)


def _sql(name: str, app_role: str) -> str:
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", app_role):
        raise ValueError(f"{app_role!r} is not a plain role name")
    return (DDL / f"{name}.sql").read_text(encoding="utf-8").replace("{app}", app_role)
