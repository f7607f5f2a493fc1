"""`python -m bench [NAME...]`: measure, beside limits of the same run, and print a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from bench.figures import Figure, show
from bench.following import following
from bench.footprint import footprint
from bench.importing import importing
from bench.listing import listing
from bench.rebuilding import rebuilding
from bench.relaying import relaying
from bench.servers import bench
from bench.submitting import submitting
from bench.timing import timing

Measure = Callable[..., list[Figure]]

BENCHMARKS: dict[str, Measure] = {
    "submitting": submitting,
    "importing": importing,
    "relaying": relaying,
    "following": following,
    "rebuilding": rebuilding,
    "listing": listing,
    "timing": timing,
    "footprint": footprint,
}


def main() -> None:
    """Run the named benchmarks, all without a name, each on a PostgreSQL of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}")
    parser.add_argument(
        "--rounds", type=int, default=3, help="interleaved rounds, of which the median counts"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement in a round")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    figures: list[Figure] = []
    for name in chosen.names or BENCHMARKS:
        print(f"{name} ...", flush=True)
        with bench() as own:
            figures += BENCHMARKS[name](own, rounds=chosen.rounds, seconds=chosen.seconds)
    show(figures)


if __name__ == "__main__":
    main()
