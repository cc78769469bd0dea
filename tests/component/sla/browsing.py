"""A browser that is signed in, and fills in the forms that pages show."""

from html.parser import HTMLParser
from typing import Any

import httpx

from shared.web.access import FORM_TOKEN_HEADER
from tests.signing_in import enter


class _Forms(HTMLParser):
    """The hidden fields of each form of a page, by where it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[dict[str, str]]] = {}
        self._fields: dict[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method") == "post":
            self._fields = {}
            self.found.setdefault(given["action"], []).append(self._fields)
        elif tag == "input" and given.get("type") == "hidden" and self._fields is not None:
            self._fields[given["name"]] = given["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._fields = None


def forms_of(page: str) -> dict[str, list[dict[str, str]]]:
    """The forms of a page that change something."""
    found = _Forms()
    found.feed(page)
    return {action: those for action, those in found.found.items() if action != "/session/end"}


class Browser:
    """Whoever holds `token`, reading in English; signed in with the first request."""

    def __init__(self, app: Any, token: str) -> None:
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
            base_url="http://sla",
            headers={
                "accept": "text/html",
                "accept-language": "en",
                "sec-fetch-site": "same-origin",
            },
            event_hooks={"request": [self._signed_in]},
        )
        self.app, self.token = app, token

    async def _signed_in(self, request: httpx.Request) -> None:
        if "cookie" not in self.http.headers:
            await enter(self.app, self.http, self.token)
        request.headers["cookie"] = self.http.headers["cookie"]
        request.headers[FORM_TOKEN_HEADER] = self.http.headers[FORM_TOKEN_HEADER]

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(path)

    async def read(self, path: str) -> str:
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def forms(self, path: str) -> dict[str, list[dict[str, str]]]:
        return forms_of(await self.read(path))

    async def send(self, page: str, action: str, /, **filled: str) -> httpx.Response:
        """Fill in and send the form of `page` that goes to `action`. KeyError where the page shows no such form."""
        (hidden, *_) = (await self.forms(page))[action]
        assert hidden["form_token"] == self.http.headers[FORM_TOKEN_HEADER]
        return await self.http.post(action, data=hidden | filled)
