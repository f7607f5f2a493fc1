"""The management port: is it alive, is it ready and why not, what has it counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from shared.runtime.metrics import CONTENT_TYPE, Metrics

_CHECK_SECONDS = 2.0

Ask = Callable[[], Awaitable[str]]
"""Answers why something is not well; an empty text says that all is well."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `/readyz?verbose`; with `needed=False` a failure is told but does no harm."""

    name: str
    ask: Ask
    needed: bool = True


def create_management(checks: Callable[[], list[Check]], metrics: Metrics) -> Starlette:
    """Return the management application. `checks` is called per request, for they grow during the start."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        found = checks()
        reasons = await asyncio.gather(*[_reason(check) for check in found])
        ready = all(not reason for check, reason in zip(found, reasons, strict=True) if check.needed)
        status = 200 if ready else 503
        if "verbose" not in request.query_params:
            return PlainTextResponse("ok\n" if ready else "not ready\n", status)
        lines = [
            {"check": check.name, "ok": not reason, "needed": check.needed, "reason": reason}
            for check, reason in zip(found, reasons, strict=True)
        ]
        return JSONResponse({"ready": ready, "checks": lines}, status)

    async def page(_: Request) -> Response:
        return Response(metrics.page(), media_type=CONTENT_TYPE)

    return Starlette(
        routes=[
            Route("/livez", livez),
            Route("/healthz", livez),
            Route("/readyz", readyz),
            Route("/metrics", page),
        ]
    )


async def _reason(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await check.ask()
    except Exception as error:  # noqa: BLE001  whatever it is, it is the reason
        return type(error).__name__
