"""What goes out to complainants: once, in their language, tried for a day, and before a person when it cannot."""

import email
import email.policy
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.infra.ports import free_port
from services.intake import consumers
from services.intake.domain.dispatch import BY_HAND, NO_ADDRESS, choose
from services.intake.gateways.sms import sms
from services.intake.usecases.dispatch import LEASE, Dispatcher, letters
from shared import cloudevents
from shared.bus import Message
from shared.cloudevents import decode, encode
from shared.events import (
    TOPICS,
    ComplaintClosed,
    ComplaintInformationRequested,
    ComplaintLetterIssued,
    ComplaintNotified,
    Event,
)
from shared.ids import uuid7
from shared.inbox import Consumer
from shared.smtp import reason, smtp

PERSON = {"name": "Chan Example", "email": "chan@example.com", "phone": "+852 2345 6789"}


class MailServer:
    """Takes mail on loopback; `answer` is what it says to a recipient, None to take the mail."""

    def __init__(self) -> None:
        self.answer: Callable[[], str | None] = lambda: None
        self.mails: list[email.message.EmailMessage] = []
        self.tries = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tries += 1
        if (refusal := self.answer()) is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))  # type: ignore[arg-type]
        return "250 OK"


class Office:
    """Hears events as the worker does and sends what is due."""

    def __init__(self, desk: Any, port: int) -> None:
        self.desk = desk
        self.texts: list[httpx.Request] = []
        self.gateway = 202
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._text))
        self.ways = {
            "email": smtp("127.0.0.1", port, sender="care@bank.example", username=None, password=None, tls="none"),
            "sms": sms("http://sms.example/send", key="gateway-key", sender="Bank", client=client),
        }
        self.dispatcher = Dispatcher(desk.db, desk.app.state.desk, self.ways, lambda: desk.now, bank_name="Bank")
        settings = desk.app.state.settings
        context = consumers.Context(
            desk.app.state.desk, lambda: desk.now, settings.zone, "https://care.example", settings.languages
        )
        self.consumer = Consumer(desk.db, consumers.handler(context), consumers.HANDLED, lambda: desk.now)

    def _text(self, request: httpx.Request) -> httpx.Response:
        self.texts.append(request)
        return httpx.Response(self.gateway)

    async def hear(self, *events: Event, again: int = 1) -> None:
        """Deliver `events`, `again` times under new ids, as a producer that repeats itself would."""
        for _ in range(again):
            for event in events:
                one = cloudevents.Envelope(
                    id=uuid7(),
                    source=event.source,
                    type=event.type,
                    subject=event.complaint_id,
                    time=self.desk.now,
                    data=event,
                )
                topic = TOPICS[event.source.removeprefix("/redress/")]
                await self.consumer.process([Message(topic, one.subject, encode(one).encode())])

    async def hear_own(self) -> None:
        rows = await self.desk.rows("SELECT key, payload FROM outbox ORDER BY seq")
        await self.consumer.process([Message(TOPICS["intake"], r["key"], r["payload"].encode()) for r in rows])

    async def pass_time(self, hours: float, *, step: float = 5) -> None:
        """Send what is due every `step` minutes."""
        end = self.desk.now + timedelta(hours=hours)
        while self.desk.now < end:
            await self.dispatcher.run()
            self.desk.now += timedelta(minutes=step)

    async def notified(self) -> list[ComplaintNotified]:
        rows = await self.desk.rows(f"SELECT payload FROM outbox WHERE type = '{ComplaintNotified.type}' ORDER BY seq")
        return [decode(row["payload"]).data for row in rows]  # type: ignore[misc]


@pytest.fixture
async def server() -> AsyncIterator[tuple[MailServer, int]]:
    handler, port = MailServer(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


@pytest.fixture
def mails(server: tuple[MailServer, int]) -> MailServer:
    return server[0]


@pytest.fixture
def office(desk: Any, server: tuple[MailServer, int]) -> Office:
    return Office(desk, server[1])


def words(mail: email.message.EmailMessage) -> str:
    part = mail.get_body()
    assert part is not None
    return str(part.get_content())


async def _taken(desk: Any, complaint: Any, **changes: Any) -> dict[str, Any]:
    body = complaint(complainant=PERSON, language="en") | changes
    found: dict[str, Any] = (await desk.post(body)).json()
    return found


def letter(id: str, desk: Any, **changes: Any) -> ComplaintLetterIssued:
    told = {"letter_id": "l-1", "kind": "final", "language": "en", "subject": "Our decision", "issued_at": desk.now}
    return ComplaintLetterIssued(**{"complaint_id": id, "body": "Dear {complainant},\n\nDone.", **told, **changes})


async def test_an_acknowledgement_goes_out_once_however_often_it_is_heard(
    office: Office, mails: MailServer, desk: Any, complaint: Any
) -> None:
    taken = await _taken(desk, complaint)
    await office.hear_own()
    (received,) = await desk.rows("SELECT payload FROM outbox ORDER BY seq LIMIT 1")
    await office.hear(decode(received["payload"]).data, again=3)
    await office.pass_time(1)
    (mail,) = mails.mails
    assert (mail["To"], mail["From"]) == ("chan@example.com", "care@bank.example")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert taken["reference"] in mail["Subject"]
    text = mail.get_content()
    assert "Dear Chan Example" in text
    link = f"https://care.example/track/{taken['reference']}#t={taken['tracking']['token']}"
    assert link in text.replace("\n", "")
    (told,) = await office.notified()
    assert (told.kind, told.via, told.state, told.reason) == ("acknowledgement", "email", "sent", None)


@pytest.mark.parametrize(
    ("language", "said"), [("zh-Hant", "已收到您的投訴"), ("zh-Hans", "已收到您的投诉"), (None, "已收到您的投訴")]
)
async def test_it_is_in_the_complainants_language(
    office: Office, mails: MailServer, desk: Any, complaint: Any, language: str | None, said: str
) -> None:
    await _taken(desk, complaint, language=language)
    await office.hear_own()
    await office.dispatcher.run()
    assert said in mails.mails[0]["Subject"]


async def test_a_letter_to_a_server_that_says_451_for_an_hour_arrives_once(
    office: Office, mails: MailServer, desk: Any, complaint: Any
) -> None:
    taken = await _taken(desk, complaint, complainant=PERSON)
    back_at = desk.now + timedelta(hours=1)
    mails.answer = lambda: "451 4.3.0 try later" if desk.now < back_at else None
    await office.hear(letter(taken["id"], desk), again=2)
    await office.pass_time(1)
    assert mails.mails == []
    assert mails.tries >= 4
    await office.pass_time(4)
    (mail,) = mails.mails
    assert mail["Subject"] == "Our decision"
    assert words(mail).splitlines()[0] == "Dear Chan Example,"
    (told,) = await office.notified()
    assert (told.kind, told.state, told.origin) == ("letter", "sent", "l-1")


async def test_550_puts_it_before_a_person_with_the_reason_and_without_the_address(
    office: Office, mails: MailServer, desk: Any, complaint: Any
) -> None:
    taken = await _taken(desk, complaint)
    mails.answer = lambda: "550 5.1.1 <chan@example.com>: no such mailbox"
    await office.hear(letter(taken["id"], desk))
    await office.pass_time(3)
    assert mails.tries == 1, "what is refused for good is not tried again"
    (told,) = await office.notified()
    assert (told.state, told.reason) == ("failed", "550 5.1.1 [address]: no such mailbox")
    headers = desk.headers("officer")
    (item,) = (await desk.http.get("/v1/dispatches?state=failed", headers=headers)).json()["items"]
    assert item["reason"] == told.reason
    opened = (await desk.http.get(f"/v1/dispatches/{item['id']}", headers=headers)).json()
    assert (opened["to"], opened["subject"]) == ("chan@example.com", "Our decision")
    assert await desk.scalar("SELECT count(*) FROM audit WHERE action = 'dispatch.read'") == 1

    mails.answer = lambda: None
    assert (await desk.http.post(f"/v1/dispatches/{item['id']}/retry", headers=headers)).status_code == 200
    await office.dispatcher.run()
    assert len(mails.mails) == 1
    for verb in ("retry", "settle"):
        again = await desk.http.post(f"/v1/dispatches/{item['id']}/{verb}", headers=headers)
        assert (again.status_code, again.json()["code"]) == (409, "dispatch_settled")


async def test_after_a_day_in_vain_it_is_before_a_person(
    office: Office, mails: MailServer, desk: Any, complaint: Any
) -> None:
    taken = await _taken(desk, complaint)
    mails.answer = lambda: "451 4.3.0 try later"
    await office.hear(letter(taken["id"], desk))
    await office.pass_time(30, step=20)
    (told,) = await office.notified()
    assert (told.state, told.reason) == ("failed", "451 4.3.0 try later")


async def test_a_sender_that_dies_leaves_it_to_the_next_under_the_same_message_id(
    office: Office, mails: MailServer, desk: Any, complaint: Any
) -> None:
    taken = await _taken(desk, complaint)
    await office.hear(letter(taken["id"], desk))
    (sending,) = await office.dispatcher._take()
    await office.dispatcher._send(sending)  # it went, and the process dies before that is written down
    await office.dispatcher.run()
    assert len(mails.mails) == 1, "nobody else touches it meanwhile"
    desk.now += LEASE
    await office.pass_time(1)
    assert len({mail["Message-ID"] for mail in mails.mails}) == 1
    assert len(mails.mails) == 2


async def test_a_server_that_is_down_is_no_reason_to_give_up(
    office: Office, mails: MailServer, desk: Any, complaint: Any
) -> None:
    taken = await _taken(desk, complaint)
    down = smtp("127.0.0.1", free_port(), sender="care@bank.example", username=None, password=None, tls="none")
    await office.hear(letter(taken["id"], desk))
    dead = Dispatcher(desk.db, desk.app.state.desk, {"email": down}, lambda: desk.now, bank_name="Bank")
    await dead.run()
    assert await office.notified() == []
    desk.now += timedelta(hours=1)
    await office.dispatcher.run()
    assert len(mails.mails) == 1


async def test_nothing_is_set_up_and_everything_waits(desk: Any, office: Office, complaint: Any) -> None:
    taken = await _taken(desk, complaint)
    await office.hear(letter(taken["id"], desk))
    await Dispatcher(desk.db, desk.app.state.desk, {}, lambda: desk.now, bank_name="Bank").run()
    assert [row["state"] for row in await desk.rows("SELECT state FROM dispatch")] == ["waiting"]


async def test_who_prefers_sms_gets_sms_under_one_key(
    office: Office, mails: MailServer, desk: Any, complaint: Any
) -> None:
    await _taken(desk, complaint, complainant=PERSON | {"preferred_channel": "sms"})
    await office.hear_own()
    office.gateway = 503
    await office.pass_time(0.5)
    office.gateway = 202
    await office.pass_time(2)
    assert len({request.headers["Idempotency-Key"] for request in office.texts}) == 1
    body = orjson.loads(office.texts[-1].content)
    assert (body["to"], body["from"]) == ("+85223456789", "Bank")
    assert office.texts[-1].headers["Authorization"] == "Bearer gateway-key"
    assert [told.state for told in await office.notified()] == ["sent"]
    assert mails.mails == []


async def test_a_question_and_a_survey_go_out(office: Office, mails: MailServer, desk: Any, complaint: Any) -> None:
    taken = await _taken(desk, complaint)
    asked = ComplaintInformationRequested(
        complaint_id=taken["id"], request_id="r-1", question="Which {branch} was it?", requested_at=desk.now
    )
    await office.hear(asked, ComplaintClosed(complaint_id=taken["id"], closed_at=desk.now), again=2)
    await office.dispatcher.run()
    said = {mail["Subject"].split()[0]: mail.get_content() for mail in mails.mails}
    assert len(mails.mails) == 2
    assert "Which {branch} was it?" in said["A"]
    assert "How" in said


async def test_history_and_machines_are_not_written_to(office: Office, desk: Any, complaint: Any) -> None:
    received = (desk.now - timedelta(days=90)).isoformat()
    await desk.post(complaint(complainant=PERSON, received_at=received), who="history")
    await office.hear_own()
    assert await desk.scalar("SELECT count(*) FROM dispatch") == 0


async def test_what_waits_is_sealed_and_no_address_is_told(office: Office, desk: Any, complaint: Any) -> None:
    await _taken(desk, complaint)
    await office.hear_own()
    (row,) = await desk.rows("SELECT * FROM dispatch")
    said = b"".join(v if isinstance(v, bytes) else str(v).encode() for v in row.values())
    assert b"chan@example.com" not in said
    assert b"Chan" not in said


@pytest.mark.parametrize(
    ("person", "kind", "via", "trouble"),
    [
        ({"email": "a@b.example", "phone": "+1"}, "letter", "email", None),
        ({"email": "a@b.example", "phone": "+1", "preferred_channel": "sms"}, "letter", "sms", None),
        ({"phone": "+1", "preferred_channel": "email"}, "letter", "sms", None),
        ({"email": "a@b.example", "preferred_channel": "post"}, "letter", "post", BY_HAND),
        ({"email": "a@b.example", "preferred_channel": "post"}, "survey", None, None),
        ({"name": "x"}, "letter", "post", NO_ADDRESS),
        ({"name": "x"}, "acknowledgement", None, None),
        (None, "letter", None, None),
        ({"email": "a@b.example", "representative": {"email": "r@b.example"}}, "letter", "email", None),
    ],
)
def test_the_way_to_somebody(person: Any, kind: str, via: str | None, trouble: str | None) -> None:
    way = choose(person, kind)
    assert (way.via if way else None, way.trouble if way else None) == (via, trouble)
    if way and person.get("representative"):
        assert way.address == "r@b.example"


def test_reasons_hold_no_address() -> None:
    assert (
        reason("550 user chan@example.com\r\nunknown; call +852 2345 6789")
        == "550 user [address] unknown; call [address]"
    )


@pytest.mark.parametrize("language", ["zh-Hant", "zh-Hans", "en"])
def test_every_language_has_every_text_with_its_link(language: str) -> None:
    texts = letters(language)
    assert set(texts) == {"version", "acknowledgement", "information_request", "survey", "message", "letter"}
    for kind in set(texts) - {"version"}:
        assert set(texts[kind]) == {"subject", "body", "sms"}
        assert "{link}" in texts[kind]["sms"]
        assert kind == "letter" or "{link}" in texts[kind]["body"]
