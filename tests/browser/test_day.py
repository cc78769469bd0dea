"""A day at a branch: each channel speaks its own protocol to one desk, each thing is sent twice, as nervous systems and
people do, and every complaint arrives once, with its channel's facts, and comes out at the other end."""

import json
import os
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from deploy.infra.ports import free_port
from tests.chaos.sites import DeskSite

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(300)]

PDF = b"%PDF-1.7\n" + b"1 0 obj << >> endobj\n" * 20 + b"%%EOF\n"
NOW = datetime.now(UTC)
EARLIER = (NOW - timedelta(hours=2)).isoformat()
TODAY = (NOW + timedelta(hours=8)).date().isoformat()  # in Hong Kong
POSTED: dict[str, dict[str, Any]] = {
    "phone": {
        "call_id": "call-1",
        "agent": "A-1042",
        "recording": "rec/0001.opus",
        "caller_number": "+852 5555 0100",
        "call_language": "yue",
        "started_at": EARLIER,
        "seconds": 214,
        "transcript": [{"role": "customer", "second": 6.0, "text": "我張信用卡收咗兩次年費。"}],
        "complainant": {"name": "Chan Example", "customer_no": "C-000001"},
    },
    "web-chat": {
        "session_id": "chat-1",
        "visitor": {"kind": "customer", "customer_no": "C-000002", "name": "Wang Example"},
        "transcript": [{"role": "customer", "at": EARLIER, "text": "跨境汇款三天还没到账，手续费却扣了两次。"}],
        "page": "/remittance/status",
        "language": "zh-Hans",
    },
    "social": {
        "network": "facebook",
        "post_id": "1029384756",
        "handle": "@hungry.example",
        "visibility": "public",
        "posted_at": EARLIER,
        "narrative": "Third time your app logs me out in the middle of a transfer.",
    },
    "regulator": {
        "body": "HKMA",
        "reference": "CB/2026/1",
        "received_on": TODAY,
        "due_on": (NOW + timedelta(days=10)).date().isoformat(),
        "text": "We ask for your written reply within the time above.",
        "narrative": "The bank has not answered the complainant's letter of last month.",
        "complainant": {"name": "Ho Example"},
    },
}
SCANNED: dict[str, dict[str, Any]] = {
    "letter": {
        "received_on": TODAY,
        "postal_ref": "RR 123 456 785 HK",
        "register_no": "MR-1",
        "narrative": "My account was closed without notice.",
        "complainant": {"name": "Lee Example", "preferred_channel": "post"},
    },
    "branch": {
        "branch": "HK-012",
        "staff": "S-3381",
        "in_person": True,
        "form_no": "F-1",
        "minor": True,
        "narrative": "My son's account was charged a dormancy fee.",
        "complainant": {"name": "Wong Example"},
        "representative": {"name": "Wong Parent", "relation": "parent", "authority": "guardianship"},
    },
}
FACTS = {
    "phone": {"agent": "A-1042", "recording": "rec/0001.opus", "call_language": "yue", "seconds": 214},
    "web_chat": {"page": "/remittance/status"},
    "social": {"network": "facebook", "handle": "@hungry.example"},
    "regulator": {"body": "HKMA", "reference": "CB/2026/1"},
    "letter": {"postal_ref": "RR 123 456 785 HK"},
    "branch": {"staff": "S-3381", "in_person": True, "minor": True},
}
FORMS = [
    (lang, width, channel)
    for channel, lang, width in (
        *(("web_form", lang, width) for lang in ("zh-Hant", "zh-Hans", "en") for width in (360, 1280)),
        ("mobile", "zh-Hant", 360),
    )
]
WORDS = {"zh-Hant": "自動櫃員機吞了我的卡。", "zh-Hans": "自动柜员机吞了我的卡。", "en": "The machine kept my card."}
MAIL = "complaints@bank.example"


class Day:
    """The desk with its mail listener, and who works there."""

    def __init__(self, home: Path) -> None:
        self.mail_port = free_port()
        os.environ["REDRESS_MAIL_LISTEN"] = f"127.0.0.1:{self.mail_port}"
        os.environ["REDRESS_MAIL_RECIPIENTS"] = json.dumps([MAIL])
        try:
            self.desk = DeskSite(home)
            self.desk.start_and_wait()
        finally:
            del os.environ["REDRESS_MAIL_LISTEN"], os.environ["REDRESS_MAIL_RECIPIENTS"]
        self.http = httpx.Client(base_url=self.desk.url("intake"), timeout=30)

    def as_(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.desk.tokens[who]}"}

    def read(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/v1/complaints/{id}", headers=self.as_("officer")).json()
        return found

    def files(self, id: str) -> list[str]:
        found = self.http.get(f"/v1/complaints/{id}/attachments", headers=self.as_("officer")).json()
        return sorted(one["name"] for one in found["items"])

    def all(self) -> list[dict[str, Any]]:
        import sqlite3

        with closing(sqlite3.connect(self.desk.home / "intake.db", timeout=10)) as db:
            return [self.read(row[0]) for row in db.execute("SELECT id FROM complaint ORDER BY id")]

    def mail(self, message: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", self.mail_port, timeout=30) as server:
            server.send_message(message, to_addrs=[MAIL])


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    found = Day(tmp_path_factory.mktemp("day") / "home")
    try:
        yield found
    finally:
        found.http.close()
        found.desk.kill("desk")


def letter_by_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ng Example <ng@person.example>", MAIL, "Fee charged twice"
    mail["Message-ID"], mail["Date"] = "<day-1@person.example>", NOW
    mail.set_content("The remittance fee was charged twice. Please pay it back.\n")
    mail.add_attachment(PDF, maintype="application", subtype="pdf", filename="receipt.pdf")
    return mail


def answer_by_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ng Example <ng@person.example>", MAIL, "Re: Fee charged twice"
    mail["Message-ID"], mail["Date"], mail["In-Reply-To"] = "<day-2@person.example>", NOW, "<day-1@person.example>"
    mail.set_content("I forgot: it was on Monday.\n")
    return mail


def by_form(chromium: Browser, day: Day, key: str, lang: str, width: int, words: str) -> str:
    page = chromium.new_page(viewport={"width": width, "height": 800})
    try:
        page.goto(f"{day.desk.url('intake')}/form?key={key}&lang={lang}")
        page.fill("#narrative", words)
        page.fill("#name", "Yip Example")
        page.fill("#phone", f"+852 2345 {width:04}")
        page.set_input_files("#files", [{"name": "card.pdf", "mimeType": "application/pdf", "buffer": PDF}])
        expect(page.locator("#file-list progress")).to_be_hidden()
        page.dblclick("#send")  # as impatient people do
        expect(page.locator("#done")).to_be_visible(timeout=30_000)
        return page.locator("dd").first.inner_text()
    finally:
        page.close()


def test_every_complaint_of_a_day_arrives_once_with_its_facts(day: Day, chromium: Browser) -> None:
    ids: dict[str, str] = {}
    for channel, report in POSTED.items():
        sent = [day.http.post(f"/v1/channels/{channel}", json=report, headers=day.as_("import")) for _ in range(2)]
        assert [one.status_code for one in sent] == [201, 201], sent[0].text
        assert sent[0].json() == sent[1].json()
        ids[channel.replace("-", "_")] = sent[0].json()["id"]
    for channel, report in SCANNED.items():
        parts = [("complaint", (None, json.dumps(report), "application/json"))]
        scans = [("file", (f"page{n}.pdf", PDF + bytes(str(n), "ascii"), "application/pdf")) for n in (1, 2)]
        both: Any = [*parts, *scans]
        sent = [day.http.post(f"/v1/channels/{channel}", files=both, headers=day.as_("import")) for _ in range(2)]
        assert [one.status_code for one in sent] == [201, 201], sent[0].text
        assert sent[0].json() == sent[1].json()
        ids[channel] = sent[0].json()["id"]
        assert day.files(ids[channel]) == ["page1.pdf", "page2.pdf"]
    for mail in (letter_by_mail(), letter_by_mail(), answer_by_mail(), answer_by_mail()):
        day.mail(mail)
    keys = {}
    for channel in ("web_form", "mobile"):
        about = {"name": channel, "channel": channel, "origins": [], "look": {"name": "Example Bank"}}
        made = day.http.post("/v1/forms", json=about, headers=day.as_("admin"))
        keys[channel] = made.json()["id"]
    references = {}
    for lang, width, channel in FORMS:
        words = f"{WORDS[lang]} {channel} {width}"
        references[words] = by_form(chromium, day, keys[channel], lang, width, words)

    found = day.all()
    assert len(found) == len(POSTED) + len(SCANNED) + 1 + len(FORMS)
    assert len({one["reference"] for one in found}) == len(found)
    for channel, facts in FACTS.items():
        kept = day.read(ids[channel])
        assert kept["channel"] == channel
        assert {name: kept["facts"].get(name) for name in facts} == facts
    (mailed,) = (one for one in found if one["channel"] == "email")
    assert "The remittance fee was charged twice." in mailed["narrative"]
    assert (mailed["complainant"]["email"], mailed["message_count"]) == (
        "ng@person.example",
        1,
    )  # the answer has joined it
    assert day.files(mailed["id"]) == ["receipt.pdf"]
    told = {one["narrative"]: one for one in found if one["channel"] in ("web_form", "mobile")}
    assert {words: one["reference"] for words, one in told.items()} == references
    assert {(one["language"], one["channel"]) for one in told.values()} == {(lang, c) for lang, _, c in FORMS}
    assert all(day.files(one["id"]) == ["card.pdf"] for one in told.values())

    compared = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "reconcile", "--home", str(day.desk.home)], capture_output=True, text=True
    )
    assert compared.returncode == 0, compared.stdout  # received = cases = clocks = counted
