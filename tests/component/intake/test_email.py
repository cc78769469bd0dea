"""Mail that comes in, over SMTP, LMTP and HTTP: a complaint, a message to one, a machine's word; each exactly once."""

import asyncio
import base64
import smtplib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from deploy.infra.ports import free_port
from services.intake.channels import email
from services.intake.channels.email import Setup
from services.intake.listeners import mail as listeners
from services.intake.listeners.mail import Listening, listener
from services.intake.settings import IntakeSettings
from services.intake.store import attachment as attachments
from services.intake.store import complaint as complaints
from services.intake.store.correspondence import Dispatch, MailThread
from services.intake.usecases.complaint import Desk
from services.intake.usecases.mail import Letter, Mailroom, thread_key
from services.intake.worker import create_worker
from shared import worker as workers
from shared.bus.local import LocalBus
from shared.errors import Unavailable
from shared.ids import uuid7
from shared.security.crypto import MasterKeys

SQLITE = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
TO = "complaints@bank.example"
SETUP = Setup(authserv_id="mx.bank.example")
KEYS = MasterKeys({"k1": bytes(range(32))}, pseudonym_key=bytes(32))  # those of the fixtures
NARRATIVE = "The branch charged me twice for one transfer, and nobody rang back."


def mail(text: str = NARRATIVE, **fields: str) -> bytes:
    made = EmailMessage()
    given = {"From": "Chan Example <chan@example.com>", "To": TO, "Subject": "Charged twice"}
    given |= {"Message-ID": "<m1@example.com>"} | {name.replace("_", "-"): value for name, value in fields.items()}
    for name, value in given.items():
        if value:
            made[name] = value
    made.set_content(text)
    return made.as_bytes()


def of(raw: bytes, sender: str | None = None) -> Letter:
    return email.letter(raw, SETUP, email.Envelope(sender))


def _rest(desk: Any) -> dict[str, Any]:
    return {"clock": lambda: desk.now, "files": desk.app.state.files, "answered": 5}


Listen = Callable[..., Awaitable[int]]


@pytest.fixture
async def listen(desk: Any) -> AsyncIterator[Listen]:
    """`port = await listen(protocol="lmtp", ...)`: a listener on a port of loopback, on the database of `desk`."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> int:
            given = {"protocol": "smtp", "hostname": "redress.test", "recipients": (TO,)}
            given |= {"max_size": 100_000, "connections": 5} | options
            listening = Listening("127.0.0.1", free_port(), **given)
            serve = listener(listening, SETUP, desk.db, desk.app.state.desk, **_rest(desk))
            task = asyncio.ensure_future(serve())

            async def stop() -> None:
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

            stack.push_async_callback(stop)
            for _ in range(200):
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", listening.port)
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    await writer.wait_closed()
                    break
            return listening.port

        yield start


async def send(port: int, raw: bytes, *, sender: str = "chan@example.com", to: Any = TO) -> dict[str, Any]:
    """As a mail server would; raises smtplib's errors."""

    def deliver() -> dict[str, Any]:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            return client.sendmail(sender, to, raw)

    return await asyncio.to_thread(deliver)


async def refusal(port: int, raw: bytes, **options: Any) -> int:
    """The code with which it was refused."""
    try:
        await send(port, raw, **options)
    except smtplib.SMTPRecipientsRefused as error:
        return next(iter(error.recipients.values()))[0]
    except smtplib.SMTPResponseException as error:
        return error.smtp_code
    raise AssertionError("it was taken")


async def post(desk: Any, raw: bytes, *, who: str | None = "any", kind: str = "message/rfc822") -> Any:
    headers = desk.headers(who) | {"Content-Type": kind}
    return await desk.http.post("/v1/channels/email", content=raw, headers=headers)


async def taken(desk: Any) -> int:
    found: int = await desk.scalar("SELECT count(*) FROM complaint")
    return found


async def messages(desk: Any) -> list[dict[str, Any]]:
    """Every message as it was kept, opened."""
    found = []
    d: Desk = desk.app.state.desk
    for row in await desk.rows("SELECT id, complaint_id, author, direction, via, sealed_body FROM message ORDER BY id"):
        async with desk.db.reading() as tx:
            whose = await complaints.complaint(tx, row["complaint_id"])
        body = orjson.loads(d.data_key(whose).open(f"message:{row['id']}", bytes(row.pop("sealed_body"))))
        found.append(row | body)
    return found


async def audited(desk: Any, action: str) -> list[dict[str, Any]]:
    rows = await desk.rows(f"SELECT subject, detail FROM audit WHERE action = '{action}' ORDER BY seq")
    return [{"subject": row["subject"]} | orjson.loads(row["detail"]) for row in rows]


async def dispatched(desk: Any, complaint_id: str, state: str = "sent") -> str:
    """A mail of ours to the complainant, as the sender leaves it; its id."""
    id = uuid7()
    async with desk.db.transaction() as tx:
        tx.add(
            Dispatch(
                id=id, complaint_id=complaint_id, kind="acknowledgement", via="email", language="en",
                dedupe_key=f"acknowledgement:{id}", sealed_to=b"x", sealed_content=b"x", state=state,
                created_at=desk.now,
            )
        )  # fmt: skip
        key = thread_key(desk.app.state.desk, f"{id}@bank.example")
        tx.add(MailThread(message_key=key, complaint_id=complaint_id))
    return id


# --- a new complaint ---


async def test_a_mail_over_smtp_is_a_complaint_once(desk: Any, listen: Listen) -> None:
    port = await listen()
    raw = mail(f"{NARRATIVE}\n\n-- \nChan Example\n+852 5555 0100", Subject="Re: Charged twice")
    raw = b"Authentication-Results: mx.bank.example; dmarc=pass\r\n" + raw
    assert await send(port, raw, to=[TO, "Complaints+extra@bank.example"]) == {}
    assert await send(port, b"Received: by another way\r\n" + raw) == {}
    [row] = await desk.rows("SELECT id, reference, channel FROM complaint")
    assert row["channel"] == "email"
    again = await post(desk, raw)
    assert (again.status_code, again.json()["reference"]) == (201, row["reference"])
    assert again.headers["idempotency-replayed"] == "true"
    assert await taken(desk) == 1

    found = (await desk.get(f"/v1/complaints/{row['id']}")).json()
    assert found["narrative"] == f"Charged twice\n\n{NARRATIVE}"
    assert found["complainant"]["name"] == "Chan Example"
    assert found["complainant"]["email"] == "chan@example.com"
    assert found["channel_ref"] == "m1@example.com"
    assert found["language"] == "en"
    facts = found["facts"]
    assert facts["authentication"] == {"dmarc": "pass"}
    assert facts["signature"] == "-- \nChan Example\n+852 5555 0100"
    assert "complaints+extra@bank.example" in [a.lower() for a in facts["to"]]


async def test_nothing_personal_leaves_intake_or_lies_open(desk: Any) -> None:
    await post(desk, mail(f"I am Chan Example, {NARRATIVE}", To=f"Complaints <{TO}>"))
    await post(desk, mail("Chan Example again.", Message_ID="<m2@example.com>", In_Reply_To="<m1@example.com>"))
    kept = [
        str(row)
        for table in ("outbox", "audit", "mail_thread", "message")
        for row in await desk.rows(f"SELECT * FROM {table}")
    ]
    assert len(kept) > 6
    for word in ("Chan", "chan@example.com", "m1@example.com"):
        assert not any(word in row for row in kept), word


async def test_many_deliveries_of_one_mail_at_once_make_one_complaint(desk: Any, start: Any) -> None:
    other = await start(desk.db.url, tokens=desk.tokens)
    rooms = (desk.app.state.mailroom, other.app.state.mailroom)
    found = await asyncio.gather(*(rooms[n % 2].take(of(mail()), actor="mail") for n in range(12)))
    assert len({t.reference for t in found}) == 1
    assert await taken(desk) == 1
    replies = await asyncio.gather(
        *(
            rooms[n % 2].take(of(mail("More.", Message_ID="<m2@x>", In_Reply_To="<m1@example.com>")), actor="mail")
            for n in range(12)
        )
    )
    assert {t.outcome for t in replies} == {"joined"}
    assert len(await messages(desk)) == 1
    assert await taken(desk) == 1


async def test_two_mails_under_one_identifier_are_both_taken_and_each_once(desk: Any) -> None:
    answers = [
        (await post(desk, mail(text))).json()["reference"] for text in ("First.", "Second.", "First.", "Second.")
    ]
    assert answers[0] == answers[2] != answers[1] == answers[3]
    assert await taken(desk) == 2


async def test_a_mail_without_an_identifier_is_known_by_its_content(desk: Any) -> None:
    answers = [
        (await post(desk, mail(text, Message_ID=""))).json()["reference"] for text in ("First.", "Second.", "First.")
    ]
    assert answers[0] == answers[2] != answers[1]


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: \xff\x00\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\x00\xff\xfe rubbish",
        b"Subject: \xff\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nno boundary here",
    ],
)
async def test_a_mail_that_cannot_be_read_is_taken_with_what_can_be_and_itself(desk: Any, raw: bytes) -> None:
    found = await desk.app.state.mailroom.take(of(raw, "chan@example.com"), actor="mail")
    assert found.outcome == "received"
    whole = (await desk.get(f"/v1/complaints/{found.receipt.id}")).json()
    assert whole["complainant"]["email"] == "chan@example.com"
    assert whole["facts"]["troubles"]
    [content] = await contents(desk, found.receipt.id)
    assert content in (raw, base64.encodebytes(raw))


# --- what it answers ---


@pytest.fixture
async def known(desk: Any) -> dict[str, Any]:
    """The complaint of the first mail."""
    found: dict[str, Any] = (await post(desk, mail())).json()
    return found


async def test_a_reply_joins_its_complaint_once(desk: Any, known: dict[str, Any], listen: Listen) -> None:
    port = await listen()
    quoting = "And another thing.\n\nOn Mon, 23 Nov 2026 at 10:00, Bank <a@bank.example> wrote:\n> We refer to it."
    reply = mail(quoting, Message_ID="<m2@example.com>", References="<m1@example.com>")
    await send(port, reply)
    answer = await post(desk, reply)
    assert (answer.status_code, answer.json()) == (200, {"joined": known["reference"]})
    [message] = await messages(desk)
    assert (message["direction"], message["author"], message["via"]) == ("in", "complainant", "email")
    assert message["text"] == "And another thing."
    assert "We refer" in message["facts"]["quoted"]
    assert message["facts"]["sender_known"] is True
    events = await desk.rows("SELECT type, payload FROM outbox ORDER BY seq")
    assert [e["type"].split(".")[-2] for e in events] == ["received", "message_added"]
    assert orjson.loads(events[1]["payload"])["data"]["text"] == "And another thing."

    third = mail("Third.", Message_ID="<m3@example.com>", In_Reply_To="<m2@example.com>")
    assert (await post(desk, third)).json() == {"joined": known["reference"]}, "a reply to a reply"
    assert await taken(desk) == 1


@pytest.mark.parametrize(
    ("fields", "joins"),
    [
        ({"Subject": "Re: your letter [{ref}]"}, True),
        ({"Subject": "{ref}", "From": "CHAN@Example.com"}, True),
        ({"To": "complaints+{ref}@bank.example"}, True),
        ({"Subject": "{ref}", "From": "other@example.com"}, False),
        ({"Subject": "{ref}", "From": "other@example.com", "Reply-To": "chan@example.com"}, False),
        ({"Subject": "{ref}", "Authentication-Results": "mx.bank.example; dmarc=fail"}, False),
        ({"Subject": "{ref}", "Authentication-Results": "mx.evil.example; dmarc=fail"}, True),
        ({"In-Reply-To": "<m1@example.com>", "From": "other@example.com"}, False),
        ({"In-Reply-To": "<unknown@example.com>"}, False),
        ({"In-Reply-To": "<dispatch@bank.example>", "From": "other@example.com"}, True),
        ({"References": "<x@y> <dispatch@bank.example> <z@y>", "From": "other@example.com"}, True),
    ],
)  # fmt: skip
async def test_who_may_join_and_who_complains_for_themselves(
    desk: Any, known: dict[str, Any], fields: dict[str, str], joins: bool
) -> None:
    desk.app.state.mail_setup = SETUP
    sent = await dispatched(desk, known["id"])
    fields = {k: v.replace("{ref}", known["reference"]).replace("<dispatch@", f"<{sent}@") for k, v in fields.items()}
    raw = mail("Something more.", **({"Message-ID": "<m2@example.com>"} | fields))
    answer = await post(desk, raw)
    assert answer.status_code == (200 if joins else 201)
    assert (await post(desk, raw)).status_code == answer.status_code
    assert (await taken(desk), len(await messages(desk))) == ((1, 1) if joins else (2, 0))
    if joins:
        [message] = await messages(desk)
        assert message["facts"]["sender_known"] is ("other" not in fields.get("From", ""))
    else:
        found = (await desk.get(f"/v1/complaints/{answer.json()['id']}")).json()
        named = known["reference"] in str(fields)
        assert (found["facts"].get("mentions") == [known["reference"]]) is named, "staff see what it names"


async def test_a_representative_may_join(desk: Any) -> None:
    body = {
        "branch": "HK-012",
        "staff": "S-1",
        "narrative": NARRATIVE,
        "complainant": {"name": "Wong Example"},
        "representative": {
            "name": "Wong Parent",
            "relation": "parent",
            "authority": "guardianship",
            "email": "parent@example.com",
        },
    }
    made = await desk.http.post("/v1/channels/branch", json=body, headers=desk.headers("any"))
    assert made.status_code == 201
    answer = await post(desk, mail(From="parent@example.com", Subject=made.json()["reference"]))
    assert answer.status_code == 200
    assert [m["author"] for m in await messages(desk)] == ["representative"]


async def test_an_answer_to_an_erased_complaint_is_one_of_its_own(desk: Any, known: dict[str, Any]) -> None:
    async with desk.db.transaction() as tx:
        found = await complaints.complaint(tx, known["id"])
        found.wrapped_key, found.key_id, found.sealed_person = b"", "", None
    reply = mail("More.", Message_ID="<m2@example.com>", In_Reply_To="<m1@example.com>")
    assert (await post(desk, reply)).status_code == 201
    first = await post(desk, mail())
    assert (first.status_code, first.json()["id"]) == (201, known["id"]), "the first mail is still no new complaint"


# --- machines ---


AWAY = {"Auto-Submitted": "auto-replied", "Subject": "Out of office", "Message-ID": "<auto@example.com>"}


async def test_an_automatic_reply_is_noted_on_its_complaint_and_is_none(
    desk: Any, known: dict[str, Any], listen: Listen
) -> None:
    port = await listen()
    sent = await dispatched(desk, known["id"])
    raw = mail("I am away until Monday.", **AWAY, In_Reply_To=f"<{sent}@bank.example>")
    for _ in range(2):
        assert await send(port, raw) == {}
        answer = await post(desk, raw)
        assert answer.status_code == 202
        assert answer.json() == {"kind": "auto_reply", "outcome": "recorded", "reference": known["reference"]}
    assert [(m["author"], m["text"]) for m in await messages(desk)] == [("system", "I am away until Monday.")]
    assert await taken(desk) == 1
    [_, event] = await desk.rows("SELECT payload FROM outbox ORDER BY seq")
    assert orjson.loads(event["payload"])["data"]["author"] == "system", "no clock takes it for an answer"


async def test_an_automatic_reply_to_nothing_leaves_a_note_alone(desk: Any) -> None:
    answer = await post(desk, mail("I am away.", **AWAY))
    assert (answer.status_code, answer.json()) == (202, {"kind": "auto_reply", "outcome": "dropped", "reference": None})
    assert await taken(desk) == 0
    assert await audited(desk, "mail.dropped") == [
        {"subject": "email", "kind": "auto_reply", "signs": ["auto_submitted", "subject"]}
    ]


def report(about: str, action: str = "failed", status: str = "5.1.1", id: str = "b1@mx.example") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\r\nTo: {TO}\r\nSubject: Undelivered\r\nMessage-ID: <{id}>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is a report.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; chan@example.com\r\nAction: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 no such user chan@example.com\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{about}>\r\n\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("before", "action", "status", "after"),
    [
        ("sent", "failed", "5.1.1", "failed"),
        ("waiting", "failed", "5.7.1", "failed"),
        ("sent", "delayed", "4.4.1", "sent"),
        ("sent", "delivered", "2.0.0", "sent"),
        ("settled", "failed", "5.1.1", "settled"),
        ("cancelled", "failed", "5.1.1", "cancelled"),
    ],
)
async def test_what_could_not_be_delivered_comes_before_a_person(
    desk: Any, known: dict[str, Any], listen: Listen, before: str, action: str, status: str, after: str
) -> None:
    port = await listen()
    sent = await dispatched(desk, known["id"], before)
    raw = report(f"{sent}@bank.example", action, status)
    for _ in range(2):
        assert await send(port, raw, sender="") == {}  # MAIL FROM:<>
    [row] = await desk.rows(f"SELECT state, error FROM dispatch WHERE id = '{sent}'")
    news = after == "failed"
    assert (row["state"], row["error"]) == (after, f"bounced {status}" if news else None)
    events = [orjson.loads(e["payload"]) for e in await desk.rows("SELECT payload FROM outbox ORDER BY seq")][1:]
    assert [(e["type"], e["data"]["notice_id"], e["data"]["state"], e["data"]["reason"]) for e in events] == (
        [("com.redress.complaint.notified.v1", sent, "failed", f"bounced {status}")] if news else []
    )
    assert await audited(desk, "mail.bounced") == [
        {"subject": known["id"], "action": action, "status": status, "dispatch": sent}
    ], "once, though it came twice"
    assert (await taken(desk), await messages(desk)) == (1, [])


async def test_a_bounce_of_nothing_we_know_is_dropped(desk: Any) -> None:
    answer = await post(desk, report("unknown@bank.example"))
    assert answer.json() == {"kind": "bounce", "outcome": "dropped", "reference": None}
    assert await taken(desk) == 0


async def test_our_own_mail_that_comes_back_is_no_complaint(desk: Any, known: dict[str, Any]) -> None:
    sent = await dispatched(desk, known["id"])
    answer = await post(desk, mail("We have your complaint.", Message_ID=f"<{sent}@bank.example>", From=TO))
    assert (answer.status_code, answer.json()["reference"]) == (202, known["reference"])
    assert await audited(desk, "mail.looped") == [{"subject": known["id"], "dispatch": sent}]
    assert (await taken(desk), await messages(desk)) == (1, [])


async def test_a_machine_that_shows_no_sign_of_it_is_heard_but_not_answered_for_ever(desk: Any) -> None:
    marked = []
    for n in range(7):
        answer = await post(desk, mail("Your request is important to us.", Message_ID=f"<loop{n}@example.com>"))
        assert answer.status_code == 201, "nothing is lost"
        found = (await desk.get(f"/v1/complaints/{answer.json()['id']}")).json()
        marked.append(found["facts"].get("automatic", False))
    assert marked == [False] * 5 + [True] * 2
    desk.now += timedelta(hours=2)
    answer = await post(desk, mail("Something else.", Message_ID="<later@example.com>"))
    found = (await desk.get(f"/v1/complaints/{answer.json()['id']}")).json()
    assert "automatic" not in found["facts"]


# --- files ---


async def contents(desk: Any, complaint_id: str) -> list[bytes]:
    """The files of a complaint, opened."""
    async with desk.db.reading() as tx:
        rows = await attachments.of_complaint(tx, complaint_id)
    return [b"".join([part async for part in desk.app.state.files.content(row)]) for row in rows]


def with_files(id: str = "m1@example.com", **fields: str) -> bytes:
    made = EmailMessage()
    made["From"], made["Message-ID"] = "chan@example.com", f"<{id}>"
    for name, value in fields.items():
        made[name.replace("_", "-")] = value
    made.set_content(NARRATIVE)
    made.add_attachment(b"%PDF-1.7" + b"x" * 200_000, maintype="application", subtype="pdf", filename="statement.pdf")
    made.add_attachment(b"MZ" + bytes(100), maintype="application", subtype="octet-stream", filename="tool.exe")
    return made.as_bytes()


async def test_files_come_with_their_complaint_and_their_message(desk: Any) -> None:
    room = desk.app.state.mailroom
    first = await room.take(of(with_files()), actor="mail")
    again = await room.take(of(with_files()), actor="mail")
    reply = await room.take(of(with_files("m2@x", In_Reply_To="<m1@example.com>")), actor="mail")
    assert (again.reference, reply.outcome) == (first.reference, "joined")
    rows = await desk.rows("SELECT id, complaint_id, message_id FROM attachment ORDER BY id")
    [message] = await messages(desk)
    assert [(r["complaint_id"], r["message_id"]) for r in rows] == [
        (first.receipt.id, None),
        (first.receipt.id, message["id"]),
    ], "not kept again for a mail that came again"
    assert await contents(desk, first.receipt.id) == [b"%PDF-1.7" + b"x" * 200_000] * 2
    facts = (await desk.get(f"/v1/complaints/{first.receipt.id}")).json()["facts"]["files"]
    assert [(f["name"], f.get("attachment"), f.get("refused")) for f in facts] == [
        ("statement.pdf", rows[0]["id"], None),
        ("tool.exe", None, "file_refused"),
    ], "what was not kept is told"
    assert message["facts"]["files"][0]["attachment"] == rows[1]["id"]


async def test_while_files_cannot_be_kept_nothing_is(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise Unavailable("The store is away.")

    room = desk.app.state.mailroom
    with monkeypatch.context() as patch:
        patch.setattr(desk.app.state.files, "take", away)
        with pytest.raises(Unavailable):
            await room.take(of(with_files()), actor="mail")
    assert await taken(desk) == 0
    assert (await room.take(of(with_files()), actor="mail")).outcome == "received"


# --- the protocols ---


@SQLITE
async def test_who_is_not_ours_or_too_much_is_refused(desk: Any, listen: Listen) -> None:
    port = await listen(max_size=5000)
    assert await refusal(port, mail(), to="somebody@elsewhere.example") == 550
    assert await refusal(port, mail(), to="complaints@bank.example.evil.example") == 550
    assert await refusal(port, mail("x" * 9000)) == 552

    def undeclared() -> int:
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.ehlo()
            client.mail("chan@example.com")
            client.rcpt(TO)
            return client.data(b"Subject: x\r\n\r\n" + b"x\r\n" * 3000)[0]

    assert await asyncio.to_thread(undeclared) == 552, "whatever size it said that it has"
    assert await send(port, mail(), to=[TO, "somebody@elsewhere.example"]) == {
        "somebody@elsewhere.example": (550, b"5.1.1 No mail is taken for this address")
    }
    assert await taken(desk) == 1
    whole = await listen(recipients=("@bank.example",))
    assert await send(whole, mail(Message_ID="<m2@x>"), to="anybody@Bank.Example") == {}


@SQLITE
async def test_lines_of_any_length_and_bytes_of_any_kind_are_taken(desk: Any, listen: Listen) -> None:
    port = await listen(max_size=1_000_000)
    long = b"From: chan@example.com\r\nMessage-ID: <l@x>\r\n\r\n" + b"word " * 60_000 + b"\r\n..dots\r\n.\xff\x00\r\n"
    assert await send(port, long) == {}
    [row] = await desk.rows("SELECT id FROM complaint")
    found = (await desk.get(f"/v1/complaints/{row['id']}")).json()
    assert found["narrative"].startswith("word word")


@SQLITE
async def test_lmtp_answers_for_each_recipient(desk: Any, listen: Listen) -> None:
    port = await listen(protocol="lmtp")

    def deliver() -> list[tuple[int, bytes]]:
        with smtplib.LMTP("127.0.0.1", port, timeout=20) as client:
            client.ehlo("mx.bank.example")
            client.mail("chan@example.com")
            codes = [client.rcpt(to)[0] for to in (TO, "nobody@bank.example", "complaints+a@bank.example")]
            assert codes == [250, 550, 250]
            return [client.data(mail()), client.getreply()]

    answers = await asyncio.to_thread(deliver)
    reference = await desk.scalar("SELECT reference FROM complaint")
    assert answers == [(250, f"2.0.0 received {reference}".encode())] * 2
    assert await taken(desk) == 1


@pytest.mark.parametrize("backend", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_while_the_database_is_away_mail_is_put_off_and_then_taken_once(
    desk: Any, listen: Listen, postgres: Any, eventually: Any
) -> None:
    port = await listen()
    await asyncio.to_thread(postgres.kill)
    try:
        assert await refusal(port, mail()) == 451
        assert await refusal(port, mail("Away.", **AWAY)) == 451
    finally:
        await asyncio.to_thread(postgres.start)

    async def accepted() -> bool:
        try:
            return await send(port, mail()) == {}
        except smtplib.SMTPDataError:
            return False

    assert await eventually(accepted, within=20, every=0.5)
    assert await send(port, mail()) == {}
    assert await taken(desk) == 1


@SQLITE
async def test_an_unforeseen_failure_puts_mail_off_and_tells_nobody_what_it_held(
    desk: Any, listen: Listen, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = await listen()

    async def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError(NARRATIVE)

    with monkeypatch.context() as patch:
        patch.setattr(Mailroom, "take", fails)
        with pytest.raises(smtplib.SMTPDataError) as raised:
            await send(port, mail())
        assert raised.value.smtp_code == 451
        assert NARRATIVE.encode() not in raised.value.smtp_error
    assert await send(port, mail()) == {}
    assert await taken(desk) == 1


@SQLITE
async def test_mail_that_was_received_is_kept_when_the_listener_stops_or_the_client_goes(
    desk: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    reached, go = asyncio.Event(), asyncio.Event()
    real = Mailroom.take

    async def slow(self: Mailroom, letter: Letter, *, actor: str) -> Any:
        reached.set()
        await go.wait()
        return await real(self, letter, actor=actor)

    monkeypatch.setattr(Mailroom, "take", slow)
    listening = Listening("127.0.0.1", free_port(), "smtp", "redress.test", (TO,), 100_000, 5)
    serve = listener(listening, SETUP, desk.db, desk.app.state.desk, **_rest(desk))
    task = asyncio.ensure_future(serve())
    await asyncio.sleep(0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    for line in ("EHLO x", "MAIL FROM:<chan@example.com>", f"RCPT TO:<{TO}>", "DATA"):
        writer.write(line.encode() + b"\r\n")
        await asyncio.sleep(0.05)
    writer.write(mail().replace(b"\n", b"\r\n") + b"\r\n.\r\n")
    await asyncio.wait_for(reached.wait(), 10)
    writer.close()
    task.cancel()
    await asyncio.sleep(0.1)
    assert not task.done(), "it waits for what it has been given"
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await taken(desk) == 1
    assert reader is not None


@SQLITE
async def test_more_connections_than_allowed_are_put_off(desk: Any, listen: Listen) -> None:
    port = await listen(connections=2)
    await asyncio.sleep(0.1)  # until the fixture's own connection is gone
    open_ones = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    for reader, _ in open_ones:
        assert (await reader.readline()).startswith(b"220 redress.test")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert (await reader.readline()).startswith(b"421 ")
    for _, one in (*open_ones, (reader, writer)):
        one.close()
        await one.wait_closed()
    await asyncio.sleep(0.1)
    assert await send(port, mail()) == {}


@pytest.fixture
def certificate(tmp_path: Path) -> SimpleNamespace:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redress.test")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    chain, private = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return SimpleNamespace(chain=chain, key=private)


@SQLITE
async def test_mail_in_the_clear_is_refused_where_tls_is_required(
    desk: Any, listen: Listen, certificate: SimpleNamespace
) -> None:
    port = await listen(certificate=certificate.chain, key=certificate.key, tls_required=True)

    def deliver(*, secured: bool) -> int:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.ehlo()
            if secured:
                client.starttls()
                client.ehlo()
            code = client.mail("chan@example.com")[0]
            if code == 250:
                client.rcpt(TO)
                code = client.data(mail())[0]
            return code

    assert await asyncio.to_thread(deliver, secured=False) == 530
    assert await taken(desk) == 0
    assert await asyncio.to_thread(deliver, secured=True) == 250
    assert await taken(desk) == 1


@SQLITE
async def test_the_worker_listens_and_a_port_that_is_taken_stops_nothing_else(
    desk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setattr(workers, "LISTEN_AGAIN", 0.05)
    port = free_port()
    taker = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    settings = IntakeSettings(home=tmp_path, mail_listen=f"127.0.0.1:{port}", mail_recipients=(TO,))
    bus = LocalBus()
    worker = create_worker(settings, desk.db, bus, keys=KEYS, clock=lambda: desk.now)
    await bus.start()
    running = asyncio.ensure_future(worker.run())
    try:
        assert await eventually(lambda: desk.scalar("SELECT count(*) FROM heartbeat"))
        taker.close()
        await taker.wait_closed()

        async def accepted() -> bool:
            try:
                return await send(port, mail()) == {}
            except OSError:
                return False

        assert await eventually(accepted, every=0.1)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await bus.stop()
    assert await taken(desk) == 1


# --- over HTTP, and settings ---


@SQLITE
async def test_what_is_refused_over_http(desk: Any) -> None:
    assert (await post(desk, mail(), who=None)).status_code == 401
    assert (await post(desk, mail(), who="reader")).status_code == 403
    refused = await post(desk, mail(), who="phone")
    assert (refused.status_code, refused.json()["code"]) == (403, "channel_not_allowed")
    for raw, kind in (
        (b"", "message/rfc822"),
        (b" \r\n", "message/rfc822"),
        (mail(), "application/json"),
        (mail(), ""),
    ):
        answer = await post(desk, raw, kind=kind)
        assert (answer.status_code, answer.json()["code"]) == (400, "no_mail")
    assert (await post(desk, mail(), kind="message/rfc822; charset=utf-8")).status_code == 201


@SQLITE
async def test_a_mail_over_http_may_be_as_large_as_one_over_smtp(start: Any, migrated: Callable[[str], str]) -> None:
    desk = await start(migrated("intake"), settings={"max_body": 2000, "mail_max_size": 9000})
    assert (await post(desk, mail("x" * 8000))).status_code == 201
    assert (await post(desk, mail("x" * 10_000))).status_code == 413


@SQLITE
async def test_the_documented_example_is_one_that_is_taken(desk: Any) -> None:
    document = desk.app.openapi()["paths"]["/v1/channels/email"]["post"]
    example = document["requestBody"]["content"]["message/rfc822"]["example"]
    assert {"200", "201", "202", "400", "413"} <= set(document["responses"])
    assert (await post(desk, example.encode())).status_code == 201


@pytest.mark.parametrize(
    "wrong",
    [
        {"mail_listen": "127.0.0.1:2525"},
        {"mail_listen": "2525", "mail_recipients": (TO,)},
        {"mail_listen": "127.0.0.1:2525", "mail_recipients": (TO,), "mail_tls_required": True},
        {"mail_protocol": "pop3"},
        {"mail_max_size": 0},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        IntakeSettings(home=tmp_path, **wrong)


def test_settings_say_where_to_listen(tmp_path: Path) -> None:
    assert IntakeSettings(home=tmp_path).mail_listening() is None
    found = IntakeSettings(home=tmp_path, mail_listen="[::1]:24", mail_protocol="lmtp", mail_recipients=(TO,))
    assert found.mail_listening() == replace(
        Listening("::1", 24, "lmtp", "redress.invalid", (TO,), 26_214_400, 20), hostname=found.mail_hostname
    )
    assert listeners.MOST_RECIPIENTS >= 100, "RFC 5321, 4.5.3.1.8"
