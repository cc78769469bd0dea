"""A browser at routing's pages: it has the session's cookie and no header; forms bring along what the page gave."""

import re
from typing import Any

import httpx

from shared.web.access import COOKIE

HTML = {"accept": "text/html", "sec-fetch-site": "same-origin"}


async def page(routing: Any, path: str, *, me: str = "supervisor", lang: str = "en") -> httpx.Response:
    joint = "&" if "?" in path else "?"
    answer: httpx.Response = await routing.http.get(f"{path}{joint}lang={lang}", headers=_signed_in(routing, me))
    return answer


async def send(routing: Any, path: str, *, me: str = "supervisor", **fields: Any) -> httpx.Response:
    """What a form with these fields sends, with the token of the section's first page."""
    shown = await page(routing, "/" + path.split("/")[1], me=me)
    token = re.search(r'name="form_token" value="([^"]*)"', shown.text)
    given = {"form_token": token.group(1) if token else "", **fields}
    answer: httpx.Response = await routing.http.post(f"{path}?lang=en", headers=_signed_in(routing, me), data=given)
    return answer


def _signed_in(routing: Any, me: str) -> dict[str, str]:
    return {**HTML, "cookie": f"{COOKIE}={routing.tokens[me]}"}
