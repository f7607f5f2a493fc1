"""The one way out by HTTP: timeouts, a bearer token, the conversation's id, patient reads."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from functools import cache

import httpx
import structlog

from shared.runtime.logging import correlation_id

_LOG = structlog.get_logger(__name__)
_REPEATABLE = frozenset({"GET", "HEAD"})
_AGAIN = frozenset({429, 502, 503, 504})
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


class RepeatingTransport(httpx.AsyncBaseTransport):
    """Repeats reads that failed on the way or were answered "later"; writes go through once.

    Between tries it waits what `Retry-After` says, else twice as long each time, with full jitter.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, *, tries: int) -> None:
        self._inner = inner
        self._tries = tries

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        tries = self._tries if request.method in _REPEATABLE else 1
        for attempt in range(1, tries):
            try:
                response = await self._inner.handle_async_request(request)
            except httpx.TransportError as error:
                pause = _pause(attempt, None)
                _LOG.info("repeating a read", url=str(request.url), attempt=attempt, error=repr(error))
            else:
                if response.status_code not in _AGAIN:
                    return response
                pause = _pause(attempt, response.headers.get("retry-after"))
                _LOG.info(
                    "repeating a read", url=str(request.url), attempt=attempt, status=response.status_code
                )
                await response.aclose()
            await asyncio.sleep(pause)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def http_client(
    base_url: str = "",
    *,
    token: Callable[[], str] | None = None,
    timeout_seconds: float = 10,
    tries: int = 3,
    transport: httpx.AsyncBaseTransport | None = None,
    user_agent: str = "plumbline",
) -> httpx.AsyncClient:
    """Return a client for one server; close it when done.

    `token` is asked for every request, so that a renewed one is used at once. `timeout_seconds` bounds each
    wait (connect, read, write, a free connection); a long poll gives its own per request. `tries` counts
    the first try too. `transport` replaces the network, for tests or for an app in the same process.
    """

    async def sign(request: httpx.Request) -> None:
        if token is not None and "authorization" not in request.headers:
            request.headers["authorization"] = f"Bearer {token()}"
        if conversation := correlation_id():
            request.headers.setdefault("x-correlation-id", conversation)

    return httpx.AsyncClient(
        base_url=base_url,
        transport=RepeatingTransport(transport or _network(), tries=tries),
        timeout=httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, 3)),
        headers={"user-agent": user_agent},
        event_hooks={"request": [sign]},
        follow_redirects=False,  # a redirected request would carry our token elsewhere
    )


def _network() -> httpx.AsyncBaseTransport:
    limits = httpx.Limits(max_connections=20, keepalive_expiry=30)
    return httpx.AsyncHTTPTransport(verify=_authorities(), limits=limits)


@cache
def _authorities() -> ssl.SSLContext:
    """Return the certificate authorities, read once per process: that takes 50 ms."""
    return httpx.create_ssl_context()


def _pause(attempt: int, retry_after: str | None) -> float:
    """Return how many seconds to wait after the n-th failed try."""
    if retry_after is not None and retry_after.isdigit():
        return min(float(retry_after), _LONGEST_PAUSE_SECONDS)
    return random.uniform(0, min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS))  # noqa: S311
