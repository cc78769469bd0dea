"""A browser at routing's pages: it has the session's cookie and no header; forms bring along what the page gave."""

from typing import Any

import httpx

from shared.web.access import FORM_TOKEN, FORM_TOKEN_HEADER
from tests.signing_in import enter

HTML = {"accept": "text/html", "sec-fetch-site": "same-origin"}


async def page(routing: Any, path: str, *, me: str = "supervisor", lang: str = "en") -> httpx.Response:
    return await _read(routing, path, await _signed_in(routing, me), lang)


async def send(routing: Any, path: str, *, me: str = "supervisor", **fields: Any) -> httpx.Response:
    """What a form with these fields sends, and its token."""
    headers = await _signed_in(routing, me)
    given = {FORM_TOKEN: headers.pop(FORM_TOKEN_HEADER), **fields}
    answer: httpx.Response = await routing.http.post(f"{path}?lang=en", headers=headers, data=given)
    return answer


async def _read(routing: Any, path: str, headers: dict[str, str], lang: str) -> httpx.Response:
    joint = "&" if "?" in path else "?"
    answer: httpx.Response = await routing.http.get(f"{path}{joint}lang={lang}", headers=headers)
    return answer


async def _signed_in(routing: Any, me: str) -> dict[str, str]:
    async with httpx.AsyncClient() as holder:
        await enter(routing.http._transport.app, holder, routing.tokens[me])
        return {**HTML, **{name: holder.headers[name] for name in ("cookie", FORM_TOKEN_HEADER)}}
