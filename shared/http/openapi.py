"""A service's OpenAPI document without its database: what is committed and compared in CI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from shared.http import feed
from shared.http.app import create_app
from shared.http.context import ServiceContext, ServiceDefinition
from shared.http.gate import Rules


class _Unopened:
    """Stands where a running part would: routes may keep it while they are made, and use it never."""

    def __getattr__(self, name: str) -> _Unopened:
        return self


def openapi_document(definition: ServiceDefinition) -> dict[str, Any]:
    """Return the document that the service serves under `/openapi.json`."""
    nothing: Any = _Unopened()
    rules = Rules(service=definition.name, authenticator=nothing, measures=nothing)
    context = cast("ServiceContext", nothing)
    app = create_app(rules, [*definition.routers(context), feed.router(nothing, nothing)])
    return app.openapi()


def openapi_text(definition: ServiceDefinition) -> str:
    """Return the document as it is committed."""
    return json.dumps(openapi_document(definition), indent=1, ensure_ascii=False) + "\n"


def stale(definition: ServiceDefinition, folder: Path) -> bool:
    """Tell whether `folder` lacks the service's document or holds another one."""
    path = folder / f"{definition.name}.json"
    return not path.is_file() or path.read_text(encoding="utf-8") != openapi_text(definition)
