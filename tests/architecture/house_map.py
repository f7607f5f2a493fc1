"""Reads the source tree: what each module says it is for, and how long things are."""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOUSES = ("shared", "services")
_NOT_CODE = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One source file of the project."""

    path: Path

    @property
    def name(self) -> str:
        """Its path below the project, such as `shared/runtime/clock.py`."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def sentence(self) -> str:
        """The first line of its docstring; empty when there is none."""
        return (ast.get_docstring(self.tree) or "").partition("\n")[0]

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def code_lines(self) -> int:
        """How many lines hold code: neither blank, nor comment, nor docstring."""
        docstrings = {
            line
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | FunctionNode)
            and ast.get_docstring(node, clean=False)
            for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
        }
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        code = {
            line
            for token in tokens
            if token.type not in _NOT_CODE
            for line in range(token.start[0], token.end[0] + 1)
        }
        return len(code - docstrings)

    def functions(self) -> Iterator[tuple[FunctionNode, int]]:
        """Yield every function with its number of lines, docstring and decorators not counted."""
        for node in ast.walk(self.tree):
            if isinstance(node, FunctionNode):
                first = node.body[0]
                documented = ast.get_docstring(node, clean=False) is not None
                docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
                yield node, (node.end_lineno or 0) - node.lineno + 1 - docstring


def modules(*houses: str) -> list[Module]:
    """List the modules below the given folders, migrations' versions included, in reading order."""
    paths = [path for house in houses for path in (ROOT / house).rglob("*.py")]
    return [Module(path) for path in sorted(paths, key=lambda path: (path.parent, path.name))]


def lines_of_dispatch(function: FunctionNode) -> int:
    """Return how many lines of a function are `match` statements over a command or an event."""
    matches = (node for node in function.body if isinstance(node, ast.Match))
    return sum((node.end_lineno or 0) - node.lineno + 1 for node in matches)


def print_map() -> None:
    """Print every folder and module with the sentence that says what it is for."""
    folder = None
    for module in modules(*HOUSES):
        if module.path.parent != folder:
            folder = module.path.parent
            about = Module(folder / "__init__.py").sentence if (folder / "__init__.py").is_file() else ""
            sys.stdout.write(f"\n{folder.relative_to(ROOT)}/  {about}\n")
        if module.path.name != "__init__.py":
            sys.stdout.write(f"    {module.path.name:<24} {module.sentence}\n")


if __name__ == "__main__":
    print_map()
