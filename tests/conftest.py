"""What every test can ask for: real PostgreSQL, real Kafka; and who comes first."""

from __future__ import annotations

import pytest

pytest_plugins = ["tests.support.real", "tests.support.kafka"]

_LONGEST_FIRST = ("launched", "kafka_libraries", "kafka", "fresh_databases_everywhere", "fresh_databases")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that start the most: the last file of one worker keeps the others waiting.

    Within each kind the order stays as shuffled. Needs `--no-loadscope-reorder`: by itself xdist hands out
    the files with the fewest tests last, and these are the longest.
    """
    rank: dict[str, int] = {}
    for item in items:
        asked = getattr(item, "fixturenames", ())
        found = next((n for n, name in enumerate(_LONGEST_FIRST) if name in asked), len(_LONGEST_FIRST))
        file = item.nodeid.partition("::")[0]
        rank[file] = min(found, rank.get(file, found))
    items.sort(key=lambda item: rank[item.nodeid.partition("::")[0]])
