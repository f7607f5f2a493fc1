"""The committed OpenAPI documents are what the four services serve."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.command_line.openapi import FOLDER
from services.command_line.services import definitions
from shared.http.openapi import openapi_document, openapi_text, stale

DEFINITIONS = definitions()


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_committed_document_is_up_to_date(name: str) -> None:
    assert not stale(DEFINITIONS[name], FOLDER), "run `make openapi`"


def test_a_document_that_differs_or_is_missing_is_stale(tmp_path: Path) -> None:
    catalog = DEFINITIONS["catalog"]
    assert stale(catalog, tmp_path)
    (tmp_path / "catalog.json").write_text(openapi_text(catalog))
    assert not stale(catalog, tmp_path)
    changed = json.loads(openapi_text(catalog))
    changed["paths"].popitem()
    (tmp_path / "catalog.json").write_text(json.dumps(changed))
    assert stale(catalog, tmp_path)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_operation_says_how_it_refuses_and_that_it_needs_a_token(name: str) -> None:
    document = openapi_document(DEFINITIONS[name])
    assert document["security"] == [{"token": []}]
    operations = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method in ("get", "post", "put", "delete", "patch")
    ]
    assert operations
    for operation in operations:
        assert "application/problem+json" in operation["responses"]["default"]["content"]
