"""The desk's own pages: where everything is and how it is (`/`), and all about its health (`/health`)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.datastructures import State

from deploy.health import runbooks, views
from deploy.health.survey import Source, survey
from deploy.health.watch import Seen, Watch, watching
from shared import __version__, metrics
from shared.clock import utcnow
from shared.errors import NotFound
from shared.settings import Settings
from shared.web import pages
from shared.web.access import public, seal
from shared.web.app import dress
from shared.web.health import exposition
from shared.web.router import Router, include

_PAGES = Path(__file__).resolve().parents[1] / "pages"
router = Router(dependencies=[Depends(public())])


def create_app(settings: Settings, sources: dict[str, Source], *, form: str | None = None) -> FastAPI:
    """The front page over `sources`, by service name in the order to show them. `form` is the publishable key of the
    form in the sample page; None where there is no such page. While its lifespan lasts it keeps an eye on them; without
    that it looks only when somebody asks."""
    watch = Watch(sources, utcnow)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with watching(watch):
            yield

    app = FastAPI(
        title="Redress desk",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.service = pages.DESK
    app.state.settings = settings
    app.state.clock = utcnow
    app.state.sources = sources
    app.state.watch = watch
    app.state.form = form
    dress(app, pages.DESK, settings)
    include(app, router)
    pages.install(app, _PAGES)
    seal(app)
    return app


async def _seen(state: State) -> Seen:
    watch: Watch = state.watch
    return await watch.look()


def _rows(state: State, seen: Seen) -> list[dict[str, Any]]:
    watch: Watch = state.watch
    return [
        views.row(name, report, watch.sources[name], watch.series[name], seen.standing)
        for name, report in seen.survey["services"].items()
    ]


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def front(request: Request) -> Response:
    """What runs, how it is, and where everything is."""
    state = request.app.state
    seen = await _seen(state)
    return pages.render(
        request,
        "desk.html",
        status_of_all=seen.survey["status"],
        rows=_rows(state, seen),
        alarms=len(views.cards(seen.standing)),
        sample=state.form is not None,
    )


@router.get("/health", response_class=HTMLResponse, include_in_schema=False)
async def health(request: Request) -> Response:
    """All about the health of all services."""
    return await _health(request, "health.html")


@router.get("/health/part", response_class=HTMLResponse, include_in_schema=False)
async def part(request: Request) -> Response:
    """The part of that page which changes, for its script."""
    return await _health(request, "health_part.html")


async def _health(request: Request, template: str) -> Response:
    state = request.app.state
    seen = await _seen(state)
    t = pages.translator(request)
    return pages.render(
        request,
        template,
        seen=seen,
        status_of_all=seen.survey["status"],
        cards=views.cards(seen.standing),
        dependencies=views.dependencies(seen),
        rows=_rows(state, seen),
        over=views.over(t, seen.over),
        span=lambda seconds: views.span(t, seconds),
        detail=lambda standing: views.detail(t, standing),
    )


@router.get("/runbooks", response_class=HTMLResponse, include_in_schema=False)
async def runbook_index(request: Request) -> Response:
    """Every runbook page."""
    found = [one for name in runbooks.names() if (one := runbooks.runbook(name))]
    return pages.render(request, "runbooks.html", runbooks=found)


@router.get("/runbooks/{name}", response_class=HTMLResponse, include_in_schema=False)
async def runbook(request: Request, name: str) -> Response:
    """What an alarm means and what to do. Raises NotFound."""
    if (found := runbooks.runbook(name)) is None:
        raise NotFound("There is no such runbook page.")
    return pages.render(request, "runbook.html", runbook=found)


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


@router.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "live", "service": pages.DESK, "version": __version__}


@router.get("/health/ready")
async def ready(request: Request, response: Response) -> dict[str, Any]:
    """Every service's report; 503 when one is not ready."""
    found = await survey(request.app.state.sources)
    response.status_code = 503 if found["status"] == "not_ready" else 200
    return found


@router.get("/health/alarms")
async def alarms(request: Request) -> dict[str, Any]:
    """The same with all alarms, since when each stands, and its runbook page."""
    return views.told(await _seen(request.app.state))


@router.get("/metrics")
async def scrape(request: Request) -> Response:
    """Prometheus metrics of this process. Where the services run in it, theirs too, read at this moment."""
    seen = await _seen(request.app.state)
    for name, report in seen.survey["services"].items():
        answers = all(cause["code"] != "no_answer" for cause in report["causes"])
        metrics.answers.labels(name).set(answers)
    return exposition()
