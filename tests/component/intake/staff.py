"""A browser of somebody signed in, for the tests of intake's pages for staff."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from services.intake import consumers
from shared.bus import Message
from shared.events import TOPICS
from shared.inbox import Consumer
from shared.web.access import FORM_TOKEN_HEADER
from tests.signing_in import enter, token_in


class Browser:
    """It has the cookie and no header; a form that it sends brings along what the page gave it."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http, self._token = http, token
        self.asked: list[str] = []
        """Every address, as a log or a history would keep it."""

    async def see(self, path: str, status: int = 200) -> str:
        answer = await self._http.get(path)
        self.asked.append(str(answer.request.url))
        assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
        return answer.text

    async def send(self, page: str, path: str, **data: str) -> httpx.Response:
        """Send a form of the page at `page` to `path`."""
        answer = await self._http.post(path, data={"form_token": token_in(await self.see(page)), **data})
        self.asked.append(str(answer.request.url))
        return answer

    async def post(self, path: str, **data: str) -> httpx.Response:
        """As `send`, without a page: for what nobody shows them a form for."""
        return await self._http.post(path, data=data or {"x": "y"}, headers={FORM_TOKEN_HEADER: self._token})

    async def get(self, path: str) -> httpx.Response:
        return await self._http.get(path)


@asynccontextmanager
async def signed_in(desk: Any, who: str) -> AsyncIterator[Browser]:
    headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
    transport = httpx.ASGITransport(app=desk.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://intake", headers=headers) as http:
        await enter(desk.app, http, desk.tokens[who])
        http.headers["cookie"] += "; redress_lang=en"
        yield Browser(http, http.headers.pop(FORM_TOKEN_HEADER))


async def hear(desk: Any) -> None:
    """Let intake hear what it has published itself: then persons and links are known."""
    settings = desk.app.state.settings
    context = consumers.Context(desk.app.state.desk, lambda: desk.now, settings.zone, "http://intake", ("en",))
    part = consumers.linking.PART
    rows = await desk.rows("SELECT key, payload FROM outbox ORDER BY seq")
    messages = [Message(TOPICS["intake"], row["key"], row["payload"].encode()) for row in rows]
    await Consumer(desk.db, part.make(context), part.types, lambda: desk.now).process(messages)
    assert await desk.scalar("SELECT count(*) FROM parked") == 0
