"""Writes docs/contracts from the models; with `--check` says what is stale or broken."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from shared.contracts.asyncapi import asyncapi_document
from shared.contracts.envelope import Contract
from shared.contracts.registry import REGISTRY
from shared.contracts.schemas import breaks, schema_of

PUBLISHED: Final = Path(__file__).resolve().parents[2] / "docs" / "contracts"


def documents(registry: Mapping[str, type[Contract]]) -> dict[str, dict[str, Any]]:
    """Return every document to be published, by path below the folder."""
    schemas = {f"schemas/{kind}.json": schema_of(contract) for kind, contract in registry.items()}
    return {**schemas, "asyncapi.json": asyncapi_document()}


def broken_promises(folder: Path, registry: Mapping[str, type[Contract]]) -> list[str]:
    """Say how the models break what `folder` has published; a contract once published stays."""
    found = []
    for path in sorted((folder / "schemas").glob("*.json")):
        contract = registry.get(path.stem)
        if contract is None:
            found.append(f"{path.stem}: removed")
        else:
            published = json.loads(path.read_text(encoding="utf-8"))
            found += [f"{path.stem}: {fault}" for fault in breaks(published, schema_of(contract))]
    return found


def stale(folder: Path, registry: Mapping[str, type[Contract]]) -> list[str]:
    """Name the documents in `folder` that no longer say what the models say."""
    return [
        name
        for name, document in documents(registry).items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != _text(document)
    ]


def write(folder: Path, registry: Mapping[str, type[Contract]]) -> None:
    """Write every document, unless that would break a promise: then raise `ValueError`."""
    if faults := broken_promises(folder, registry):
        raise ValueError("\n".join(["not additive, publish a new version instead:", *faults]))
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for name, document in documents(registry).items():
        (folder / name).write_text(_text(document), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Publish, or with `--check` only compare; return the exit status."""
    if "--check" not in arguments:
        write(PUBLISHED, REGISTRY)
        return 0
    faults = broken_promises(PUBLISHED, REGISTRY) + [f"{name}: stale" for name in stale(PUBLISHED, REGISTRY)]
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
