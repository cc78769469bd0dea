"""Intake's background process."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import httpx

from services.intake import consumers
from services.intake.gateways.sms import sms
from services.intake.listeners import mail
from services.intake.settings import IntakeSettings, make_files
from services.intake.usecases.attachment import Files
from services.intake.usecases.complaint import Desk
from services.intake.usecases.dispatch import Dispatcher
from services.intake.usecases.privacy import erase_what_is_out_of_retention
from services.intake.usecases.webhook import Sender
from shared.bus import Bus
from shared.clock import Clock, utcnow
from shared.db import Database
from shared.outbound import Outbound
from shared.security import key_age
from shared.security.crypto import MasterKeys
from shared.smtp import Send, smtp
from shared.worker import Consumes, Timer, Worker


def create_worker(
    settings: IntakeSettings, db: Database, bus: Bus, *, keys: MasterKeys | None = None, clock: Clock = utcnow
) -> Worker:
    """Relays intake's events; hears routing, sla and itself. `keys` default to those of the settings."""
    desk = Desk(keys or settings.master_keys(), settings.zone)
    context = consumers.Context(
        desk,
        clock,
        settings.zone,
        settings.public_url.rstrip("/"),
        settings.languages,
        timedelta(days=settings.link_window_days),
    )
    sender = Sender(db, desk.keys, Outbound(private=settings.webhook_private), clock)
    dispatcher = Dispatcher(db, desk, _ways(settings), clock, bank_name=settings.bank_name)
    files = make_files(settings, db, desk, clock)
    timers = [
        Timer("webhooks", 1, sender.run),
        Timer("dispatches", 1, dispatcher.run),
        Timer("scan", 1, files.scan),
        Timer("sweep", 600, files.sweep),
        Timer("encryption-key", 3600, lambda: key_age.note(db, desk.keys.current, clock)),
    ]
    if settings.complaint_retention_days is not None:
        keep = timedelta(days=settings.complaint_retention_days)
        timers.append(Timer("retention", 3600, _retention(db, clock, keep)))
    return Worker(
        db,
        bus,
        clock,
        consumes=Consumes(("intake", "routing", "sla"), consumers.HANDLED, consumers.handler(context)),
        timers=timers,
        listeners=_listeners(settings, db, desk, files, clock),
        retention_days=settings.retention_days,
        max_parked=settings.max_parked,
    )


def _listeners(
    settings: IntakeSettings, db: Database, desk: Desk, files: Files, clock: Clock
) -> Sequence[Callable[[], Awaitable[None]]]:
    listening = settings.mail_listening()
    if listening is None:
        return ()
    answered = settings.mail_answered_per_hour
    setup = settings.mail_setup()
    return (mail.listener(listening, setup, db, desk, clock=clock, files=files, answered=answered),)


def _ways(settings: IntakeSettings) -> dict[str, Send]:
    """Those ways to a complainant that are set up."""
    found: dict[str, Send] = {}
    if settings.smtp_host:
        password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
        found["email"] = smtp(
            settings.smtp_host,
            settings.smtp_port,
            sender=settings.smtp_sender,
            username=settings.smtp_username,
            password=password,
            tls=settings.smtp_tls,
        )
    if settings.sms_url:
        key = settings.sms_key.get_secret_value() if settings.sms_key else ""
        client = httpx.AsyncClient(timeout=20)
        found["sms"] = sms(settings.sms_url, key=key, sender=settings.sms_sender, client=client)
    return found


def _retention(db: Database, clock: Clock, keep: timedelta) -> Callable[[], Awaitable[None]]:
    async def erase() -> None:
        while True:
            async with db.transaction() as tx:
                if not await erase_what_is_out_of_retention(tx, clock() - keep, 100, now=clock()):
                    return

    return erase
