"""SLA's HTTP process."""

from pathlib import Path

from fastapi import FastAPI

from services.sla import api, consumers, pages, store
from services.sla.settings import SlaSettings
from services.sla.usecases import compliance, vitals
from services.sla.usecases.current import Current
from shared import logs
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.web import pages as web_pages
from shared.web import session, upkeep
from shared.web.app import create_app as frame


def create_app(settings: SlaSettings, db: Database, *, clock: Clock = utcnow) -> FastAPI:
    """The app on `db`. Raises PackError or CalendarError when the policy packs or calendars cannot be used."""
    routers = [*api.ROUTERS, *pages.ROUTERS, *upkeep.ROUTERS, session.router()]
    app = frame("sla", "Watches every deadline.", settings=settings, db=db, clock=clock, routers=routers)
    web_pages.install(app, Path(__file__).parent)
    app.state.current = current = Current(settings.policies())
    app.state.calendar_sources = settings.calendar_sources()
    handle = consumers.handler(current, clock, grace=settings.grace)
    upkeep.install(app, handle=handle, checks=compliance.checks())
    app.state.notice_setup, app.state.notice_keys = settings.notice_setup(), settings.notice_keys()
    app.state.vitals = (vitals.behind,)
    app.state.zone, app.state.case_url = settings.zone, settings.case_url
    return app


def app() -> FastAPI:
    """For `uvicorn --factory services.sla.app:app`: everything from the environment."""
    settings = SlaSettings()
    logs.configure(settings.log_level)
    return create_app(settings, Database("sla", settings.database, store.tables, tls=settings.postgres_tls()))
