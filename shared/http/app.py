"""Assembles one service's API: routers behind the gate, documentation, OpenAPI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.http import documentation
from shared.http.gate import Gate, Rules
from shared.http.problems import MEDIA_TYPE

_ANSWER = {
    "description": "a problem",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})


class Api(FastAPI):
    """FastAPI whose only layer is the gate; errors of routes and of routing rise to it."""

    rules: Rules

    def build_middleware_stack(self) -> ASGIApp:
        """Replace Starlette's layers: the gate answers every error and does it once."""
        return Gate(AsyncExitStackMiddleware(self._route), self.rules)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.router(scope, receive, send)
        except HTTPException as error:
            if error.status_code == 405:
                error.headers = {"Allow": ", ".join(self._methods_at(scope))}
            raise

    def _methods_at(self, scope: Scope) -> list[str]:
        """List every method of this address; Starlette names those of its first route only."""
        return [
            method
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
            if any(r.matches({**scope, "method": method})[0] is Match.FULL for r in self.router.routes)
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, without the detour for spans where nobody collects any."""
        if self.rules.traced or scope["type"] != "http" or self.middleware_stack is None:
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = self
            await self.middleware_stack(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI 3.1 document with the token scheme and the problem answer everywhere."""
        if self.openapi_schema is None:
            document = super().openapi()
            components = document.setdefault("components", {})
            schemas = components.setdefault("schemas", {})
            for replaced in ("HTTPValidationError", "ValidationError"):
                schemas.pop(replaced, None)
            schemas["Problem"] = json.loads((documentation.ASSETS / "problem.schema.json").read_text())
            components["securitySchemes"] = {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            }
            document["security"] = [{"token": []}]
            for path in document.get("paths", {}).values():
                for method in _METHODS & path.keys():
                    path[method]["responses"].pop("422", None)
                    path[method]["responses"]["default"] = _ANSWER
        return super().openapi()


def create_app(rules: Rules, routers: Sequence[APIRouter], *, title: str = "", version: str = "0.1.0") -> Api:
    """Return the service's ASGI application; it answers under `/<service>` and at the top alike."""
    app = Api(
        title=title or f"Plumbline {rules.service}",
        version=version,
        servers=[{"url": rules.root or "/"}],
        root_path_in_servers=False,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.rules = rules
    app.router.routes.extend(documentation.routes())
    for router in routers:  # taken over as they are: including a router would build all its routes again
        app.router.routes.extend(router.routes)
    return app
