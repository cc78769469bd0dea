"""A browser for routing's pages: it has the cookie of whoever signed in, and sends forms as our own pages do."""

import re
from html import unescape
from typing import Any

import httpx

from shared.web.access import COOKIE, csrf_token


class Browser:
    """`who` signed in, in English."""

    def __init__(self, routing: Any, who: str) -> None:
        self._http: httpx.AsyncClient = routing.http
        self._token = routing.tokens[who]

    @property
    def headers(self) -> dict[str, str]:
        cookie = f"{COOKIE}={self._token}; redress_lang=en"
        return {"accept": "text/html", "cookie": cookie, "sec-fetch-site": "same-origin"}

    async def get(self, path: str) -> httpx.Response:
        return await self._http.get(path, headers=self.headers)

    async def page(self, path: str) -> str:
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def send(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form; a list is a field that is there several times."""
        data = {"form_token": csrf_token(self._token), **fields}
        return await self._http.post(path, headers=self.headers, data=data)


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
