"""The root page: what runs here, where the token is, and the way to the four APIs."""

from __future__ import annotations

from html import escape
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from shared.contracts.asyncapi import asyncapi_document
from shared.http.problems import problem_of
from shared.runtime.ids import uuid7

_POLICY = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
_QUESTIONS = {
    "intake": "what has been asked, what may change, who decided, when",
    "demand": "what will be needed, what is worth doing",
    "catalog": "what we offer, what it depends on, who owns it",
    "sla": "what we promised, whether we keep it",
}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; }
h1 { font-weight: 600; }
code { background: #8882; padding: .1em .3em; border-radius: 3px; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid #8884; padding: .5rem .75rem .5rem 0; }
:root { color-scheme: light dark; } a { color: inherit; }
"""


def greeting(token_path: Path, transport: str) -> Starlette:
    """Return the application that answers at `/`; `transport` says how the services hear each other."""

    async def page(_: Request) -> Response:
        return HTMLResponse(_page(token_path, transport), headers={"Content-Security-Policy": _POLICY})

    async def style(_: Request) -> Response:
        return Response(_STYLE, media_type="text/css")

    async def asyncapi(_: Request) -> Response:
        return JSONResponse(asyncapi_document())

    async def refuse(request: Request, error: Exception) -> Response:
        # Every service explains the same problems; the page about them is taken from the first.
        root = f"/{next(iter(_QUESTIONS))}"
        return problem_of(error).answer(root=root, path=request.url.path, trace_id=str(uuid7()))

    return Starlette(
        routes=[Route("/", page), Route("/greeting.css", style), Route("/asyncapi.json", asyncapi)],
        exception_handlers={HTTPException: refuse},
    )


def _page(token_path: Path, transport: str) -> str:
    rows = "".join(
        f'<tr><td><a href="/{name}/docs">{name}</a></td><td>{escape(question)}</td></tr>'
        for name, question in _QUESTIONS.items()
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Plumbline</title><link rel="stylesheet" href="/greeting.css"><link rel="icon" href="data:,"></head>
<body><h1>Plumbline is running</h1>
<p>Four services answer here, each under its name; the links lead to their APIs, ready to be tried.</p>
<table>{rows}</table>
<p>Every call needs a token: the first one, which may do everything, is in
<code>{escape(str(token_path))}</code>. <code>plumbline token --help</code> makes others, for a person or
a machine.</p>
<p>The services hear each other through {escape(transport)}. What they say is described in
<a href="/asyncapi.json">/asyncapi.json</a>; <code>plumbline tail</code> shows it as it happens,
<code>plumbline demo</code> plays one request's journey.</p>
</body></html>"""
