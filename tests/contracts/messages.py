"""Golden messages: for every published type one, as it went over the wire; never edited."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.contracts.envelope import Envelope, Headers, from_headers

GOLDEN = Path(__file__).parent / "golden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A message in readable form."""

    topic: str
    partition: int
    key: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def wire_headers(self) -> Headers:
        return [(name, value.encode()) for name, value in self.headers.items()]

    @property
    def wire_body(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False).encode()

    @property
    def envelope(self) -> Envelope:
        return from_headers(self.wire_headers, self.topic, self.partition, self.key.encode())


def golden(kind: str) -> Golden:
    return Golden(**json.loads((GOLDEN / f"{kind}.json").read_text(encoding="utf-8")))


def golden_types() -> list[str]:
    return sorted(path.stem for path in GOLDEN.glob("*.json"))
