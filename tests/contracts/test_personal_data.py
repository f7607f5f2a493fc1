"""Contracts carry no personal data: a field is published only when it stands on this list."""

from __future__ import annotations

from collections.abc import Iterator

from shared.contracts.registry import REGISTRY
from shared.contracts.schemas import schema_of

# People appear as subject ids (`*_id`, `assignee`) or as a role, group or board (`owner`, `decided_by`).
# Free text of requests (title, description, comments) is personal and stays in intake; that of RFCs,
# projects, services and agreements is a business record.
IDS = "request_id rfc_id project_id service_id clock_id record_id agreement_id target_id superseded_by"
PEOPLE = "requester_id on_behalf_of_id assignee owner business_owner service_owner decided_by"
PLACES = "business_unit group team channel source_type source_system external_id portfolio_item"
BUSINESS_TEXT = """title description reason business_impact risk_of_not_accepting initial_resources rule
    target name number factors factors.name factors.value services service affected_services"""
JUDGEMENTS = """kind category impact urgency priority change_type designation phase was criticality level
    score factors.points outcome to record human complete_outage new_service late historic"""
FIGURES = """units threshold elapsed_seconds budget currency version target_version policy_version by_version
    model_version revision"""
TIMES = """occurred_at needed_by until starts_at ends_at due_at detected_at in_force_from in_force_until"""

ALLOWED = {
    name
    for names in (IDS, PEOPLE, PLACES, BUSINESS_TEXT, JUDGEMENTS, FIGURES, TIMES)
    for name in names.split()
}


def field_names(schema: dict, root: dict, path: str = "") -> Iterator[str]:
    """Every field of a schema, those of its parts as `whole.part`."""
    for name, field in schema.get("properties", {}).items():
        yield path + name
        yield from field_names(_part(field, root), root, f"{path}{name}.")


def _part(field: dict, root: dict) -> dict:
    inner = field.get("items", field)
    return root["$defs"][inner["$ref"].removeprefix("#/$defs/")] if "$ref" in inner else inner


def published_names() -> set[str]:
    schemas = [schema_of(contract) for contract in REGISTRY.values()]
    return {name for schema in schemas for name in field_names(schema, schema)}


def test_only_listed_fields_are_published() -> None:
    assert published_names() - ALLOWED == set()


def test_the_list_holds_no_field_that_nobody_publishes() -> None:
    assert ALLOWED - published_names() == set()


def test_the_words_of_a_request_stay_in_intake() -> None:
    for kind, contract in REGISTRY.items():
        if kind.startswith("plumbline.request."):
            assert not {"title", "description", "comment", "name"} & contract.model_fields.keys()
