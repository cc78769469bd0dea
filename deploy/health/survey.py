"""Asking all services how they are."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from shared import __version__
from shared.web.health import REASONS

_STATUS_RANK = {"ready": 0, "degraded": 1, "not_ready": 2}
_ANSWER_AT_MOST = 4.0  # seconds; a service gives up on its database after 3


@dataclass(frozen=True, slots=True)
class Source:
    """Where a service is: `address` for people's browsers, `client` to ask it."""

    address: str
    client: httpx.AsyncClient


async def survey(sources: Mapping[str, Source]) -> dict[str, Any]:
    """Every service's report, asked at once; one that does not answer is not ready."""
    found = dict(zip(sources, await asyncio.gather(*map(_ask, sources.values())), strict=True))
    worst = max((s["status"] for s in found.values()), key=_STATUS_RANK.__getitem__)
    return {"status": worst, "version": __version__, "services": found}


async def _ask(source: Source) -> dict[str, Any]:
    try:
        found: dict[str, Any] = (await source.client.get("/health/ready", timeout=_ANSWER_AT_MOST)).json()
        found["status"], found["causes"], found["checks"]
        return found
    except (httpx.HTTPError, ValueError, LookupError, TypeError):
        causes = [{"code": "no_answer"}]
        return {"status": "not_ready", "reasons": [REASONS["no_answer"]], "causes": causes, "checks": {}}


async def measure(source: Source, names: tuple[str, ...]) -> str | None:
    """A service's samples of these names, in Prometheus's text format; None when it does not answer."""
    try:
        answer = await source.client.get("/metrics", params={"name[]": names}, timeout=_ANSWER_AT_MOST)
    except httpx.HTTPError:
        return None
    return answer.text if answer.status_code == 200 else None
