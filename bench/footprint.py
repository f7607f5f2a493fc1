"""What all four services in one process need: memory when idle, seconds to start a second time."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.figures import Figure, middle
from bench.local import plumbline_up
from bench.servers import Bench

_SETTLING_SECONDS = 5.0


def footprint(bench: Bench, *, rounds: int, seconds: float) -> list[Figure]:
    """Start once to create everything, then again and again; a bare interpreter's start stands beside it."""
    del seconds
    folder = bench.folder / "local"
    with plumbline_up(folder):
        time.sleep(_SETTLING_SECONDS)  # the sample is loaded
    starts: list[float] = []
    memory: list[float] = []
    bare: list[float] = []
    for _ in range(rounds):
        with plumbline_up(folder) as local:
            starts.append(local.seconds)
            time.sleep(_SETTLING_SECONDS)
            memory.append(local.process.resident_mib())
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import fastapi, asyncpg, aiokafka, sqlalchemy"], check=True)
        bare.append(time.perf_counter() - began)
    return [
        Figure(what="second start to the first answered request", unit="s", figure=middle(starts),
               limit_name="s allowed", limit=5, bar=1, goal=0.4, at_most=True,
               notes=[f"importing the four largest libraries alone took {middle(bare):.1f} s"]),
        Figure(what="memory of all four services in one process, idle", unit="MiB", figure=middle(memory),
               limit_name="MB allowed", limit=350 * 1e6 / 2**20, bar=1, goal=250 / 350, at_most=True),
    ]  # fmt: skip
