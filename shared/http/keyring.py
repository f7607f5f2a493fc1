"""The public keys that tokens are verified with: inline, from a file or from a URL."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey

_LOG = structlog.get_logger(__name__)
_FRESH_SECONDS = 600.0
_RETRY_SECONDS = 30.0
_FETCH_SECONDS = 5.0
_LARGEST_BYTES = 262_144
_SMALLEST_RSA_BITS = 2048


class UnfitKeys(ValueError):
    """The JWKS is not one that a verifier may hold; the text says why."""


class KeyRing:
    """Public keys by `kid`; what was read last is kept when reading again fails."""

    def __init__(
        self,
        source: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source.strip()
        self._transport = transport
        self._monotonic = monotonic
        self._keys: Mapping[str, Key] = {}
        self._read_at = self._tried_at = float("-inf")
        self._reading = asyncio.Lock()
        if self._inline:
            self._keys = public_keys(self._source)

    @property
    def _inline(self) -> bool:
        return self._source.startswith("{")

    async def open(self) -> None:
        """Read the keys for the first time; a URL that does not answer yet is asked again later."""
        if self._inline:
            return
        if self._remote:
            await self._read()
        else:
            self._keys = public_keys(await asyncio.to_thread(Path(self._source).read_text))
            self._tried_at = self._read_at = self._monotonic()

    @property
    def _remote(self) -> bool:
        return self._source.startswith(("https://", "http://"))

    async def find(self, kid: str) -> Key | None:
        """Return the key; an unknown `kid` or old keys cause one reading, at most every 30 seconds."""
        stale = self._monotonic() - self._read_at > _FRESH_SECONDS
        if (stale or kid not in self._keys) and not self._inline:
            async with self._reading:
                if self._monotonic() - self._tried_at > _RETRY_SECONDS:
                    await self._read()
        return self._keys.get(kid)

    async def _read(self) -> None:
        self._tried_at = self._monotonic()
        try:
            if self._remote:
                text = await self._fetch()
            else:
                text = await asyncio.to_thread(Path(self._source).read_text)
            self._keys = public_keys(text)
            self._read_at = self._monotonic()
        except (OSError, httpx.HTTPError, UnfitKeys) as error:
            _LOG.warning("the signing keys could not be read; the known ones are kept", error=str(error))

    async def _fetch(self) -> str:
        async with (
            httpx.AsyncClient(timeout=_FETCH_SECONDS, trust_env=False, transport=self._transport) as client,
            client.stream("GET", self._source) as response,
        ):
            response.raise_for_status()
            body = b""
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _LARGEST_BYTES:
                    raise UnfitKeys("the JWKS is larger than 256 KiB")
            return body.decode()


def public_keys(text: str) -> Mapping[str, Key]:
    """Read a JWKS. Raises `UnfitKeys` for private, symmetric or weak keys: a verifier must hold none."""
    try:
        listed: Any = json.loads(text)["keys"]
        if any(entry.get("kty") == "oct" or "d" in entry for entry in listed):
            raise UnfitKeys("the JWKS holds a secret; give services the public keys only")
        keys = KeySet.import_key_set(
            {"keys": [entry for entry in listed if entry.get("use", "sig") == "sig"]}
        )
    except (ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
        raise error if isinstance(error, UnfitKeys) else UnfitKeys(f"this is no JWKS: {error}") from error
    return {str(key.kid): key for key in keys.keys if _strong(key)}


def _strong(key: Key) -> bool:
    if isinstance(key, RSAKey):
        return key.public_key.key_size >= _SMALLEST_RSA_BITS
    return (isinstance(key, OKPKey) and key.curve_name == "Ed25519") or (
        isinstance(key, ECKey) and key.curve_name == "P-256"
    )
