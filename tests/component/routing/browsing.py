"""A browser for routing's pages: it has the cookie of whoever signed in, and sends forms as our own pages do."""

import re
from html import unescape
from typing import Any

import httpx

from shared.web.access import FORM_TOKEN, FORM_TOKEN_HEADER
from tests.signing_in import enter


class Browser:
    """`who` signed in, in English."""

    def __init__(self, routing: Any, who: str) -> None:
        self._app = routing.http._transport.app
        self._key = routing.tokens[who]
        headers = {"accept": "text/html", "accept-language": "en", "sec-fetch-site": "same-origin"}
        transport = httpx.ASGITransport(app=self._app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://routing", headers=headers)

    async def signed_in(self) -> httpx.AsyncClient:
        if "cookie" not in self.http.headers:
            await enter(self._app, self.http, self._key)
        return self.http

    async def get(self, path: str) -> httpx.Response:
        return await (await self.signed_in()).get(path)

    async def page(self, path: str) -> str:
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def send(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form; a list is a field that is there several times."""
        http = await self.signed_in()
        return await http.post(path, data={FORM_TOKEN: http.headers[FORM_TOKEN_HEADER], **fields})


def references(page: str) -> list[str]:
    """The cases of a list, in its order."""
    return re.findall(r'class="open"[^>]*>([^<]+)</a>', page)


def plain(page: str) -> str:
    """What a page says, without its marks."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def hidden(page: str, name: str) -> str:
    """The value of the first field of that name."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]
