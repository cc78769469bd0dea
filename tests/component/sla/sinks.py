"""Where notices arrive in tests: a mail server and an HTTP server on loopback, and the desk that sends to them."""

import asyncio
import email
import email.message
import email.policy
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import text

from deploy.infra.ports import free_port
from services.sla import store
from services.sla.domain.notice import NewNotice, Rules, Setup
from services.sla.domain.post import DUTY, Directory, Post, Reached, resolve
from services.sla.gateways.ways import Means
from services.sla.usecases import notices, posts
from services.sla.usecases.sending import Sender
from shared.db import Database
from shared.outbound import Outbound
from shared.security.crypto import MasterKeys
from shared.smtp import smtp

NOON = datetime(2026, 3, 3, 4, 0, tzinfo=UTC)  # a Tuesday, 12:00 in Hong Kong
HONG_KONG = ZoneInfo("Asia/Hong_Kong")
KEYS = MasterKeys({"k1": b"k" * 32}, pseudonym_key=b"p" * 32)
LANGUAGES = ("zh-Hant", "zh-Hans", "en")


class MailSink:
    """Takes mail; `answer` is what it says to a recipient, None to take the mail."""

    def __init__(self) -> None:
        self.port = free_port()
        self.answer: Callable[[str], str | None] = lambda _: None
        self.mails: list[email.message.EmailMessage] = []

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if (refusal := self.answer(address)) is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))  # type: ignore[arg-type]
        return "250 OK"

    def to(self, address: str) -> list[email.message.EmailMessage]:
        return [mail for mail in self.mails if mail["To"] == address]


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class HttpSink:
    """A server on loopback. `answers` maps a path to what it says: a status, a function of the request, or None for
    never; without an entry, 204."""

    answers: dict[str, Any] = field(default_factory=dict)
    got: list[Request] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    open_now: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    most_open: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    port: int = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in head[1:] if line)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                request = Request(head[0].split(" ")[1], headers, body)
                path = request.path
                self.open_now[path] += 1
                self.most_open[path] = max(self.most_open[path], self.open_now[path])
                try:
                    answer = self.answers.get(path, 204)
                    answer = answer(request) if callable(answer) else answer
                    if answer is None:
                        await reader.read()  # until the other side has had enough
                        return
                    if 200 <= answer < 300:
                        self.got.append(request)
                finally:
                    self.open_now[path] -= 1
                said = self.bodies.get(path, b"")
                writer.write(f"HTTP/1.1 {answer} X\r\nContent-Length: {len(said)}\r\n\r\n".encode() + said)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def at(self, path: str) -> list[Request]:
        return [request for request in self.got if request.path == path]


class Desk:
    """The service's tables with a directory, and senders to two sinks. Time stands still unless a test moves it."""

    def __init__(self, db: Database, mail: MailSink, http: HttpSink, home: Path) -> None:
        self.db, self.mail, self.http, self.home = db, mail, http, home
        self.now = NOON
        duty = Post(DUTY, DUTY, holder=DUTY, email="duty@bank.example", language="en")
        self.setup = Setup(HONG_KONG, "zh-Hant", duty, Rules(listed=5))
        self._stack = AsyncExitStack()
        self.means = self.reach()
        self.sender = self.make_sender()

    def reach(self, *, private: bool = True, timeout: float = 2.0, with_mail: bool = True) -> Means:
        """The ways out; to loopback only where `private`."""
        outbound = Outbound(private=private, timeout=timeout)
        self._stack.push_async_callback(outbound.close)
        options: Any = {"username": None, "password": None, "tls": "none"}
        send = smtp("127.0.0.1", self.mail.port, sender="deadlines@bank.example", **options) if with_mail else None
        return Means(send, outbound)

    def make_sender(self, means: Means | None = None, keys: MasterKeys | None = KEYS) -> Sender:
        url = "https://desk.example/cases/{complaint_id}"
        return Sender(self.db, lambda: self.now, means or self.means, self.setup, keys=keys, case_url=url)

    async def close(self) -> None:
        await self._stack.aclose()

    async def staff(self, *them: Post) -> None:
        async with self.db.transaction() as tx:
            for post in them:
                await posts.put(tx, post, version=None, languages=LANGUAGES, actor="test", now=self.now)

    async def directory(self) -> Directory:
        async with self.db.reading() as session:
            return await posts.directory(session, self.setup)

    async def tell(self, *those: NewNotice) -> int:
        async with self.db.transaction() as tx:
            return await notices.add(tx, those, self.setup)

    async def notice(self, n: int = 1, role: str = "supervisor", **changes: Any) -> NewNotice:
        """A warning about complaint `n` for whoever holds `role` in its department."""
        known: dict[str, Any] = {"kind": "warning", "step": "final", "level": 1, "department": "cards", "branch": None}
        known |= {"due_at": NOON + timedelta(days=2, hours=n), "urgent": False, "at": self.now}
        known |= {"complaint_id": f"c-{n}", "reference": f"260301-AAAA-{n:05d}"}
        known |= changes
        if "reached" not in known:
            found = resolve(await self.directory(), role, known["department"], known["branch"], self.now)
            known["reached"] = found
        return NewNotice(**known)

    async def pass_time(self, span: timedelta, *, step: timedelta = timedelta(minutes=5)) -> None:
        """Send what is due every `step`."""
        end = self.now + span
        while self.now < end:
            await self.sender.run_once()
            self.now += step
        await self.sender.run_once()

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        async with self.db.reading() as session:
            return [dict(row) for row in (await session.execute(text(sql))).mappings()]

    async def states(self) -> dict[str, int]:
        rows = await self.rows("SELECT state, count(*) AS n FROM notice WHERE kind <> 'digest' GROUP BY state")
        return {row["state"]: row["n"] for row in rows}


def new_database(url: str) -> Database:
    return Database("sla", url, store.tables)


def reached(person: str, post_id: str, role: str = "supervisor") -> Reached:
    return Reached(person, post_id, "holder", role)


def words(mail: email.message.EmailMessage) -> str:
    return str(mail.get_content())


def ids(mails: Sequence[email.message.EmailMessage]) -> list[str]:
    return [str(mail["Message-ID"]) for mail in mails]
