"""What a reader makes of what a publisher tells."""

from __future__ import annotations

from shared.contracts.envelope import Contract
from shared.contracts.registry import decode
from shared.contracts.told import Told


def as_heard(told: Told) -> Contract:
    return decode(told.TYPE, told.to_body())
