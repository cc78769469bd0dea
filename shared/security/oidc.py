"""Staff tokens: OpenID Connect JWTs, checked for signature, issuer, audience, time; keys are cached and rotated."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import jwt

from shared.errors import Unauthenticated, Unavailable
from shared.security.principal import Principal, Role

# Asymmetric only: with an HMAC algorithm anybody who knows the public key could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_FRESH = 300.0  # seconds a key set is believed without asking
_STALE = 86_400.0  # seconds it still serves while the directory is away
_ASK_AT_MOST = 10.0  # seconds between two questions for keys that we do not know


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Under which claims a directory says a person's roles, branch and departments."""

    roles: str = "roles"
    branch: str = "branch"
    departments: str = "departments"


class StaffTokens:
    """Checks tokens of one issuer. `jwks_url` unset: found at the issuer's discovery document."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        jwks_url: str | None = None,
        names: ClaimNames | None = None,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks_url = jwks_url
        self._names = names or ClaimNames()
        self._endpoints: dict[str, Any] = {}
        self.client = client or httpx.AsyncClient(timeout=5)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._asked = float("-inf")
        self._turn = asyncio.Lock()

    async def check(self, token: str) -> Principal:
        """The person that `token` names, with their roles here. Raises Unauthenticated, or Unavailable when the keys
        can't be had. Roles that we do not know are passed over."""
        return self.principal(await self.claims(token))

    def principal(self, claims: Mapping[str, Any]) -> Principal:
        """The person of whom a token says `claims`."""
        held = _texts(claims.get(self._names.roles))
        branch = next(iter(_texts(claims.get(self._names.branch))), None)
        return Principal(
            id=f"staff:{claims['sub']}"[:100],
            roles=frozenset(Role(name) for name in held if name in set(Role)),
            branch=branch,
            departments=frozenset(_texts(claims.get(self._names.departments))),
        )

    async def claims(
        self, token: str, *, audience: str | None = None, required: Sequence[str] = ("exp", "iat", "sub", "iss", "aud")
    ) -> dict[str, Any]:
        """What `token` says, once its signature, issuer, audience (unset: ours as an API) and time hold. Raises
        Unauthenticated, or Unavailable when the keys can't be had."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise Unauthenticated("The token cannot be read.") from None
        if header.get("alg") not in ALGORITHMS:
            raise Unauthenticated("The token's algorithm is not accepted.")
        key = await self._key(str(header.get("kid", "")))
        try:
            found: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=audience or self._audience,
                issuer=self._issuer,
                leeway=30,
                options={"require": list(required)},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise Unauthenticated("The token is not valid here.") from None
        return found

    async def endpoint(self, name: str) -> str:
        """An address of the directory, such as `token_endpoint`. Raises Unavailable."""
        if name not in self._endpoints:
            try:
                self._endpoints = await self._json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
                return str(self._endpoints[name])
            except (httpx.HTTPError, KeyError, ValueError) as error:
                raise Unavailable("The staff directory does not answer.") from error
        return str(self._endpoints[name])

    async def _key(self, kid: str) -> jwt.PyJWK:
        age = time.monotonic() - self._fetched
        if kid not in self._keys or age > _FRESH:
            async with self._turn:
                await self._refresh(kid)
        found = self._keys.get(kid)
        if found is None and not kid and len(self._keys) == 1:
            found = next(iter(self._keys.values()))  # a directory with one key need not name it (Core 1.0, 10.1)
        if found is None:
            raise Unauthenticated("The token is signed with an unknown key.")
        return found

    async def _refresh(self, kid: str) -> None:
        now = time.monotonic()
        if kid in self._keys and now - self._fetched <= _FRESH:
            return  # another request fetched them while we waited
        if now - self._asked < _ASK_AT_MOST:
            return  # do not let forged key ids turn us into a hammer
        self._asked = now
        self._endpoints = {}
        try:
            url = self._jwks_url or await self.endpoint("jwks_uri")
            found = jwt.PyJWKSet.from_dict(await self._json(url))
        except (Unavailable, httpx.HTTPError, httpx.InvalidURL, ValueError, jwt.PyJWTError) as error:
            if not self._keys or now - self._fetched > _STALE:
                self._asked = float("-inf")
                raise Unavailable("The staff directory's keys cannot be had.") from error
            return
        self._keys = {str(k.key_id or ""): k for k in found.keys}
        self._fetched = now

    async def _json(self, url: str) -> dict[str, Any]:
        answer = await self.client.get(url)
        answer.raise_for_status()
        body = answer.json()
        if not isinstance(body, dict):
            raise ValueError("not a JSON object")
        return body

    async def close(self) -> None:
        await self.client.aclose()


def _texts(claim: object) -> list[str]:
    """A claim as texts: directories write a list, or one text with spaces between."""
    held = claim if isinstance(claim, list) else str(claim or "").split()
    return [text[:64] for text in held if isinstance(text, str)]
