"""How a command reaches the running APIs: the address and token given, else our own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any, Self

import httpx
import typer

from services.command_line.installation import SERVICES, Installation

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url", help="Where Plumbline answers, such as http://host:8080; this machine's own when left out."
    ),
]
TokenOption = Annotated[
    str | None, typer.Option("--token", help="A token; the first administrator's when left out.")
]
_SECONDS = 30.0


class Refused(Exception):
    """A service answered with a problem; the message is what the problem says."""

    def __init__(self, method: str, path: str, answer: httpx.Response) -> None:
        problem = _problem(answer)
        detail = problem.get("detail") or answer.text[:300]
        errors = "; ".join(
            f"{e.get('pointer', '')}: {e.get('detail', '')}" for e in problem.get("errors", [])
        )
        remedy = problem.get("remedy", "")
        super().__init__(f"{method} {path}: {answer.status_code} {detail} {errors} {remedy}".strip())
        self.status, self.code = answer.status_code, problem.get("code", "")


class Access:
    """The four APIs at one address, or each at its own: `addresses` maps a service to its base URL."""

    def __init__(self, addresses: Mapping[str, str], token: str) -> None:
        self._addresses = addresses
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}"}, timeout=_SECONDS, trust_env=False
        )

    @classmethod
    def of(cls, url: str | None, token: str | None) -> Access:
        """Return the access that the options ask for; raises `NotRunning` when nothing runs here."""
        installation = Installation.of(os.environ)
        base = (url or installation.running().url).rstrip("/")
        return cls.at(base, token or installation.first_token()[0])

    @classmethod
    def at(cls, url: str, token: str) -> Access:
        """Return access to services at one address, or at `intake=http://host:1,demand=http://host:2,...`."""
        if "=" in url:
            pairs = (each.split("=", 1) for each in url.split(","))
        else:
            pairs = ([name, url] for name in SERVICES)
        return cls({name: f"{base.rstrip('/')}/{name}" for name, base in pairs}, token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, service: str, path: str, **params: Any) -> Any:
        """Return the answer's JSON; raises `Refused`."""
        return await self._ask("GET", service, path, params=params)

    async def post(self, service: str, path: str, body: Any, *, key: str | None = None) -> Any:
        """Post a command, with an idempotency key where given; raises `Refused`."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self._ask("POST", service, path, json=body, headers=headers)

    async def post_anew(self, service: str, path: str, body: Any, *, key: str) -> bool:
        """Post a command and tell whether it is new: False for an answer given before; raises `Refused`."""
        answer = await self._send("POST", service, path, json=body, headers={"Idempotency-Key": key})
        return "Idempotency-Replayed" not in answer.headers

    async def post_bytes(self, service: str, path: str, body: bytes) -> Any:
        """Post a body that is JSON already; raises `Refused`."""
        headers = {"Content-Type": "application/json"}
        return await self._ask("POST", service, path, content=body, headers=headers)

    async def _ask(self, method: str, service: str, path: str, **options: Any) -> Any:
        answer = await self._send(method, service, path, **options)
        return answer.json() if answer.content else None

    async def _send(self, method: str, service: str, path: str, **options: Any) -> httpx.Response:
        answer = await self._client.request(method, f"{self._addresses[service]}{path}", **options)
        if answer.is_error:
            raise Refused(method, f"/{service}{path}", answer)
        return answer


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
