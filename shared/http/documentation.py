"""The pages a service serves about itself: its API and every problem code."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from shared.contracts.asyncapi import asyncapi_document
from shared.http.problems import Kind, Problem, kinds

ASSETS = Path(__file__).parent / "assets"
_SERVED = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "documentation.js": "text/javascript",
    "documentation.css": "text/css",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY}
_PAGE = (ASSETS / "page.html").read_text(encoding="utf-8")


def routes() -> list[Route]:
    """Return `/docs`, its files, `/problems/<code>` and `/asyncapi.json`."""
    return [
        Route("/docs", _documentation),
        Route("/docs/{name}", _asset),
        Route("/asyncapi.json", _asyncapi),
        Route("/problems/", _problems),
        Route("/problems/{code}", _problem),
    ]


async def _documentation(request: Request) -> Response:
    root = escape(request.scope.get("root_path", ""))
    body = (
        f'<div id="documentation" data-address="{root}/openapi.json"></div>'
        f'<script src="{root}/docs/swagger-ui-bundle.js"></script>'
        f'<script src="{root}/docs/documentation.js"></script>'
    )
    return HTMLResponse(_PAGE.format(title=escape(request.app.title), root=root, body=body), headers=_HEADERS)


async def _asyncapi(_: Request) -> Response:
    return JSONResponse(asyncapi_document())


async def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _SERVED:
        raise Problem("not-found", "There is no such file.")
    headers = {"Cache-Control": "public, max-age=86400"}
    return FileResponse(ASSETS / name, media_type=_SERVED[name], headers=headers)


async def _problems(request: Request) -> Response:
    root = escape(request.scope.get("root_path", ""))
    rows = "".join(
        f'<tr><td><a href="{root}/problems/{kind.code}">{kind.code}</a></td>'
        f"<td>{kind.status}</td><td>{escape(kind.title)}</td></tr>"
        for kind in sorted(kinds(), key=lambda kind: (kind.status, kind.code))
    )
    body = f"<main><h1>Problems</h1><table>{rows}</table></main>"
    return HTMLResponse(_PAGE.format(title="Problems", root=root, body=body), headers=_HEADERS)


async def _problem(request: Request) -> Response:
    kind = _known().get(request.path_params["code"])
    if kind is None:
        raise Problem("not-found", "There is no problem of this code.")
    root = escape(request.scope.get("root_path", ""))
    body = (
        f"<main><h1>{escape(kind.title)}</h1><dl><dt>code</dt><dd><code>{kind.code}</code></dd>"
        f"<dt>status</dt><dd>{kind.status}</dd><dt>what to do</dt><dd>{escape(kind.remedy)}</dd></dl>"
        f'<p><a href="{root}/problems/">All problems</a></p></main>'
    )
    return HTMLResponse(_PAGE.format(title=escape(kind.title), root=root, body=body), headers=_HEADERS)


@cache
def _known() -> dict[str, Kind]:
    return {kind.code: kind for kind in kinds()}
