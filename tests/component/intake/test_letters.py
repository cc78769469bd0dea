"""The bank's letters: kept as issued, sent as PDF with the name, printed by those who may, gone once erased."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.intake import consumers
from services.intake.usecases.dispatch import Dispatcher
from shared import cloudevents
from shared.bus import Message
from shared.cloudevents import encode
from shared.events import TOPICS, ComplaintClosed, ComplaintLetterIssued, Event
from shared.ids import uuid7
from shared.inbox import Consumer
from shared.letters import render
from shared.smtp import Outgoing, letter

PERSON = {"name": "陳示例", "email": "chan@example.com", "phone": "+852 2345 6789"}
LATE = datetime(2026, 11, 23, 22, tzinfo=UTC)  # already the next day in Hong Kong
BODY = "尊敬的{complainant}：\n\n本行認為您的投訴成立。\n\n如您不同意：\n• 甲\n• 乙"


class Post:
    """Keeps what would be sent by any way."""

    def __init__(self, desk: Any) -> None:
        self.desk, self.sent = desk, list[Outgoing]()
        app, clock = desk.app, lambda: desk.now
        ways = {"email": self._take, "sms": self._take}
        self.dispatcher = Dispatcher(desk.db, app.state.desk, ways, clock, bank_name=app.state.bank_name)
        settings = app.state.settings
        context = consumers.Context(app.state.desk, clock, settings.zone, "https://care.example", settings.languages)
        self.consumer = Consumer(desk.db, consumers.handler(context), consumers.HANDLED, clock)

    async def _take(self, one: Outgoing) -> None:
        self.sent.append(one)

    async def hear(self, event: Event) -> None:
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


@pytest.fixture
def post(desk: Any) -> Post:
    return Post(desk)


def issued(id: str, **changes: Any) -> ComplaintLetterIssued:
    told = {"letter_id": "l-1", "kind": "final", "language": "zh-Hant", "subject": "最終回覆", "body": BODY}
    return ComplaintLetterIssued(**{"complaint_id": id, "issued_at": LATE, **told, **changes})


async def _taken(desk: Any, complaint: Any, person: Any = PERSON, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await desk.post(complaint(complainant=person, **changes))).json()
    return found


def printed(taken: dict[str, Any], name: str | None, **changes: Any) -> bytes:
    told: dict[str, Any] = {
        "language": "zh-Hant",
        "bank_name": "Example Bank",
        "date": date(2026, 11, 24),
    }
    return render("最終回覆", BODY, reference=taken["reference"], complainant=name, **{**told, **changes})


async def test_a_letter_by_mail_brings_its_pdf_with_the_name_and_the_day_of_the_bank(
    post: Post, desk: Any, complaint: Any
) -> None:
    taken = await _taken(desk, complaint)
    await post.hear(issued(taken["id"]))
    await post.dispatcher.run()
    (one,) = post.sent
    assert one.text.splitlines()[0] == "尊敬的陳示例："
    assert one.pdf is not None
    assert one.pdf.content == printed(taken, "陳示例")
    mail = letter(one, "care@bank.example")
    (attached,) = mail.iter_attachments()
    assert attached.get_content_type() == "application/pdf"
    assert attached.get_filename() == f"{taken['reference']}.pdf"
    assert attached.get_content() == one.pdf.content


async def test_only_letters_by_mail_bring_one(post: Post, desk: Any, complaint: Any) -> None:
    by_mail = await _taken(desk, complaint)
    by_sms = await _taken(desk, complaint, PERSON | {"preferred_channel": "sms"}, narrative="Something else entirely.")
    await post.hear(ComplaintClosed(complaint_id=by_mail["id"], closed_at=desk.now))
    await post.hear(issued(by_sms["id"], letter_id="l-2"))
    await post.dispatcher.run()
    assert [(one.pdf, "@" in one.to) for one in post.sent] == [(None, True), (None, False)]


async def test_staff_list_read_and_print_a_letter_that_is_to_be_posted(post: Post, desk: Any, complaint: Any) -> None:
    taken = await _taken(desk, complaint, PERSON | {"preferred_channel": "post"})
    path = f"/v1/complaints/{taken['id']}/letters"
    assert (await desk.get(path)).json() == {"items": []}
    await post.hear(issued(taken["id"]))
    await post.hear(issued(taken["id"], letter_id="l-2", kind="holding"))
    first, second = (await desk.get(path)).json()["items"]
    assert (first["id"], second["id"]) == ("l-1", "l-2")
    assert (first["kind"], first["via"], first["state"]) == ("final", "post", "failed"), "a person must print it"
    assert first["issued_on"] == "2026-11-24"
    assert "text" not in first
    opened = (await desk.get(f"{path}/l-1")).json()
    assert opened == first | {"text": BODY.replace("{complainant}", "陳示例")}
    answer = await desk.get(f"{path}/l-1.pdf")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.content == printed(taken, "陳示例")
    actions = {row["action"] for row in await desk.rows("SELECT action FROM audit WHERE actor LIKE '%officer%'")}
    assert {"letters.read", "letter.read", "letter.printed"} <= actions


async def test_a_letter_answers_to_the_address_that_the_complainants_own_letter_bore(
    post: Post, desk: Any, complaint: Any
) -> None:
    body = {
        "received_on": "2026-11-20",
        "narrative": "I write about a fee.",
        "sender_address": "1 Example Road\nCentral",
        "complainant": {"name": "Lee Example", "preferred_channel": "post"},
    }
    headers = desk.headers("agent") | {"Idempotency-Key": "MR-1"}
    taken = (await desk.http.post("/v1/channels/letter", json=body, headers=headers)).json()
    await post.hear(issued(taken["id"]))
    answer = await desk.get(f"/v1/complaints/{taken['id']}/letters/l-1.pdf")
    assert answer.content == printed(taken, "Lee Example", address="1 Example Road\nCentral")
    assert answer.content != printed(taken, "Lee Example")


async def test_who_prefers_another_language_gets_the_letter_in_the_one_it_was_written_in(
    post: Post, desk: Any, complaint: Any
) -> None:
    taken = await _taken(desk, complaint, language="zh-Hant")
    await post.hear(issued(taken["id"], language="en", body="Dear {complainant},\n\nDone.", subject="Our decision"))
    await post.dispatcher.run()
    (one,) = post.sent
    assert (one.language, one.subject, one.text.splitlines()[0]) == ("en", "Our decision", "Dear 陳示例,")
    assert one.pdf is not None
    assert b"/Lang(en-GB)" in one.pdf.content


@pytest.mark.parametrize("who", ["manager", "admin", "phone", "reader", None])
async def test_nobody_else_reads_letters(post: Post, desk: Any, complaint: Any, who: str | None) -> None:
    taken = await _taken(desk, complaint)
    await post.hear(issued(taken["id"]))
    for path in ("", "/l-1", "/l-1.pdf"):
        answer = await desk.get(f"/v1/complaints/{taken['id']}/letters{path}", who=who)
        assert answer.status_code == (403 if who else 401)


async def test_a_letter_is_found_with_its_own_complaint_only(post: Post, desk: Any, complaint: Any) -> None:
    mine = await _taken(desk, complaint)
    other = await _taken(desk, complaint, narrative="Something else entirely.")
    await post.hear(issued(mine["id"]))
    for path in (f"{other['id']}/letters/l-1", f"{other['id']}/letters/l-1.pdf", f"{mine['id']}/letters/l-9"):
        assert (await desk.get(f"/v1/complaints/{path}")).status_code == 404
    assert (await desk.get(f"/v1/complaints/{uuid7()}/letters")).status_code == 404


async def test_what_is_kept_is_sealed_and_goes_with_the_complaint(post: Post, desk: Any, complaint: Any) -> None:
    taken = await _taken(desk, complaint)
    await post.hear(issued(taken["id"]))
    (row,) = await desk.rows("SELECT * FROM dispatch")
    said = b"".join(v if isinstance(v, bytes) else str(v).encode() for v in row.values())
    assert "陳示例".encode() not in said
    assert "投訴成立".encode() not in said
    await post.dispatcher.run()
    await post.hear(ComplaintClosed(complaint_id=taken["id"], closed_at=desk.now))
    headers = desk.headers("supervisor")
    gone = await desk.http.post(f"/v1/complaints/{taken['id']}/erasure", headers=headers)
    assert gone.status_code == 200, gone.text
    assert await desk.scalar("SELECT length(sealed_content) FROM dispatch WHERE kind = 'letter'") == 0
    for path in ("", "/l-1", "/l-1.pdf"):
        assert (await desk.get(f"/v1/complaints/{taken['id']}/letters{path}")).status_code == 410
