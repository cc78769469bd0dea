"""The desk's front page: what runs, how it is, and where everything is. For the one-process desk and for the cluster.

It asks each service's `/health/ready`, in the same process or over HTTP, and keeps nothing itself.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from shared import __version__
from shared.clock import utcnow
from shared.errors import NotFound
from shared.settings import Settings
from shared.web import pages
from shared.web.access import public, seal
from shared.web.app import dress
from shared.web.health import REASONS
from shared.web.router import Router

_STATUS_RANK = {"ready": 0, "degraded": 1, "not_ready": 2}
router = Router(dependencies=[Depends(public())])


@dataclass(frozen=True, slots=True)
class Source:
    """Where a service is: `address` for people's browsers, `client` to ask it."""

    address: str
    client: httpx.AsyncClient


def create_app(settings: Settings, sources: dict[str, Source], *, form: str | None = None) -> FastAPI:
    """The front page over `sources`, by service name in the order to show them. `form` is the publishable key of the
    form in the sample page; None where there is no such page."""
    app = FastAPI(title="Redress desk", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service = pages.DESK
    app.state.settings = settings
    app.state.clock = utcnow
    app.state.sources = sources
    app.state.form = form
    dress(app, pages.DESK, settings)
    app.include_router(router)
    pages.install(app, Path(__file__).parent / "pages")
    seal(app)
    return app


async def survey(sources: dict[str, Source]) -> dict[str, Any]:
    """Every service's report, asked at once; one that does not answer is not ready."""

    async def ask(source: Source) -> dict[str, Any]:
        try:
            found: dict[str, Any] = (await source.client.get("/health/ready", timeout=4)).json()
            return found
        except (httpx.HTTPError, ValueError):
            causes = [{"code": "no_answer"}]
            return {"status": "not_ready", "reasons": [REASONS["no_answer"]], "causes": causes, "checks": {}}

    found = dict(zip(sources, await asyncio.gather(*map(ask, sources.values())), strict=True))
    worst = max((s["status"] for s in found.values()), key=_STATUS_RANK.__getitem__)
    return {"status": worst, "version": __version__, "services": found}


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def front(request: Request) -> Response:
    """What runs and how it is."""
    sources: dict[str, Source] = request.app.state.sources
    found = await survey(sources)
    rows = [
        {
            "name": name,
            "address": sources[name].address,
            "status": state["status"],
            "version": state.get("version"),
            "outbox": state["checks"].get("outbox"),
            "lag": _lag(state["checks"].get("workers", {})),
            "parked": state["checks"].get("parked", {}).get("total"),
            "causes": [(REASONS[c["code"]], {k: v for k, v in c.items() if k != "code"}) for c in state["causes"]],
        }
        for name, state in found["services"].items()
    ]
    return pages.render(
        request, "desk.html", status_of_all=found["status"], rows=rows, sample=request.app.state.form is not None
    )


@router.get("/sample", response_class=HTMLResponse, include_in_schema=False)
async def sample(request: Request) -> Response:
    """A page such as a bank's, with the form in it. Raises NotFound outside the embedded default."""
    if (form := request.app.state.form) is None:
        raise NotFound("There is no sample page here.")
    intake: Source = request.app.state.sources["intake"]
    page = pages.render(request, "sample.html", form=form, intake=intake.address)
    page.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; frame-src 'self'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )
    return page


def _lag(workers: dict[str, Any]) -> int | None:
    """Messages that a service has still to handle, over its workers and topics; None while nobody has measured."""
    lags = [sum(w.get("lag", {}).values()) for w in workers.values()]
    return sum(lags) if lags else None


@router.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "live", "service": pages.DESK, "version": __version__}


@router.get("/health/ready")
async def ready(request: Request, response: Response) -> dict[str, Any]:
    """Every service's report; 503 when one is not ready."""
    found = await survey(request.app.state.sources)
    response.status_code = 503 if found["status"] == "not_ready" else 200
    return found
