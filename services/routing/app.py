"""Routing's HTTP process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from services.routing import api, classifier, consumers, pages, store
from services.routing.settings import RoutingSettings
from services.routing.taxonomies import load as load_taxonomies
from services.routing.usecases import compliance
from services.routing.usecases.models import Follower
from shared import logs
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.web import pages as web_pages
from shared.web import session, upkeep
from shared.web.app import create_app as frame


def create_app(settings: RoutingSettings, db: Database, *, clock: Clock = utcnow) -> FastAPI:
    """The app on `db`. Raises BadRegister when the registers cannot be used."""
    current = classifier.Current(settings.routing_registers, classifier.shipped())

    @asynccontextmanager
    async def following(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(Follower(db, current, classifier.shipped()).follow(), name="follow-model")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    app = frame(
        "routing",
        "Gives every complaint to the department that can solve it, and walks the case to its end.",
        settings=settings,
        db=db,
        clock=clock,
        routers=[*api.ROUTERS, *pages.ROUTERS, *upkeep.ROUTERS, session.router()],
        lifespan=following,
    )
    web_pages.install(app, Path(__file__).parent)
    app.state.current = current
    app.state.taxonomies = load_taxonomies(settings.routing_registers)
    app.state.letters = desk = settings.letter_desk
    upkeep.install(app, handle=consumers.handler(current, clock, desk), checks=compliance.checks(current))
    return app


def app() -> FastAPI:
    """For `uvicorn --factory services.routing.app:app`: everything from the environment."""
    settings = RoutingSettings()
    logs.configure(settings.log_level)
    return create_app(settings, Database("routing", settings.database, store.tables, tls=settings.postgres_tls()))
