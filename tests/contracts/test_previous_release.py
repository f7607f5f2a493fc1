"""The release before this one reads what this one stores, so the two can run side by side.

The release before is the newest tag `v*` behind this commit; until there is one, this code stands in.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORED = Path("tests/contracts/stored")
# What this release reads and does not write yet, as <service>/<Type>.v<version>: the next one may write it.
READ_BEFORE_WRITTEN: frozenset[str] = frozenset()
UNKNOWN = {
    "intake/RequestFrozen.v1": {"type": "RequestFrozen", "schema_version": 1, "payload": "{}"},
    "intake/RequestClosed.v9": {"type": "RequestClosed", "schema_version": 9, "payload": "{}"},
}
# Runs in the other release's tree, with its code: prints which of the payloads given it cannot read, and why.
READER = """
import json, sys
from uuid import UUID
from services.command_line.services import definitions
codecs = {name: definition.log.codec for name, definition in definitions().items()}
refused = {}
for name, stored in json.load(sys.stdin).items():
    try:
        codecs[name.partition("/")[0]].decode(
            stored["type"], stored["schema_version"], stored["payload"], UUID(int=0), None
        )
    except Exception as error:
        refused[name] = f"{type(error).__name__}: {error}"
print(json.dumps(refused))
"""


def release_before() -> str | None:
    found = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() or None


@pytest.fixture(scope="module")
def other_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tag = release_before()
    if tag is None:
        return ROOT
    folder = tmp_path_factory.mktemp("release")
    packed = subprocess.run(
        ["git", "archive", tag, "services", "shared"], cwd=ROOT, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tree:
        tree.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def refused(other_release: Path) -> dict[str, str]:
    """What the other release cannot read, and why: of all that this one stores, and of what nobody knows."""
    said = subprocess.run(
        [sys.executable, "-c", READER],
        input=json.dumps(stored_now() | UNKNOWN),
        cwd=other_release,
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, str] = json.loads(said.stdout)
    return found


def stored_now() -> dict[str, object]:
    files = sorted((ROOT / STORED).glob("*/*.json"))
    return {f"{path.parent.name}/{path.stem}": json.loads(path.read_text()) for path in files}


def test_the_release_before_reads_everything_that_this_one_stores(refused: dict[str, str]) -> None:
    wrong = {
        name: error for name, error in refused.items() if name not in UNKNOWN.keys() | READ_BEFORE_WRITTEN
    }
    assert wrong == {}, "ship a release that reads it before one that writes it"


def test_a_type_and_a_version_that_it_does_not_know_are_found_out(refused: dict[str, str]) -> None:
    assert {refused[name].partition(":")[0] for name in UNKNOWN} == {"NewerData"}


def test_what_waits_to_be_written_is_a_type_that_this_release_reads() -> None:
    assert stored_now().keys() >= READ_BEFORE_WRITTEN
