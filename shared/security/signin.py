"""Signing in through the bank's directory: OpenID Connect Core 1.0, the code flow with PKCE (RFC 7636), and logout that
the directory tells us of (OpenID Connect Back-Channel Logout 1.0).

Between going to the directory and coming back, what must match is sealed in a cookie of the browser; nothing is kept.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx

from shared.errors import Unauthenticated, Unavailable
from shared.security.ended import Ending
from shared.security.oidc import StaffTokens
from shared.security.principal import Principal

WAITING = 600  # seconds in which to come back from the directory
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class Begun:
    """What must match on coming back, and where to go then. `at`: seconds since 1970."""

    state: str
    nonce: str
    verifier: str
    back: str
    at: int


def begun(*, back: str, now: datetime) -> Begun:
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return Begun(state, nonce, verifier, back, int(now.timestamp()))


class Directory:
    """The bank's directory, to which we are the client `client_id`."""

    def __init__(self, tokens: StaffTokens, client_id: str, *, secret: str | None, scopes: str) -> None:
        self._tokens, self._client_id, self._secret, self._scopes = tokens, client_id, secret, scopes

    async def address(self, started: Begun, redirect_uri: str) -> str:
        """Where to send the browser. Raises Unavailable."""
        challenge = hashlib.sha256(started.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": self._scopes,
            "state": started.state,
            "nonce": started.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        endpoint = await self._tokens.endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    async def person(
        self, started: Begun, *, state: str, code: str, redirect_uri: str, now: datetime
    ) -> tuple[Principal, str | None]:
        """Who came back with `code`, and their session's name at the directory. Raises Unauthenticated when anything
        does not match, Unavailable when the directory does not answer."""
        if not hmac.compare_digest(state.encode(), started.state.encode()) or now.timestamp() > started.at + WAITING:
            raise Unauthenticated("This is no answer to a question of ours, or it came too late.")
        said = await self._token(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": started.verifier,
                "client_id": self._client_id,
            }
        )
        claims = await self._tokens.claims(str(said.get("id_token", "")), audience=self._client_id)
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), started.nonce.encode()):
            raise Unauthenticated("The token answers another question.")
        session = claims.get("sid")
        return self._tokens.principal(claims), str(session)[:190] if session else None

    async def _token(self, form: dict[str, str]) -> dict[str, Any]:
        endpoint = await self._tokens.endpoint("token_endpoint")
        auth = httpx.BasicAuth(self._client_id, self._secret) if self._secret else httpx.USE_CLIENT_DEFAULT
        try:
            answer = await self._tokens.client.post(endpoint, data=form, auth=auth)
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable("The staff directory does not answer.") from error
        if answer.status_code >= 500:
            raise Unavailable("The staff directory does not answer.")
        if answer.status_code != 200 or not isinstance(said, dict):
            raise Unauthenticated("The staff directory does not know this answer.")
        return said

    async def logout(self, token: str, *, now: datetime) -> Ending:
        """What a logout token (section 2.4 there) ends. Raises Unauthenticated, or Unavailable."""
        required = ("iat", "iss", "aud", "jti", "events")
        claims = await self._tokens.claims(token, audience=self._client_id, required=required)
        events, sub, sid = claims["events"], claims.get("sub"), claims.get("sid")
        if not isinstance(events, dict) or _LOGOUT not in events or "nonce" in claims or not (sub or sid):
            raise Unauthenticated("This is no logout token.")
        at = min(now, datetime.fromtimestamp(float(claims["iat"]), UTC))  # so that sent again it ends nothing newer
        if sid:
            return Ending(at, directory_session=str(sid)[:190])
        return Ending(at, staff=f"staff:{sub}"[:100])
