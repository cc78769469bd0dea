"""Staff tokens: only what the directory signed for us, now; its keys are cached, rotated and not hammered for."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from shared.errors import Unauthenticated, Unavailable
from shared.security import oidc
from shared.security.oidc import ClaimNames, StaffTokens
from shared.security.principal import Role

ISSUER = "https://directory.bank.example"
AUDIENCE = "redress"
RSA = rsa.generate_private_key(65537, 2048)
OTHER_RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


class Directory:
    """The bank's directory, played: its discovery document, its keys, and how often it was asked."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {"rsa-1": RSA, "ec-1": EC}
        self.asked: list[str] = []
        self.answer: Any = None
        self.client = httpx.AsyncClient(transport=httpx.MockTransport(self._respond))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            found: httpx.Response = self.answer
            return found
        if request.url.path == "/.well-known/openid-configuration":
            return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"})
        return httpx.Response(200, json={"keys": [self._jwk(kid, key) for kid, key in self.keys.items()]})

    @staticmethod
    def _jwk(kid: str, key: Any) -> dict[str, Any]:
        algorithm, name = (RSAAlgorithm, "RS256") if isinstance(key, rsa.RSAPrivateKey) else (ECAlgorithm, "ES256")
        return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, "alg": name, "use": "sig"}


@pytest.fixture
def directory() -> Directory:
    return Directory()


@pytest.fixture
async def staff(directory: Directory) -> Any:
    found = StaffTokens(ISSUER, AUDIENCE, client=directory.client)
    yield found
    await found.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Monotonic seconds, set by hand."""
    now = [1_000_000.0]
    monkeypatch.setattr(oidc.time, "monotonic", lambda: now[0])
    return now


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-7", "iat": now, "exp": now + 600, "roles": ["officer"]}
    return {k: v for k, v in (claims | changes).items() if v is not ...}


def _token(key: Any = RSA, kid: str | None = "rsa-1", algorithm: str = "RS256", **changes: Any) -> str:
    return jwt.encode(_claims(**changes), key, algorithm=algorithm, headers={"kid": kid} if kid else None)


@pytest.mark.parametrize(("key", "kid", "algorithm"), [(RSA, "rsa-1", "RS256"), (EC, "ec-1", "ES256")])
async def test_a_good_token_names_the_person_and_their_roles(
    staff: StaffTokens, key: Any, kid: str, algorithm: str
) -> None:
    found = await staff.check(_token(key, kid, algorithm, roles=["officer", "auditor", "cleaner"]))
    assert found.id == "staff:u-7"
    assert found.roles == {Role.OFFICER, Role.AUDITOR}, "roles that are not ours are passed over"
    assert found.scopes == found.channels == frozenset()
    assert found.key_id is None


@pytest.mark.parametrize(
    ("roles", "expected"),
    [("officer auditor", {"officer", "auditor"}), ([], set()), ("", set()), (..., set()), (["OFFICER"], set()),
     (7, set()), ([{"a": 1}, None, "admin"], {"admin"})],
)  # fmt: skip
async def test_roles_come_as_a_list_or_as_words(staff: StaffTokens, roles: Any, expected: set[str]) -> None:
    assert (await staff.check(_token(roles=roles))).roles == expected


async def test_the_claim_that_holds_the_roles_can_be_named(directory: Directory) -> None:
    keys_at = f"{ISSUER}/jwks"
    staff = StaffTokens(ISSUER, AUDIENCE, client=directory.client, names=ClaimNames("groups"), jwks_url=keys_at)
    assert (await staff.check(_token(groups=["admin"]))).roles == {Role.ADMIN}
    assert directory.asked == ["/jwks"], "no discovery where the address is given"
    await staff.close()


def _plain(**changes: Any) -> str:
    """A token with `alg: none`."""
    parts = [{"alg": "none", "typ": "JWT", "kid": "rsa-1"}, _claims(**changes)]
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts) + "."


def _signed_with_the_public_key() -> str:
    """HS256 with the public key as the secret, which anybody knows."""
    public = RSA.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": "rsa-1"}).encode()).rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(_claims()).encode()).rstrip(b"=")
    mac = base64.urlsafe_b64encode(hmac.new(public, head + b"." + body, hashlib.sha256).digest()).rstrip(b"=")
    return (head + b"." + body + b"." + mac).decode()


BAD = {
    "wrong issuer": lambda: _token(iss="https://elsewhere.example"),
    "wrong audience": lambda: _token(aud="payroll"),
    "expired": lambda: _token(exp=int(time.time()) - 120),
    "not valid yet": lambda: _token(nbf=int(time.time()) + 3600),
    "no expiry": lambda: _token(exp=...),
    "no subject": lambda: _token(sub=...),
    "no audience": lambda: _token(aud=...),
    "no issuer": lambda: _token(iss=...),
    "alg none": _plain,
    "HS256 with the public key": _signed_with_the_public_key,
    "HS256": lambda: jwt.encode(_claims(), "s" * 32, algorithm="HS256", headers={"kid": "rsa-1"}),
    "unknown kid": lambda: _token(kid="nobody"),
    "no kid": lambda: _token(kid=None),
    "another's signature": lambda: _token(OTHER_RSA),
    "kid of another algorithm": lambda: _token(RSA, "ec-1"),
    "changed": lambda: _token()[:-6] + "AAAAAA",
    "empty": lambda: "",
    "nonsense": lambda: "a.b.c",
    "not even that": lambda: "é" * 50,
    "a key of ours": lambda: "rdk_0123456789_secret",
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
async def test_everything_else_is_refused(staff: StaffTokens, make: Any) -> None:
    with pytest.raises(Unauthenticated) as raised:
        await staff.check(make())
    assert "u-7" not in raised.value.detail


async def test_a_small_difference_between_clocks_is_forgiven(staff: StaffTokens) -> None:
    assert await staff.check(_token(exp=int(time.time()) - 5))
    assert await staff.check(_token(iat=int(time.time()) + 5))


async def test_keys_are_asked_for_once_and_again_when_they_are_old(
    staff: StaffTokens, directory: Directory, clock: list[float]
) -> None:
    for _ in range(5):
        await staff.check(_token())
    assert directory.asked == ["/.well-known/openid-configuration", "/jwks"]
    clock[0] += 301
    await staff.check(_token())
    assert len(directory.asked) == 4


async def test_a_new_key_is_picked_up_at_its_first_token_and_an_old_one_dropped(
    staff: StaffTokens, directory: Directory, clock: list[float]
) -> None:
    await staff.check(_token())
    directory.keys = {"rsa-2": OTHER_RSA}
    clock[0] += 11
    assert (await staff.check(_token(OTHER_RSA, "rsa-2"))).id == "staff:u-7"
    clock[0] += 11
    with pytest.raises(Unauthenticated):
        await staff.check(_token())


async def test_forged_key_ids_do_not_make_us_hammer_the_directory(
    staff: StaffTokens, directory: Directory, clock: list[float]
) -> None:
    await staff.check(_token())
    directory.asked.clear()
    for second in range(30):
        clock[0] += 1
        with pytest.raises(Unauthenticated):
            await staff.check(_token(kid=f"forged-{second}"))
    assert directory.asked.count("/jwks") <= 3


@pytest.mark.parametrize(
    "answer",
    [httpx.ConnectError("away"), httpx.ReadTimeout("slow"), httpx.Response(500), httpx.Response(200, text="<html>"),
     httpx.Response(200, json=[]), httpx.Response(200, json={"keys": []}),
     httpx.Response(200, json={"jwks_uri": "x:"})],
    ids=["away", "slow", "500", "no JSON", "no object", "no keys", "odd address"],
)  # fmt: skip
async def test_while_the_directory_is_away_old_keys_serve_and_without_any_we_say_so(
    staff: StaffTokens, directory: Directory, clock: list[float], answer: Any
) -> None:
    directory.answer = answer
    with pytest.raises(Unavailable):
        await staff.check(_token())
    directory.answer = None
    assert await staff.check(_token()), "it recovers by itself"

    directory.answer = answer
    clock[0] += 3_600
    assert await staff.check(_token()), "an hour old, and still believed"
    clock[0] += 86_400
    with pytest.raises(Unavailable):
        await staff.check(_token())
