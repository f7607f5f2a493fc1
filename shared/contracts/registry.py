"""The registry of the published language: every public event type and every topic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Final

from pydantic import ValidationError

from shared.contracts import catalog, demand, intake, sla
from shared.contracts.envelope import Contract, Envelope, ForeignMessage

_TYPE: Final = re.compile(r"plumbline\.[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*\.v(?P<version>[1-9]\d*)")
_TOPIC: Final = re.compile(r"plumbline\.(?P<service>intake|demand|catalog|sla)\.[a-z]+(-[a-z]+)*s\.v[1-9]\d*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """All public events of one kind of aggregate, in order per aggregate; `source` alone writes it."""

    name: str
    source: str
    partitions: int = 6
    contracts: tuple[type[Contract], ...]


class UnknownType(LookupError):
    """No contract of this release has that type: a newer publisher's, for a reader to pass over."""


def contracts_of(module: ModuleType) -> tuple[type[Contract], ...]:
    """Return the contracts a module publishes, in the order it defines them."""
    return tuple(
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Contract) and "TYPE" in vars(found)
    )


def registry_of(contracts: Iterable[type[Contract]]) -> Mapping[str, type[Contract]]:
    """Return contracts by type; raise `ValueError` for a misnamed type or topic, or a type given twice."""
    registry: dict[str, type[Contract]] = {}
    for contract in contracts:
        named = _TYPE.fullmatch(contract.TYPE)
        if named is None or int(named["version"]) != contract.VERSION:
            raise ValueError(
                f"{contract.__name__}: {contract.TYPE!r} is not plumbline.<aggregate>.<past-tense>.v<version>"
            )
        if _TOPIC.fullmatch(contract.TOPIC) is None:
            raise ValueError(
                f"{contract.__name__}: {contract.TOPIC!r} is not plumbline.<service>.<aggregate-plural>.v<n>"
            )
        if contract.TYPE in registry:
            raise ValueError(
                f"{contract.TYPE} is both {registry[contract.TYPE].__name__} and {contract.__name__}"
            )
        registry[contract.TYPE] = contract
    return MappingProxyType(registry)


def topics_of(contracts: Iterable[type[Contract]]) -> Mapping[str, Topic]:
    """Return the topics that contracts stand on, by name."""
    grouped: dict[str, list[type[Contract]]] = {}
    for contract in contracts:
        grouped.setdefault(contract.TOPIC, []).append(contract)
    return MappingProxyType(
        {
            name: Topic(name=name, source=f"/{name.split('.')[1]}", contracts=tuple(members))
            for name, members in grouped.items()
        }
    )


REGISTRY: Final = registry_of(
    contract for module in (intake, demand, catalog, sla) for contract in contracts_of(module)
)
TOPICS: Final = topics_of(REGISTRY.values())


def decode(kind: str, raw: bytes) -> Contract:
    """Return the contract of a message body; raise `UnknownType`, or `ForeignMessage` for a wrong body.

    The error names fields and rules, never values: it may be logged.
    """
    model = REGISTRY.get(kind)
    if model is None:
        raise UnknownType(kind)
    try:
        # `model_validate_json` takes a fifth longer.
        contract: Contract = model.__pydantic_validator__.validate_json(raw)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(step) for step in fault['loc']) or 'json'}: {fault['type']}"
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        )
        raise ForeignMessage("body", f"is no {kind}: {faults}") from None
    return contract


def check_origin(envelope: Envelope) -> None:
    """Raise `ForeignMessage` unless the event stands on its own topic and its owner wrote it."""
    topic = TOPICS.get(envelope.topic)
    if topic is None:
        raise ForeignMessage("topic", f"is wrong: {envelope.topic!r} is none of ours")
    if envelope.source != topic.source:
        raise ForeignMessage("ce_source", f"is wrong: {envelope.topic} belongs to {topic.source}")
    model = REGISTRY.get(envelope.type)
    if model is not None and envelope.topic != model.TOPIC:
        raise ForeignMessage("ce_type", f"is wrong: {envelope.type} belongs on {model.TOPIC}")
