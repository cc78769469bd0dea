"""Intake's HTTP process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI

from services.intake import api, consumers, pages, store
from services.intake.api import attachment, channels, form, multipart
from services.intake.settings import IntakeSettings, make_files
from services.intake.usecases import compliance, evidence, vitals
from services.intake.usecases.complaint import Desk, Prepared, Receipt
from services.intake.usecases.mail import Mailroom
from shared import logs
from shared.clock import Clock, utcnow
from shared.db import Database, GroupCommit
from shared.security.crypto import MasterKeys
from shared.web import limits, session, upkeep
from shared.web import pages as web_pages
from shared.web.app import create_app as frame


def create_app(
    settings: IntakeSettings, db: Database, *, keys: MasterKeys | None = None, clock: Clock = utcnow
) -> FastAPI:
    """The app on `db`; `keys` default to those of the settings."""
    desk = Desk(keys or settings.master_keys(), settings.zone)
    writer: GroupCommit[Prepared, Receipt] = GroupCommit(db, desk.write)
    files = make_files(settings, db, desk, clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        writer.start()
        yield
        await writer.stop()

    app = frame(
        "intake",
        "Takes every complaint in, once.",
        settings=settings,
        db=db,
        clock=clock,
        routers=[*api.routers, *pages.ROUTERS, *upkeep.ROUTERS, session.router(tells=True)],
        lifespan=lifespan,
    )
    web_pages.install(app, Path(__file__).parent)
    app.state.desk = desk
    app.state.writer = writer
    app.state.vitals = (vitals.encryption_key(desk.keys),)
    app.state.files = files
    app.state.body_limits = {
        attachment.UPLOADS: settings.attachment_max,
        form.UPLOADS: settings.form_file_max,
        "/v1/channels/email": settings.mail_max_size,
        "/track/*/files": settings.form_file_max * evidence.AT_ONCE,
        "/v1/track/*/files": settings.form_file_max,
        **{path: {multipart.MEDIA_TYPE: settings.scans_max} for path in channels.WITH_SCANS},
    }
    app.state.mailroom = Mailroom(db, desk, writer, clock=clock, files=files, answered=settings.mail_answered_per_hour)
    app.state.mail_setup = settings.mail_setup()
    app.state.form_senders = limits.Addresses(limits.Quota("form", settings.rate_limit_forms), settings.trusted_proxies)
    app.state.person_searches = limits.Quota("search", settings.rate_limit_searches)
    app.state.bank_name = settings.bank_name
    app.state.public_url = settings.public_url.rstrip("/")
    context = consumers.Context(
        desk,
        clock,
        settings.zone,
        app.state.public_url,
        settings.languages,
        timedelta(days=settings.link_window_days),
    )
    upkeep.install(app, handle=consumers.handler(context), checks=compliance.checks())
    return app


def app() -> FastAPI:
    """For `uvicorn --factory services.intake.app:app`: everything from the environment."""
    settings = IntakeSettings()
    logs.configure(settings.log_level)
    return create_app(settings, Database("intake", settings.database, store.tables, tls=settings.postgres_tls()))
