"""A contract as its publisher tells it: put together and written without validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, ClassVar, Final

from msgspec import Struct, defstruct
from msgspec.json import Encoder

from shared.contracts.envelope import Contract

_write: Final = Encoder().encode


class Told(Struct):
    """What a contract says of one event of the own log, which was judged when it was stored."""

    TYPE: ClassVar[str]

    def to_body(self) -> bytes:
        """Return the JSON body of the message, the same as `Contract.to_body` writes."""
        return _write(self)


def tell(contract: type[Contract], event: object, /, **others: Any) -> Told:
    """Return what `contract` says of `event`: what that has by the same names, but `others` first.

    Raises `TypeError` where a field of the contract is told by neither.
    """
    made_for: tuple[Any, ...] = (contract, type(event), *others)
    form, values = _form(*made_for)
    told: Told = form(*values(event))
    for name, value in others.items():
        setattr(told, name, value)
    return told


@lru_cache(maxsize=1024)
def _form(contract: Any, kind: Any, *others: str) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Return what makes a `Told` of these names' values, and what takes the values from an event."""
    known = {*others, *(field.name for field in fields(kind))}
    untold = [name for name, field in contract.model_fields.items()
              if name not in known and (field.is_required() or field.default is not None)]  # fmt: skip
    if untold:
        raise TypeError(f"{kind.__name__} does not tell {', '.join(untold)} of {contract.TYPE}")
    names = [name for name in contract.model_fields if name in known]
    form = defstruct(
        contract.__name__, [(name, Any, None) for name in names], bases=(Told,),
        namespace={"TYPE": contract.TYPE}, omit_defaults=True,
    )  # fmt: skip
    # Any value holds the place of one that `tell` sets afterwards.
    return form, attrgetter(*("occurred_at" if name in others else name for name in names))
