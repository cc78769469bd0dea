"""Signing in to pages as browsers do, for tests."""

import re
from collections.abc import Iterator

import httpx
from fastapi import FastAPI

from shared.security import sessions
from shared.web.access import COOKIE, FORM_TOKEN, FORM_TOKEN_HEADER, Authenticator, form_token

_TOKEN = re.compile(r'name="form_token" value="([0-9a-f]{64})"')


async def enter(app: FastAPI, client: httpx.AsyncClient, key: str) -> None:
    """From now on `client` sends the cookie of one who signed in with `key`, and the token of our forms."""
    authenticator: Authenticator = app.state.authenticator
    known = authenticator.sessions
    assert known.keys is not None
    session = sessions.begin(await authenticator.holder(key), now=known.clock(), credential=key)
    client.headers["cookie"] = f"{COOKIE}={sessions.seal(known.keys, session)}"
    client.headers[FORM_TOKEN_HEADER] = form_token(session)


class OwnForm(httpx.Auth):
    """Sends `token` as a browser does: in a field among those that people filled in."""

    requires_request_body = True

    def __init__(self, token: str) -> None:
        self._field = f"{FORM_TOKEN}={token}".encode()

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        if request.headers.get("content-type") == "application/x-www-form-urlencoded":
            headers = httpx.Headers(request.headers)
            del headers["content-length"]
            content = request.content + b"&" + self._field
            request = httpx.Request(request.method, request.url, headers=headers, content=content)
        yield request


def token_in(page: str) -> str:
    """The token of the first of our forms in a page."""
    found = _TOKEN.search(page)
    assert found is not None, "no form with a token"
    return found[1]


def cookie_of(url: str, key: str) -> str:
    """The cookie of one who signs in with `key` at the service at `url`, over HTTP."""
    answer = httpx.post(f"{url.rstrip('/')}/session", data={"credential": key}, timeout=30)
    assert answer.status_code == 303, answer.text
    return answer.cookies[COOKIE]
