"""Staff tokens: OpenID Connect JWTs, checked for signature, issuer, audience, time; keys are cached and rotated."""

import asyncio
import time
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


class StaffTokens:
    """Checks tokens of one issuer. `jwks_url` unset: found at the issuer's discovery document."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        jwks_url: str | None = None,
        roles_claim: str = "roles",
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._jwks_url = jwks_url
        self._roles_claim = roles_claim
        self._client = client or httpx.AsyncClient(timeout=5)
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._asked = float("-inf")
        self._turn = asyncio.Lock()

    async def check(self, token: str) -> Principal:
        """The person that `token` names, with their roles here. Raises Unauthenticated, or Unavailable when the keys
        can't be had. Roles that we do not know are passed over."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise Unauthenticated("The token cannot be read.") from None
        if header.get("alg") not in ALGORITHMS:
            raise Unauthenticated("The token's algorithm is not accepted.")
        key = await self._key(str(header.get("kid", "")))
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                leeway=30,
                options={"require": ["exp", "iat", "sub", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("The token has expired.") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise Unauthenticated("The token is not valid here.") from None
        held = claims.get(self._roles_claim, [])
        names = held if isinstance(held, list) else str(held).split()
        roles = frozenset(Role(n) for n in names if isinstance(n, str) and n in set(Role))
        return Principal(id=f"staff:{claims['sub']}", roles=roles)

    async def _key(self, kid: str) -> jwt.PyJWK:
        age = time.monotonic() - self._fetched
        if kid not in self._keys or age > _FRESH:
            async with self._turn:
                await self._refresh(kid)
        found = self._keys.get(kid)
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
        try:
            url = (
                self._jwks_url
                or (await self._json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"))["jwks_uri"]
            )
            found = jwt.PyJWKSet.from_dict(await self._json(url))
        except (httpx.HTTPError, KeyError, ValueError, jwt.PyJWTError) as error:
            if not self._keys or now - self._fetched > _STALE:
                self._asked = float("-inf")
                raise Unavailable("The staff directory's keys cannot be had.") from error
            return
        self._keys = {str(k.key_id): k for k in found.keys if k.key_id is not None}
        self._fetched = now

    async def _json(self, url: str) -> dict[str, Any]:
        answer = await self._client.get(url)
        answer.raise_for_status()
        body = answer.json()
        if not isinstance(body, dict):
            raise ValueError("not a JSON object")
        return body

    async def close(self) -> None:
        await self._client.aclose()
