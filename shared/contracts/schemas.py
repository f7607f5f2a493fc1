"""JSON Schema of every contract, and the rule that a version only ever gains fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from shared.contracts.envelope import SCHEMA_URI, Contract

Schema = dict[str, Any]

# Words for people; everything else in a schema is a promise.
_WORDS: Final = {"title", "description", "examples", "default", "x-known-values", "$id", "$schema", "$defs"}


def schema_of(contract: type[Contract]) -> Schema:
    """Return the JSON Schema (draft 2020-12) of a message body; unknown fields are allowed on purpose."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_URI + contract.TYPE,
        **contract.model_json_schema(),
    }


def breaks(published: Schema, current: Schema) -> list[str]:
    """Say what in `current` breaks readers or stored messages of `published`; nothing means additive.

    Allowed inside a version: a new field with a default, other words. Everything else is a new version.
    """
    return [*_breaks(published, current, published, current, "")]


def _breaks(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    old, new = _resolved(old, old_root), _resolved(new, new_root)
    if _rules(old) != _rules(new):
        yield f"{path or 'body'}: retyped from {_rules(old)} to {_rules(new)}"
    yield from _field_breaks(old, new, old_root, new_root, f"{path}." if path else "")
    if "items" in old and "items" in new:
        yield from _breaks(old["items"], new["items"], old_root, new_root, f"{path}[]")
    for one, other in zip(old.get("anyOf", ()), new.get("anyOf", ()), strict=False):
        yield from _breaks(one, other, old_root, new_root, path)


def _field_breaks(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    old_fields: Schema = old.get("properties", {})
    new_fields: Schema = new.get("properties", {})
    before, after = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(old_fields.keys() - new_fields.keys()):
        yield f"{path}{name}: removed"
    for name in sorted(after - before):
        yield f"{path}{name}: required, where stored messages may lack it"
    for name in sorted((before - after) & new_fields.keys()):
        yield f"{path}{name}: no longer promised"
    for name in sorted(old_fields.keys() & new_fields.keys()):
        yield from _breaks(old_fields[name], new_fields[name], old_root, new_root, path + name)


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Follow a reference into the schema's own definitions."""
    if "$ref" not in schema:
        return schema
    target: Schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return target


def _rules(schema: Mapping[str, Any]) -> Schema:
    """Return what a field's own schema demands, its parts left to their own comparison."""
    rules = {word: value for word, value in schema.items() if word not in _WORDS}
    for word in ("properties", "required"):
        rules.pop(word, None)
    if "items" in rules:
        rules["items"] = "compared apart"
    if "anyOf" in rules:
        rules["anyOf"] = len(rules["anyOf"])
    return rules
