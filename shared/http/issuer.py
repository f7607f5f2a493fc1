"""The local token issuer: one Ed25519 key in a file that only its owner can read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Self

from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from shared.runtime.clock import Clock
from shared.runtime.ids import uuid7

_PRIVATE = 0o600


class UnsafeKeyFile(Exception):
    """The key's file can be read by others; tokens could be forged."""


class Issuer:
    """Mints tokens for one machine; services get `jwks()` and never the key."""

    def __init__(self, key: OKPKey, *, name: str, audience: str, clock: Clock) -> None:
        self._key = key
        self._name = name
        self._audience = audience
        self._clock = clock

    @classmethod
    def open(cls, path: Path, *, name: str = "plumbline", audience: str = "plumbline", clock: Clock) -> Self:
        """Read the key, or make one when there is none; raises `UnsafeKeyFile` for a file others can read."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE)
        except FileExistsError:
            if path.stat().st_mode & 0o077:
                raise UnsafeKeyFile(f"{path} must be readable by its owner only: chmod 600 {path}") from None
            key = OKPKey.import_key(json.loads(path.read_text(encoding="utf-8")))
        else:
            key = OKPKey.generate_key("Ed25519", {"use": "sig"}, private=True, auto_kid=True)
            with os.fdopen(made, "w", encoding="utf-8") as file:
                json.dump(key.as_dict(private=True), file)
        key.ensure_kid()
        return cls(key, name=name, audience=audience, clock=clock)

    def jwks(self) -> str:
        """Return the public half, as JSON for `PLUMBLINE_JWKS`."""
        return json.dumps(KeySet([self._key]).as_dict(private=False))

    def mint(self, name: str, roles: Iterable[str], ttl: timedelta) -> str:
        """Return a token that says `name` holds these roles for `ttl` from now."""
        now = int(self._clock.now().timestamp())
        claims = {
            "iss": self._name,
            "aud": self._audience,
            "sub": name,
            "roles": sorted(roles),
            "iat": now,
            "exp": now + int(ttl.total_seconds()),
            "jti": str(uuid7()),
        }
        header = {"alg": "Ed25519", "kid": self._key.kid, "typ": "at+jwt"}
        return jwt.encode(header, claims, self._key, algorithms=["Ed25519"])
