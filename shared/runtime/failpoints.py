"""Named places where a test can kill the process; in production they do nothing."""

from __future__ import annotations

import os

VARIABLE = "PLUMBLINE_TEST_FAILPOINT"
EXIT_CODE = 137  # what a shell reports for SIGKILL: no clean-up, no flush, no goodbye


def _armed(wish: str) -> tuple[str, int]:
    """Read `name:n` (n counts from 1 and is 1 when left out)."""
    name, _, hit = wish.partition(":")
    return name, int(hit or 1)


_NAME, _LEFT = _armed(os.environ.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """Die here, as by SIGKILL, at the n-th hit that `PLUMBLINE_TEST_FAILPOINT=name:n` asks for."""
    global _LEFT  # noqa: PLW0603  # one process, one counter
    if name == _NAME:
        _LEFT -= 1
        if _LEFT == 0:
            os._exit(EXIT_CODE)
