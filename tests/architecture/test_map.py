"""Keeps the map of the house true: names, sentences, sizes and borders."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict

import pytest

from tests.architecture.house_map import HOUSES, ROOT, Module, lines_of_dispatch, modules

OURS = modules(*HOUSES)
TESTS = modules("tests")
LONGEST_SENTENCE = 88
LONGEST_FILE, LONGEST_TEST, LONGEST_FUNCTION = 300, 400, 40
SHARED_BUDGET, FOLDER_BUDGET = 8_000, 2_900  # docs/decisions/0012
SHARED_FOLDERS = {"contracts", "eventsourcing", "messaging", "http", "runtime"}
SERVICES = ("intake", "demand", "catalog", "sla")

FORBIDDEN_WORDS = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "base", "core", "lib"}
FORBIDDEN_CLASS = re.compile(r"(Manager|Helper|Impl|Utils?)$|^(Abstract|I[A-Z][a-z])")
FORBIDDEN_FUNCTIONS = {"process", "handle_event", "do_it", "run_all"}

WORD = r"[a-z][a-z0-9_]*"
ALLOWED_IN_A_SERVICE = re.compile(
    rf"(?:(?:__init__|__main__|app|publishes|subscribes|timers)\.py"
    rf"|domain/(?:__init__|{WORD})\.py"
    rf"|domain/{WORD}/(?:__init__|commands|events|decider)\.py"
    rf"|(?:projections|api|adapters)/(?:__init__|{WORD})\.py"
    r"|migrations/env\.py|migrations/versions/\d{4}_[a-z0-9_]+\.py)"
)
ONLY_SOME = {"timers.py": {"intake", "sla"}, "adapters/": {"intake", "sla"}}


def named(module: Module) -> str:
    return module.name


def no_lines(function: object) -> int:
    return 0


@pytest.mark.parametrize("module", [*OURS, *TESTS], ids=named)
def test_a_module_says_in_one_sentence_what_it_is_for(module: Module) -> None:
    sentence = module.sentence
    assert sentence, "has no docstring"
    assert sentence.endswith("."), f"is not a sentence: {sentence}"
    assert len(sentence) <= LONGEST_SENTENCE, f"is {len(sentence)} characters long: {sentence}"


@pytest.mark.parametrize("module", [*OURS, *TESTS], ids=named)
def test_files_and_functions_stay_short(module: Module) -> None:
    longest = LONGEST_TEST if module in TESTS else LONGEST_FILE
    assert module.lines <= longest, f"has {module.lines} lines, allowed are {longest}"
    exempt = lines_of_dispatch if module.path.name == "decider.py" else no_lines
    long = {
        f"{function.name} ({lines})"
        for function, lines in module.functions()
        if lines - exempt(function) > LONGEST_FUNCTION
        and "migrations" not in module.path.parts  # frozen lists
    }
    assert not long, f"functions longer than {LONGEST_FUNCTION} lines: {', '.join(sorted(long))}"


@pytest.mark.parametrize("module", [m for m in OURS if m.path.name == "__init__.py"], ids=named)
def test_a_package_holds_a_docstring_only(module: Module) -> None:
    assert len(module.tree.body) == 1


@pytest.mark.parametrize("module", OURS, ids=named)
def test_names_say_what_things_are(module: Module) -> None:
    parts = module.path.relative_to(ROOT).with_suffix("").parts
    assert not FORBIDDEN_WORDS.intersection(parts)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            assert not FORBIDDEN_CLASS.search(node.name), f"class {node.name}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.name not in FORBIDDEN_FUNCTIONS, f"function {node.name}"


@pytest.mark.parametrize("module", modules(*(f"services/{service}" for service in SERVICES)), ids=named)
def test_a_service_holds_only_the_kinds_of_files_that_every_service_has(module: Module) -> None:
    _, service, *inside = module.path.relative_to(ROOT).parts
    name = "/".join(inside)
    assert ALLOWED_IN_A_SERVICE.fullmatch(name), "is a kind of file that no service has"
    for start, allowed in ONLY_SOME.items():
        assert not name.startswith(start) or service in allowed, f"only {sorted(allowed)} have {start}"


def test_only_the_command_line_stands_beside_the_services() -> None:
    beside = {path.name for path in (ROOT / "services").iterdir() if not path.name.startswith("__pycache__")}
    allowed = {"__init__.py", "__main__.py", "py.typed", "command_line", *SERVICES}
    assert beside <= allowed, f"not foreseen: {sorted(beside - allowed)}"


def test_a_stream_has_commands_events_and_a_decider() -> None:
    for folder in (ROOT / "services").glob("*/domain/*/"):
        if found := {path.name for path in folder.glob("*.py")}:
            assert found == {"__init__.py", "commands.py", "events.py", "decider.py"}, (
                f"{folder.relative_to(ROOT)}"
            )


def test_shared_has_five_folders_and_no_file_of_its_own() -> None:
    inside = {path.name for path in (ROOT / "shared").iterdir() if path.name != "__pycache__"}
    assert inside == SHARED_FOLDERS | {"__init__.py", "py.typed"}


def test_shared_stays_within_its_budget() -> None:
    lines: dict[str, int] = defaultdict(int)
    for module in modules("shared"):
        lines[module.path.relative_to(ROOT / "shared").parts[0]] += module.code_lines
    del lines["contracts"]
    spent = ", ".join(f"{folder} {count}" for folder, count in sorted(lines.items()))
    assert max(lines.values()) <= FOLDER_BUDGET, spent
    assert sum(lines.values()) <= SHARED_BUDGET, spent


IMPORT_ALL_DOMAINS = """
import importlib, pathlib, sys
sys.path.insert(0, ".")
for path in sorted(pathlib.Path("services").glob("*/domain/**/*.py")):
    importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
kernel = {"shared.eventsourcing", "shared.eventsourcing.decider"}
print(*sorted({name for name in sys.modules if name.startswith("shared.")} - kernel))
"""


def test_the_domain_needs_nothing_but_python_and_the_decider() -> None:
    without_packages = [sys.executable, "-S", "-c", IMPORT_ALL_DOMAINS]
    said = subprocess.run(without_packages, cwd=ROOT, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    assert not said.stdout.split(), f"imported beside: {said.stdout}"


def test_the_map_prints_every_folder() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "tests.architecture.house_map"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for folder in sorted(SHARED_FOLDERS):
        assert f"shared/{folder}/" in said.stdout
