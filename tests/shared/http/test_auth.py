"""Only a token that this issuer signed for us, now, lets anybody in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey

from shared.http.auth import ALGORITHMS, TokenAuthenticator
from shared.http.exchange import Principal
from shared.http.issuer import Issuer, UnsafeKeyFile
from shared.http.keyring import KeyRing, UnfitKeys, public_keys
from shared.http.problems import Problem
from tests.shared.http.conftest import A_REQUEST, NOON, House
from tests.support.clock import FixedClock

NOW = int(NOON.timestamp())
READ = f"/v1/requests/{A_REQUEST}"
GOOD: dict[str, Any] = {
    "iss": "plumbline",
    "aud": "plumbline",
    "sub": "anna",
    "exp": NOW + 600,
    "roles": ["requester"],
}


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


async def refused(house: House, authorization: str) -> dict[str, Any]:
    answer = await house.client.get(READ, headers={"Authorization": authorization})
    assert answer.status_code == 401, answer.text
    assert answer.headers["www-authenticate"].startswith('Bearer realm="plumbline"')
    told: dict[str, Any] = answer.json()
    assert told["code"] == "unauthenticated"
    return told


def key_of(house: House) -> OKPKey:
    key: OKPKey = house.issuer._key
    return key


def signed(key: Any, claims: dict[str, Any], algorithm: str = "Ed25519", **header: Any) -> str:
    return "Bearer " + jwt.encode(
        {"alg": algorithm, "kid": key.kid, **header}, claims, key, algorithms=[algorithm]
    )


async def test_a_good_token_lets_in(house: House) -> None:
    answer = await house.client.get(READ, headers={"Authorization": signed(key_of(house), GOOD)})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c", "Bearer ....", "Token x"],
)
async def test_what_is_no_token_is_refused(house: House, authorization: str) -> None:
    await refused(house, authorization)


async def test_no_header_at_all_is_refused(house: House) -> None:
    del house.client.headers["Authorization"]
    answer = await house.client.get(READ)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="plumbline"'


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE"])
async def test_the_algorithm_none_is_refused(house: House, algorithm: str) -> None:
    header = {"alg": algorithm, "kid": key_of(house).kid, "typ": "JWT"}
    for signature in ("", "AAAA"):
        await refused(house, f"Bearer {part(header)}.{part(GOOD)}.{signature}")


async def test_the_public_key_is_no_shared_secret(house: House) -> None:
    public = key_of(house)
    raw = public.public_key.public_bytes_raw()
    for secret in (public.as_pem(private=False), house.issuer.jwks().encode(), raw):
        text = f"{part({'alg': 'HS256', 'kid': public.kid, 'typ': 'JWT'})}.{part(GOOD)}"
        mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
        await refused(house, f"Bearer {text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}")


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({"exp": NOW - 31}, "expired"),
        ({"exp": None}, "iss, aud, exp, sub"),
        ({"exp": "tomorrow"}, "exp"),
        ({"nbf": NOW + 3600}, ""),
        ({"iss": "somebody-else"}, "iss"),
        ({"iss": None}, "iss, aud, exp, sub"),
        ({"aud": "another-service"}, "aud"),
        ({"aud": ["a", "b"]}, "aud"),
        ({"aud": None}, "iss, aud, exp, sub"),
        ({"sub": None}, "iss, aud, exp, sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
    ],
)
async def test_wrong_claims_are_refused_and_named(house: House, change: dict[str, Any], about: str) -> None:
    claims = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    assert about in (await refused(house, signed(key_of(house), claims)))["detail"]


async def test_clocks_may_differ_by_half_a_minute(house: House) -> None:
    token = signed(key_of(house), {**GOOD, "exp": NOW - 20})
    assert (await house.client.get(READ, headers={"Authorization": token})).status_code == 200


async def test_another_key_under_our_kid_is_refused(house: House) -> None:
    theirs = OKPKey.generate_key("Ed25519", {"kid": key_of(house).kid})
    assert "signature" in (await refused(house, signed(theirs, GOOD)))["detail"]


async def test_keys_that_the_token_brings_along_are_ignored(house: House) -> None:
    theirs = OKPKey.generate_key("Ed25519", auto_kid=True)
    await refused(house, signed(theirs, GOOD, jwk=theirs.as_dict(private=False)))
    await refused(house, signed(theirs, GOOD, jku="https://attacker.test/keys"))


async def test_a_changed_payload_is_refused(house: House) -> None:
    header, _, signature = signed(key_of(house), GOOD).split(".")
    await refused(house, f"{header}.{part({**GOOD, 'roles': ['administrator']})}.{signature}")


async def test_other_kinds_of_jwt_are_refused(house: House) -> None:
    await refused(house, signed(key_of(house), GOOD, typ="id+jwt"))


async def test_an_oversized_token_is_refused_before_it_is_read(house: House) -> None:
    token = signed(key_of(house), {**GOOD, "roles": ["x" * 9000]})
    assert "8 KiB" in (await refused(house, token))["detail"]


async def test_a_token_is_forgotten_when_it_expires(house: House) -> None:
    token = house.token(ttl=timedelta(seconds=20))
    assert (await house.client.get(READ, headers=token)).status_code == 200
    house.clock.advance(timedelta(seconds=51))
    await refused(house, token["Authorization"])


async def test_nobody_outside_is_the_system(house: House) -> None:
    authenticator = house.api.rules.authenticator
    token = house.token("system", "auditor")["Authorization"].encode()
    assert (await authenticator.authenticate(token)).roles == {"auditor"}


async def test_a_principal_is_remembered_for_a_minute_and_the_oldest_forgotten(issuer: Issuer) -> None:
    now = [float(NOW)]
    authenticator = TokenAuthenticator(
        KeyRing(issuer.jwks()), issuer="plumbline", audience="plumbline", now=lambda: now[0], capacity=2
    )
    tokens = [
        f"Bearer {issuer.mint(name, ['requester'], timedelta(hours=1))}".encode()
        for name in ("anna", "ben", "carla")
    ]
    for token in tokens:
        await authenticator.authenticate(token)
    assert [authenticator.remembered(token) is None for token in tokens] == [True, False, False]
    known = authenticator.remembered(tokens[2])
    assert known is not None
    assert known.name == "carla"
    now[0] += 61
    assert authenticator.remembered(tokens[2]) is None


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (OKPKey.generate_key("Ed25519", auto_kid=True), "Ed25519"),
        (ECKey.generate_key("P-256", auto_kid=True), "ES256"),
        (RSAKey.generate_key(2048, auto_kid=True), "RS256"),
    ],
    ids=["Ed25519", "ES256", "RS256"],
)
async def test_the_usual_algorithms_are_understood(key: Any, algorithm: str) -> None:
    ring = KeyRing(json.dumps(KeySet([key]).as_dict(private=False)))
    authenticator = TokenAuthenticator(ring, issuer="plumbline", audience="plumbline", now=lambda: NOW)
    assert algorithm in ALGORITHMS
    principal = await authenticator.authenticate(signed(key, GOOD, algorithm).encode())
    assert principal == Principal(name="anna", roles=frozenset({"requester"}), expires=NOW + 600)


async def test_the_older_name_of_eddsa_is_understood_without_a_warning() -> None:
    key = OKPKey.generate_key("Ed25519", auto_kid=True)
    text = f"{part({'alg': 'EdDSA', 'kid': key.kid})}.{part(GOOD)}"
    signature = base64.urlsafe_b64encode(key.private_key.sign(text.encode())).decode().rstrip("=")  # type: ignore[union-attr]
    ring = KeyRing(json.dumps(KeySet([key]).as_dict(private=False)))
    authenticator = TokenAuthenticator(ring, issuer="plumbline", audience="plumbline", now=lambda: NOW)
    assert (await authenticator.authenticate(f"Bearer {text}.{signature}".encode())).name == "anna"


def test_a_verifier_takes_no_secrets_and_no_weak_keys() -> None:
    private = OKPKey.generate_key("Ed25519", auto_kid=True)
    for unfit in (
        json.dumps(KeySet([private]).as_dict(private=True)),
        json.dumps({"keys": [OctKey.generate_key(256).as_dict(private=True)]}),
        "{}",
        "not json",
    ):
        with pytest.raises(UnfitKeys):
            public_keys(unfit)
    with pytest.warns(SecurityWarning):
        weak = RSAKey.generate_key(1024, auto_kid=True)
    with pytest.warns(SecurityWarning):
        assert public_keys(json.dumps(KeySet([weak]).as_dict(private=False))) == {}


class Keys:
    """A server of keys that can be told to change them or to fail."""

    def __init__(self) -> None:
        self.content = ""
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        status = 200 if self.content else 503
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": self.content.encode()})


async def test_a_new_key_is_fetched_once_and_old_ones_survive_an_outage() -> None:
    old, new = (OKPKey.generate_key("Ed25519", auto_kid=True) for _ in range(2))
    server, now = Keys(), [1000.0]
    server.content = json.dumps(KeySet([old]).as_dict(private=False))
    ring = KeyRing(
        "https://issuer.test/jwks", transport=httpx.ASGITransport(app=server), monotonic=lambda: now[0]
    )
    await ring.open()
    assert await ring.find(str(old.kid))
    assert not await ring.find(str(new.kid))
    assert server.asked == 1, "an unknown kid asks at most every 30 seconds"
    now[0] += 31
    server.content = json.dumps(KeySet([old, new]).as_dict(private=False))
    assert await ring.find(str(new.kid))
    server.content = ""
    now[0] += 3600
    assert await ring.find(str(old.kid))
    assert await ring.find(str(new.kid))
    assert server.asked == 3


async def test_keys_from_a_file_follow_the_file(tmp_path: Path) -> None:
    key, now = OKPKey.generate_key("Ed25519", auto_kid=True), [1000.0]
    path = tmp_path / "jwks.json"
    path.write_text('{"keys": [' + json.dumps(key.as_dict(private=False)) + "]}")
    ring = KeyRing(str(path), monotonic=lambda: now[0])
    await ring.open()
    assert await ring.find(str(key.kid))
    path.write_text("half a fi")
    now[0] += 3600
    assert await ring.find(str(key.kid))


def test_the_issuers_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "issuer.json"
    first = Issuer.open(path, clock=FixedClock(NOON))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Issuer.open(path, clock=FixedClock(NOON)).jwks() == first.jwks()
    assert '"d"' not in first.jwks()
    path.chmod(0o644)
    with pytest.raises(UnsafeKeyFile, match="chmod 600"):
        Issuer.open(path, clock=FixedClock(NOON))


async def test_a_refusal_is_the_same_problem_in_code(house: House) -> None:
    with pytest.raises(Problem) as caught:
        await house.api.rules.authenticator.authenticate(b"Bearer x")
    assert caught.value.kind.status == 401
