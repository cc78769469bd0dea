"""Mail over SMTP (RFC 5321) or LMTP (RFC 2033), for the bank's own mail server to deliver to.

`250` is said once the mail is durably kept, and not before; whatever prevents that is a `451`, so that the server in
front keeps the mail and comes again. Nothing that a mail holds is ever logged.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP
from aiosmtpd.smtp import Envelope as Session

from services.intake.channels import email
from services.intake.usecases.complaint import Desk, Prepared, Receipt
from services.intake.usecases.mail import Files, Mailroom
from shared.clock import Clock
from shared.db import Database, GroupCommit
from shared.errors import RedressError

log = structlog.get_logger()

MOST_RECIPIENTS = 100  # of one mail; RFC 5321, 4.5.3.1.8
IDLE = 120.0  # seconds after which a silent connection is closed
LAST_ORDERS = 10.0  # seconds for what has been received to be kept when the listener stops
_LONGEST_LINE = 1_000_000  # bytes: longer than RFC 5321 allows, since there are programs that break no lines
_LATER = "451 4.3.0 Not kept; send it again later"
_BUSY = b"421 4.3.2 Too many connections; come again later\r\n"


@dataclass(frozen=True, slots=True)
class Listening:
    """Where and how to listen. `recipients` are addresses, or `@domain` for all of a domain; sizes in bytes."""

    host: str
    port: int
    protocol: str
    hostname: str
    recipients: tuple[str, ...]
    max_size: int
    connections: int
    certificate: Path | None = None
    key: Path | None = None
    tls_required: bool = False

    def takes(self, address: str) -> bool:
        """Whether mail for `address` is taken; what follows a `+` in it is the sender's to choose."""
        local, _, domain = address.casefold().rpartition("@")
        bare = f"{local.partition('+')[0]}@{domain}"
        return any(bare == known.casefold() or f"@{domain}" == known.casefold() for known in self.recipients)


class Handler:
    """What aiosmtpd asks when a client says something."""

    def __init__(self, mailroom: Mailroom, setup: email.Setup, listening: Listening) -> None:
        self._mailroom = mailroom
        self._setup = setup
        self._listening = listening
        self._taking: set[asyncio.Task[str]] = set()

    async def handle_RCPT(self, _: SMTP, __: object, envelope: Session, address: str, options: list[str]) -> str:
        if not self._listening.takes(address):
            return "550 5.1.1 No mail is taken for this address"
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _: SMTP, __: object, envelope: Session) -> str:
        sender = envelope.mail_from or ""
        told = email.Envelope("" if sender == "<>" else sender, tuple(envelope.rcpt_tos))
        assert isinstance(envelope.content, bytes)
        # a task of its own: once received, a mail is kept even if the client goes away meanwhile
        task = asyncio.create_task(self._take(envelope.content, told))
        self._taking.add(task)
        task.add_done_callback(self._taking.discard)
        answer = await asyncio.shield(task)
        # LMTP wants an answer for each recipient: what was kept was kept for all of them
        return "\r\n".join([answer] * len(envelope.rcpt_tos)) if self._listening.protocol == "lmtp" else answer

    async def _take(self, raw: bytes, envelope: email.Envelope) -> str:
        try:
            letter = await asyncio.to_thread(email.letter, raw, self._setup, envelope)
            taken = await self._mailroom.take(letter, actor="mail")
        except RedressError as error:
            log.warning("mail.put_off", reason=error.code)
            return _LATER
        except Exception as error:
            log.error("mail.put_off", error=type(error).__name__)
            return _LATER
        log.info("mail.taken", outcome=taken.outcome, kind=taken.kind, reference=taken.reference)
        return f"250 2.0.0 {taken.outcome} {taken.reference or ''}".rstrip()

    async def handle_exception(self, error: Exception) -> str:
        log.warning("mail.session_failed", error=type(error).__name__)
        return "451 4.3.0 Something went wrong on our side"

    async def finish(self) -> None:
        """Wait, for a while, until what was received is kept."""
        if self._taking:
            await asyncio.wait(self._taking, timeout=LAST_ORDERS)
        await asyncio.sleep(0)  # for the answers to be written


class _Busy(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        transport.write(_BUSY)
        transport.close()


def _tracked(base: type[SMTP], open_ones: set[SMTP]) -> type[SMTP]:
    """`base`, which enters each connection that is open in `open_ones`."""

    class Tracked(base):  # type: ignore[misc,valid-type]
        line_length_limit = _LONGEST_LINE

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            open_ones.add(self)
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            open_ones.discard(self)
            super().connection_lost(error)

    return Tracked


def listener(
    listening: Listening,
    setup: email.Setup,
    db: Database,
    desk: Desk,
    *,
    clock: Clock,
    answered: int,
    files: Files,
) -> Callable[[], Awaitable[None]]:
    """Serves mail until it is cancelled. Raises OSError where it cannot listen."""

    async def serve() -> None:
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's own, which names everybody
        writer: GroupCommit[Prepared, Receipt] = GroupCommit(db, desk.write)
        mailroom = Mailroom(db, desk, writer, clock=clock, files=files, answered=answered)
        handler = Handler(mailroom, setup, listening)
        loop = asyncio.get_running_loop()
        open_ones: set[SMTP] = set()
        kind = _tracked(LMTP if listening.protocol == "lmtp" else SMTP, open_ones)
        options: dict[str, Any] = {
            "data_size_limit": listening.max_size,
            "enable_SMTPUTF8": True,
            "hostname": listening.hostname,
            "ident": "Redress",
            "timeout": IDLE,
            "tls_context": _tls(listening),
            "require_starttls": listening.tls_required,
            "loop": loop,
        }

        def connected() -> asyncio.BaseProtocol:
            return _Busy() if len(open_ones) >= listening.connections else kind(handler, **options)

        server = await loop.create_server(connected, listening.host, listening.port)
        writer.start()
        log.info("mail.listening", host=listening.host, port=listening.port, protocol=listening.protocol)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            await handler.finish()
            sessions = [one._handler_coroutine for one in open_ones if one._handler_coroutine]
            for one in list(open_ones):
                if one.transport is not None:
                    one.transport.close()
            await asyncio.gather(*sessions, return_exceptions=True)
            await server.wait_closed()
            await writer.stop()

    return serve


def _tls(listening: Listening) -> ssl.SSLContext | None:
    if listening.certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(listening.certificate, listening.key)
    return context
