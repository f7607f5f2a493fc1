"""Files that are written by a tool agree with what they are written from."""

from __future__ import annotations

import re
import tomllib

from shared.runtime.settings import env_example
from tests.architecture.house_map import ROOT


def test_both_lock_files_hold_the_same_versions() -> None:
    locked = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    versions = {package["name"]: package.get("version") for package in locked}
    pinned = dict(
        re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    assert pinned.items() <= versions.items(), "run `make lock`"
    assert versions.keys() - pinned.keys() == {"plumbline"}, "run `make lock`"


def test_every_direct_dependency_is_locked_with_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["embedded"]]
    wanted += project["dependency-groups"]["dev"]
    lock = (ROOT / "requirements.lock").read_text()
    for requirement in wanted:
        name = re.split(r"[<>=\[; ]", requirement)[0]
        assert re.search(rf"^{re.escape(name)}==.*\\\n    --hash=sha256:", lock, re.MULTILINE), (
            f"{name}: `make lock`"
        )


def test_the_example_of_an_environment_names_every_setting() -> None:
    assert (ROOT / ".env.example").read_text() == env_example(), "run `make env-example`"
