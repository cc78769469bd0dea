"""Reporting's HTTP process."""

from pathlib import Path

from fastapi import FastAPI

from services.reporting import api, consumers, store
from services.reporting.settings import ReportingSettings
from services.reporting.usecases import compliance
from shared import logs
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.web import pages, session, upkeep
from shared.web.app import create_app as frame


def create_app(settings: ReportingSettings, db: Database, *, clock: Clock = utcnow) -> FastAPI:
    """The app on `db`."""
    app = frame(
        "reporting",
        "What the figures say.",
        settings=settings,
        db=db,
        clock=clock,
        routers=[*api.ROUTERS, *upkeep.ROUTERS, session.router()],
    )
    pages.install(app, Path(__file__).parent)
    upkeep.install(
        app,
        handle=consumers.handler(settings.zone),
        checks=compliance.checks(settings.languages, settings.default_jurisdiction),
    )
    return app


def app() -> FastAPI:
    """For `uvicorn --factory services.reporting.app:app`: everything from the environment."""
    settings = ReportingSettings()
    logs.configure(settings.log_level)
    return create_app(settings, Database("reporting", settings.database, store.tables, tls=settings.postgres_tls()))
