"""Bearer tokens: verified with public keys only, and remembered briefly."""

from __future__ import annotations

import hashlib
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from shared.http.exchange import Principal
from shared.http.keyring import KeyRing
from shared.http.problems import Problem

ALGORITHMS = ("EdDSA", "Ed25519", "ES256", "RS256")
_KEY_TYPE = {"EdDSA": "OKP", "Ed25519": "OKP", "ES256": "EC", "RS256": "RSA"}
_LONGEST_TOKEN = 8192
_LEEWAY_SECONDS = 30
_REMEMBERED_SECONDS = 60.0
_TYPES = (None, "JWT", "at+jwt")
_SYSTEM = "system"


class Authenticator(Protocol):
    """The seam where another way of proving who one is (OIDC introspection, mutual TLS) goes in."""

    def remembered(self, authorization: bytes) -> Principal | None: ...

    async def authenticate(self, authorization: bytes) -> Principal:
        """Return whom this Authorization header speaks for; raises the problem `unauthenticated`."""
        ...


class _Registry(JWSRegistry):
    """Takes `EdDSA` (RFC 8037) without a warning per token: RFC 9864 renames it, issuers still write it."""

    def get_alg(self, name: str) -> Any:
        return self.algorithms[name] if name == "EdDSA" else super().get_alg(name)


def roles_claim(claims: Mapping[str, Any]) -> frozenset[str]:
    """Read `roles`, a list of strings. Nobody outside may call themselves `system`."""
    roles = claims.get("roles", [])
    if not isinstance(roles, list):
        return frozenset()
    return frozenset(role for role in roles if isinstance(role, str)) - {_SYSTEM}


class TokenAuthenticator:
    """Verifies JWTs (RFC 9068, RFC 8725) of one issuer for one audience."""

    def __init__(
        self,
        keys: KeyRing,
        *,
        issuer: str,
        audience: str,
        now: Callable[[], float] = time.time,
        roles_of: Callable[[Mapping[str, Any]], frozenset[str]] = roles_claim,
        capacity: int = 10_000,
    ) -> None:
        self._capacity = capacity
        self._keys = keys
        self._now = now
        self._roles_of = roles_of
        self._registry = _Registry(algorithms=ALGORITHMS, strict_check_header=False)
        self._claims = JWTClaimsRegistry(
            now=lambda: int(now()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._remembered: dict[bytes, tuple[Principal, float]] = {}

    def remembered(self, authorization: bytes) -> Principal | None:
        """Return the principal of a token verified in the last 60 seconds, without any cryptography."""
        known = self._remembered.get(hashlib.sha256(authorization).digest())
        return known[0] if known is not None and self._now() < known[1] else None

    async def authenticate(self, authorization: bytes) -> Principal:
        """Verify the token and remember its principal, at most until it expires."""
        token = _bearer(authorization)
        try:
            key, algorithm = await self._key_for(token)
            if key is None or key.key_type != _KEY_TYPE.get(algorithm):
                raise refusal("No key of this service's issuer signed the token.")
            verified = jwt.decode(token, key, registry=self._registry)
            self._claims.validate(verified.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise refusal(_reason(error)) from error
        principal = Principal(
            name=verified.claims["sub"],
            roles=self._roles_of(verified.claims),
            expires=float(verified.claims["exp"]),
        )
        self._remember(authorization, principal)
        return principal

    async def _key_for(self, token: bytes) -> tuple[Key | None, str]:
        header = json.loads(urlsafe_b64decode(token.partition(b".")[0] + b"=="))
        if not isinstance(header, dict) or header.get("typ") not in _TYPES:
            raise refusal("The token is not a JWT access token.")
        if header.get("alg") not in ALGORITHMS:
            raise refusal(f"The token's algorithm is not one of {', '.join(ALGORITHMS)}.")
        kid = header.get("kid")
        return (await self._keys.find(kid) if isinstance(kid, str) else None), header["alg"]

    def _remember(self, authorization: bytes, principal: Principal) -> None:
        if len(self._remembered) >= self._capacity:
            del self._remembered[next(iter(self._remembered))]
        until = min(self._now() + _REMEMBERED_SECONDS, principal.expires)
        digest = hashlib.sha256(authorization).digest()
        self._remembered.pop(digest, None)
        self._remembered[digest] = (principal, until)


def refusal(detail: str) -> Problem:
    """Return the 401 problem with the challenge that RFC 6750 asks for."""
    challenge = 'Bearer realm="plumbline", error="invalid_token"'
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": challenge})


def _bearer(authorization: bytes) -> bytes:
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"bearer" or not token:
        headers = {"WWW-Authenticate": 'Bearer realm="plumbline"'}
        raise Problem("unauthenticated", "The request carries no bearer token.", headers=headers)
    if len(token) > _LONGEST_TOKEN:
        raise refusal("The token is longer than 8 KiB.")
    return token.strip()


def _reason(error: Exception) -> str:
    code = getattr(error, "error", "")
    said = {
        "expired_token": "The token has expired.",
        "bad_signature": "The token's signature is wrong.",
        "invalid_claim": f"The token's claim is not what we expect: {getattr(error, 'claim', '')}.",
        "missing_claim": "The token lacks one of iss, aud, exp, sub.",
    }
    return said.get(code, "The token cannot be read.")
