"""Compatibility: a published version only gains optional fields, and the check notices."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from shared.contracts.envelope import Contract
from shared.contracts.publish import PUBLISHED, broken_promises, main, stale, write
from shared.contracts.registry import REGISTRY
from shared.contracts.schemas import breaks, schema_of


class Weight(BaseModel):
    grams: int
    note: str | None = None


class Weighed(Contract):
    """Something has been weighed."""

    TYPE = "plumbline.request.weighed.v1"
    TOPIC = "plumbline.intake.requests.v1"

    request_id: str
    total: Annotated[int, Field(ge=0)]
    parts: tuple[Weight, ...]
    remark: str | None = None


SCHEMA = schema_of(Weighed)


def test_the_committed_schemas_and_document_are_those_of_the_models() -> None:
    assert stale(PUBLISHED, REGISTRY) == []
    assert main(["--check"]) == 0


def test_no_model_breaks_what_was_published() -> None:
    assert broken_promises(PUBLISHED, REGISTRY) == []


def test_every_field_says_what_it_means() -> None:
    unsaid = [
        f"{kind}.{name}"
        for kind, contract in REGISTRY.items()
        for name, field in contract.model_fields.items()
        if not (field.description or "description" in json.dumps(schema_of(contract)["properties"][name]))
    ]

    assert unsaid == []


def test_a_new_field_with_a_default_is_additive() -> None:
    class More(Weighed):
        scale: str = Field(default="unknown", description="Which scale.")

    assert breaks(SCHEMA, schema_of(More)) == []


def test_better_words_are_additive() -> None:
    current = json.loads(json.dumps(SCHEMA))
    current["description"] = "It was put on a scale."
    current["properties"]["total"] |= {"description": "Grams.", "title": "In all", "examples": [7]}

    assert breaks(SCHEMA, current) == []


def removed(schema: dict) -> None:
    del schema["properties"]["remark"]


def retyped(schema: dict) -> None:
    schema["properties"]["total"]["type"] = "string"


def narrowed(schema: dict) -> None:
    schema["properties"]["total"]["minimum"] = 1


def newly_required(schema: dict) -> None:
    schema["properties"]["scale"] = {"type": "string"}
    schema["required"].append("scale")


def optional_made_required(schema: dict) -> None:
    schema["required"].append("remark")


def no_longer_promised(schema: dict) -> None:
    schema["required"].remove("total")


def retyped_in_an_alternative(schema: dict) -> None:
    schema["properties"]["remark"]["anyOf"][0]["type"] = "integer"


def not_optional_any_more(schema: dict) -> None:
    schema["properties"]["remark"]["anyOf"].pop()


def retyped_in_a_part(schema: dict) -> None:
    schema["$defs"]["Weight"]["properties"]["grams"]["type"] = "number"


def removed_from_a_part(schema: dict) -> None:
    del schema["$defs"]["Weight"]["properties"]["note"]


def required_in_a_part(schema: dict) -> None:
    schema["$defs"]["Weight"]["required"].append("note")


def closed_to_additions(schema: dict) -> None:
    schema["additionalProperties"] = False


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (removed, "remark: removed"),
        (retyped, "total: retyped"),
        (narrowed, "total: retyped"),
        (newly_required, "scale: required"),
        (optional_made_required, "remark: required"),
        (no_longer_promised, "total: no longer promised"),
        (retyped_in_an_alternative, "remark: retyped"),
        (not_optional_any_more, "remark: retyped"),
        (retyped_in_a_part, "parts[].grams: retyped"),
        (removed_from_a_part, "parts[].note: removed"),
        (required_in_a_part, "parts[].note: required"),
        (closed_to_additions, "body: retyped"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_change_that_is_not_additive_is_named(change: Callable[[dict], None], fault: str) -> None:
    current = json.loads(json.dumps(SCHEMA))
    change(current)

    found = breaks(SCHEMA, current)

    assert len(found) == 1
    assert found[0].startswith(fault)


def test_publishing_refuses_to_overwrite_a_promise(tmp_path: Path) -> None:
    write(tmp_path, REGISTRY)
    path = tmp_path / "schemas" / "plumbline.sla.breached.v1.json"
    published = json.loads(path.read_text(encoding="utf-8"))
    published["properties"]["severity"] = {"type": "string"}
    path.write_text(json.dumps(published), encoding="utf-8")

    with pytest.raises(ValueError, match=r"plumbline\.sla\.breached\.v1: severity: removed"):
        write(tmp_path, REGISTRY)

    assert "severity" in path.read_text(encoding="utf-8")


def test_a_contract_once_published_cannot_go(tmp_path: Path) -> None:
    write(tmp_path, {**REGISTRY, Weighed.TYPE: Weighed})

    assert broken_promises(tmp_path, REGISTRY) == ["plumbline.request.weighed.v1: removed"]


def test_an_edited_or_missing_document_is_stale(tmp_path: Path) -> None:
    write(tmp_path, REGISTRY)
    (tmp_path / "asyncapi.json").write_text("{}", encoding="utf-8")
    (tmp_path / "schemas" / "plumbline.sla.breached.v1.json").unlink()

    assert stale(tmp_path, REGISTRY) == ["schemas/plumbline.sla.breached.v1.json", "asyncapi.json"]
