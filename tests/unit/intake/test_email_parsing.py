"""How a mail is read: every character set, every mail program's way to quote, every machine's way to answer; and no
bytes at all that are not read somehow."""

import base64
import quopri
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.intake.channels import email
from services.intake.channels.email import Envelope, Setup, read, submission
from services.intake.channels.mime.charset import decode, written_in
from services.intake.channels.mime.headers import references_in, words
from services.intake.channels.mime.markup import to_text
from services.intake.channels.mime.quoting import set_apart
from services.intake.domain.complaint import NARRATIVE_LIMIT
from services.intake.domain.mail import Mail, author, may_join
from shared.ids import reference

SETUP = Setup(authserv_id="mx.bank.example")
TRADITIONAL = "我的信用卡被收了兩次年費，分行職員說會回電，但是沒有人聯絡我，請退款。"
SIMPLIFIED = "我的信用卡被收了两次年费，分行职员说会回电，但是没有人联系我，请退款。"
JAPANESE = "カードの年会費が二重に請求されました。返金してください。"
KOREAN = "신용카드 연회비가 두 번 청구되었습니다. 환불해 주세요."
ENGLISH = "The branch charged me twice for one transfer, and nobody rang back."
REFERENCE = reference(datetime(2026, 11, 23, tzinfo=UTC).date())


def _raw(text: bytes, content_type: str | None = "text/plain", *, encoding: str = "8bit", **fields: str) -> bytes:
    given_ = {"From": "Chan Example <chan@example.com>", "Message-ID": "<1@example.com>", "Subject": "Charged twice"}
    given_ |= {name.replace("_", "-"): value for name, value in fields.items()}
    if content_type:
        given_ |= {"Content-Type": content_type, "Content-Transfer-Encoding": encoding}
    head = "".join(f"{name}: {value}\r\n" for name, value in given_.items() if value)
    return head.encode("utf-8", "surrogateescape") + b"\r\n" + text


def _text(text: str, **fields: str) -> Mail:
    return read(_raw(text.encode(), "text/plain; charset=utf-8", **fields), SETUP)


# --- character sets ---


@pytest.mark.parametrize(
    ("text", "codec", "declared"),
    [
        (TRADITIONAL, "big5", "big5"), (TRADITIONAL, "big5hkscs", "Big5-HKSCS"), (TRADITIONAL, "utf-8", "utf-8"),
        (TRADITIONAL + "咗嘅啲", "big5hkscs", "big5"), (TRADITIONAL, "utf-16", "utf-16"),
        (SIMPLIFIED, "gb2312", "gb2312"), (SIMPLIFIED + "镕喆", "gbk", "gb2312"), (SIMPLIFIED, "gb18030", "GB18030"),
        (SIMPLIFIED, "hz", "hz-gb-2312"), (JAPANESE, "iso2022_jp", "ISO-2022-JP"), (JAPANESE, "cp932", "Shift_JIS"),
        (KOREAN, "iso2022_kr", "iso-2022-kr"), (KOREAN, "euc-kr", "ks_c_5601-1987"), (ENGLISH, "ascii", "us-ascii"),
        ("Grüße, à bientôt", "latin-1", "iso-8859-1"), ("“quoted” – €5", "cp1252", "iso-8859-1"),
        ("Žádost", "iso8859_2", "iso-8859-2"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
def test_each_character_set_is_read_as_declared(text: str, codec: str, declared: str, encoding: str) -> None:
    coded = text.encode(codec)
    if codec == "utf-16":  # which cannot stand in a mail as it is
        encoding = "base64"
    wire = {"8bit": bytes, "base64": base64.encodebytes, "quoted-printable": quopri.encodestring}[encoding](coded)
    assert read(_raw(wire, f'text/plain; charset="{declared}"', encoding=encoding), SETUP).text == text


@pytest.mark.parametrize(
    "declared", [None, "us-ascii", "iso-8859-1", "utf-8", "x-unknown", "", "big5", "gb2312", "rot13"]
)
@pytest.mark.parametrize(
    ("text", "codec"), [(TRADITIONAL, "big5"), (SIMPLIFIED, "gb18030"), (TRADITIONAL, "utf-8"), (SIMPLIFIED, "utf-8")]
)
def test_a_wrong_or_missing_declaration_does_not_keep_a_text_from_being_read(
    text: str, codec: str, declared: str | None
) -> None:
    if (codec, declared) in {("gb18030", "big5"), ("big5", "gb2312"), ("utf-8", "big5"), ("utf-8", "gb2312")}:
        # bytes that are also valid in the set they are wrongly said to be in: the declaration is all there is to go by
        found = decode(text.encode(codec), declared)
        assert found == text or found == text.encode(codec).decode({"big5": "big5hkscs"}.get(declared or "", "gb18030"))
        return
    kind = "text/plain" + (f"; charset={declared}" if declared is not None else "")
    assert read(_raw(text.encode(codec), kind), SETUP).text == text


def test_iso_2022_cn_is_read_as_far_as_gb_goes() -> None:
    inner = bytes(b & 0x7F for b in "年费".encode("gb2312"))
    raw = b"Fee: \x1b$)A\x0e" + inner + b"\x0f twice"
    assert read(_raw(raw, "text/plain; charset=iso-2022-cn"), SETUP).text == "Fee: 年费 twice"


@given(st.text(min_size=1), st.sampled_from(["utf-8", "gb18030", "utf-16", "utf-32"]))
def test_what_a_set_can_write_is_read_back(text: str, codec: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    found = decode(text.encode(codec), codec)
    assert "\x00" not in found
    found.encode("utf-8")  # raises for a lone surrogate
    plain = "".join(c for c in text if c.isprintable())
    if codec == "utf-8" and text == plain and not text.startswith("\ufeff"):
        assert found == text


@pytest.mark.parametrize(
    ("text", "language"),
    [(TRADITIONAL, "zh-Hant"), (SIMPLIFIED, "zh-Hans"), (ENGLISH, "en"), ("12345", None), ("是的", None), ("", None)],
)
def test_the_script_tells_the_language_to_answer_in(text: str, language: str | None) -> None:
    assert written_in(text) == language
    assert _text(text, Subject="").language == language


def test_a_declared_language_goes_first() -> None:
    assert _text(ENGLISH, Content_Language="zh-TW").language == "zh-Hant"


# --- header fields ---


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("=?utf-8?B?5oqV6Ki0?=", "投訴"),
        ("=?utf-8?B?5oqV?= =?utf-8?B?6Ki0?=", "投訴"),
        ("=?utf-8?B?5oqV6A==?=\r\n =?utf-8?B?qLQ=?=", "投訴"),  # broken within a character
        ("=?big5?Q?=A7=EB=B6D?=", "投訴"),
        ("=?gb2312?B?zbbL3w==?=", "投诉"),
        ("Re: =?iso-8859-1?q?Caf=E9?= bill", "Re: Café bill"),
        ("=?utf-8*en?Q?Hello_there?=", "Hello there"),
        ("=?nonsense?B?aGVsbG8?=", "hello"),
        ("=?utf-8?B?!!!?=", ""),
        ("plain", "plain"),
        ("a =?utf-8?Q?b?= c =?utf-8?Q?d?=", "a b c d"),
    ],
)
def test_encoded_words_are_read_however_they_were_written(field: str, shown: str) -> None:
    assert words(field.replace("\r\n", "")) == shown
    assert _text("x", Subject=field).subject == shown


@pytest.mark.parametrize(("name", "codec"), [("陳大文", "big5"), ("陈大文", "gb18030"), ("陳大文", "utf-8")])
def test_bytes_that_stand_in_a_header_as_they_are_take_the_set_of_the_text(name: str, codec: str) -> None:
    raw = f"From: {name} <chan@example.com>\r\nSubject: 投".encode(codec)
    raw += b"\r\nContent-Type: text/plain; charset=" + codec.encode() + b"\r\n\r\nx"
    found = read(raw, SETUP)
    assert found.sender is not None
    assert (found.sender.name, found.sender.address, found.subject) == (name, "chan@example.com", "投")


@pytest.mark.parametrize(
    ("field", "name", "address"),
    [
        ("chan@example.com", None, "chan@example.com"),
        ('"Chan, Tai Man" <chan@example.com>', "Chan, Tai Man", "chan@example.com"),
        ("=?utf-8?B?6Zmz5aSn5paH?= <chan@example.com>", "陳大文", "chan@example.com"),
        ('"=?utf-8?B?6Zmz5aSn5paH?=" <chan@example.com>', "陳大文", "chan@example.com"),
        ("chan@example.com (Chan Tai Man)", "Chan Tai Man", "chan@example.com"),
        ("Chan Tai Man <<chan@example.com>>", None, "chan@example.com"),
        ("a@example.com, b@example.com", None, "a@example.com"),
        ("用戶@例子.example", None, "用戶@例子.example"),
        ("nobody", None, None),
        ("", None, None),
        ("undisclosed-recipients:;", None, None),
    ],
)
def test_the_sender(field: str, name: str | None, address: str | None) -> None:
    found = _text("x", From=field).sender
    assert (found and found.name, found and found.address) == (name, address)


def test_who_has_no_from_is_known_by_the_envelope() -> None:
    found = read(_raw(b"x", From=""), SETUP, Envelope("chan@example.com", ("complaints@bank.example",)))
    assert found.sender is not None
    assert found.sender.address == "chan@example.com"
    assert found.addressed_to == ("complaints@bank.example",)


def test_identifiers_and_dates() -> None:
    found = _text(
        "x",
        In_Reply_To="<b@x> (Chan's message)",
        References="<a@x>\r\n <b@x><c@x>",
        Date="Mon, 23 Nov 2026 18:00:00 +0800",
    )
    assert (found.message_id, found.in_reply_to, found.references) == ("1@example.com", ("b@x",), ("a@x", "b@x", "c@x"))
    assert found.thread == ("b@x", "c@x", "a@x"), "the nearest first"
    assert found.sent_at == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert _text("x", Date="yesterday").sent_at is None
    assert _text("x", Date="Mon, 99 Nov 99999 18:00:00 +9999").sent_at is None


def test_a_mail_without_an_identifier_gets_one_from_its_content() -> None:
    first, again, other = (_text(t, Message_ID="") for t in ("x", "x", "y"))
    assert not first.has_own_id
    assert first.message_id == again.message_id != other.message_id
    assert _text("x", Message_ID=f"<{'a' * 500}@x>").message_id.endswith("@made.invalid"), "too long to be kept"


@pytest.mark.parametrize(
    "typed",
    [REFERENCE, REFERENCE.lower(), REFERENCE.replace("-", ""), f"[{REFERENCE}]", f"個案編號{REFERENCE}的回覆"],
    ids=["as told", "small", "without dashes", "in brackets", "amid Chinese"],  # the reference is another in each run
)
def test_references_are_found_as_people_write_them(typed: str) -> None:
    assert references_in([typed]) == (REFERENCE,)
    assert _text("x", Subject=f"Re: {typed}").mentions == (REFERENCE,)
    wrong = REFERENCE[:-1] + ("0" if REFERENCE[-1] != "0" else "1")
    assert references_in([wrong]) == (), "a slip of the pen names nothing"


def test_a_plus_address_names_a_complaint() -> None:
    found = _text("x", To=f"complaints+{REFERENCE}@bank.example", Subject="Re:")
    assert found.mentions == (REFERENCE,)


# --- text, HTML, quotes ---


MARKS = [
    "On Mon, 23 Nov 2026 at 10:00, Bank <complaints@bank.example> wrote:",
    "On 23/11/2026 10:00, Bank wrote:",
    "On Nov 23, 2026, at 10:00 AM, Bank\n<complaints@bank.example> wrote:",
    "Bank <complaints@bank.example> 於 2026年11月23日 週一 上午10:00寫道：",
    "在 2026年11月23日，上午10:00，Bank <complaints@bank.example> 寫道：",
    "在 2026/11/23 10:00, Bank 写道:",
    "Bank <complaints@bank.example> 于2026年11月23日周一 10:00写道：",
    "2026年11月23日 10:00，Bank <complaints@bank.example> 写道：",
    "-----Original Message-----",
    "-----原始郵件-----",
    "------------------ 原始邮件 ------------------",
    "---------- Forwarded message ---------",
    "寄件者: Bank <complaints@bank.example>\n寄件日期: 2026年11月23日\n收件者: Chan\n主旨: 投訴",
    "发件人: Bank <complaints@bank.example>\n发送时间: 2026年11月23日 10:00\n收件人: Chan\n主题: 投诉",
    "From: Bank\nSent: Monday, 23 November 2026 10:00\nTo: Chan\nSubject: Complaint",
    "________________________________\nFrom: Bank\nSent: Monday\nTo: Chan\nSubject: Complaint",
    "*From:* Bank\n*Date:* Monday\n*Subject:* Complaint",
]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("prefix", ["", "> "])
def test_what_is_quoted_is_set_apart(mark: str, prefix: str) -> None:
    quoted = f"{prefix}We refer to your complaint.\n{prefix}\n{prefix}Yours faithfully"
    found = set_apart(f"I do not agree.\n不同意。\n\n{mark}\n{quoted}")
    assert found.own == "I do not agree.\n不同意。"
    assert found.quoted.startswith(mark)
    assert "Yours faithfully" in found.quoted


def test_answers_between_the_quoted_lines_are_all_kept() -> None:
    text = "On 23 Nov 2026 10:00, Bank wrote:\n> Was it in May?\nNo, in June.\n> Which branch?\nMong Kok.\n"
    assert set_apart(text).own == "No, in June.\nMong Kok."


@pytest.mark.parametrize(
    "text",
    [
        "我在2026年11月1日的信中寫道：\n請退款。",
        "In my letter I wrote:\nplease refund me.",
        "On 1 November your officer wrote:\nno refund.",
        "From: the airport branch\nTo: Central branch\nit took two hours",
        "Dear Sir,\n--\nnot at the end",
    ],
)
def test_what_only_looks_like_a_quotation_stays(text: str) -> None:
    found = set_apart(text)
    assert f"{found.own}\n{found.signature}".strip() == text


def test_a_forward_without_a_word_of_ones_own_is_read_whole() -> None:
    text = "-----Original Message-----\nFrom: me\nSubject: fees\n\nCharged twice."
    assert set_apart(text).own == text


@pytest.mark.parametrize(
    "signature", ["-- \nChan Example\n+852 5555 0100", "從我的 iPhone 傳送", "Sent from my iPhone", "发自我的iPhone"]
)
def test_signatures_are_set_apart(signature: str) -> None:
    found = set_apart(f"Charged twice.\n\n{signature}")
    assert (found.own, found.signature) == ("Charged twice.", signature)


@given(st.lists(st.sampled_from([*"\n".join(MARKS).split("\n"), "> x", "own", "", "-- ", "投訴"]), max_size=30))
def test_no_line_is_lost_or_doubled(lines: list[str]) -> None:
    found = set_apart("\n".join(lines))
    kept = sorted(
        line for part in (found.own, found.quoted, found.signature) for line in part.split("\n") if line.strip()
    )
    assert [line.strip() for line in kept] == [line.strip() for line in sorted(line for line in lines if line.strip())]


def test_html_is_read_as_it_is_seen() -> None:
    html = (
        "<html><head><title>t</title><style>p{color:red}</style></head><body><p>Dear&nbsp;Sir,</p><p>one<br>two</p>"
        "<ul><li>first</li><li>second</li></ul><table><tr><td>a</td><td>b</td></tr></table><script>bad()</script>"
        "<img alt='logo'><div class='gmail_quote'>On x wrote:<blockquote>old<div>older</div></blockquote></div>"
        "after</body>"
    )
    text = to_text(html)
    for seen in ("Dear\xa0Sir,", "one\ntwo", "- first\n- second", "a b", "[logo]", "> On x wrote:", "> old\n> older"):
        assert seen in text
    assert text.endswith("\nafter"), "what follows the quotation is not quoted"
    for unseen in ("color", "bad()", "<"):
        assert unseen not in text


@given(st.text(alphabet="<>/!-&;#x\"'= abdivpqlocktescrip\n", max_size=300))
def test_no_html_is_too_broken(html: str) -> None:
    to_text(html)


def test_of_two_versions_the_plain_one_is_taken_and_the_files_of_the_other_are_kept() -> None:
    mail = EmailMessage()
    mail["From"] = "chan@example.com"
    mail.set_content("plain words")
    mail.add_alternative("<p>rich words</p><img src='cid:1'>", subtype="html")
    mail.get_payload()[1].add_related(b"\x89PNG", maintype="image", subtype="png", cid="<1>", filename="photo.png")
    found = read(mail.as_bytes(), SETUP)
    assert found.text == "plain words"
    assert [(f.name, f.media_type, f.content) for f in found.files] == [("photo.png", "image/png", b"\x89PNG")]


def test_an_empty_plain_version_gives_way_to_the_html() -> None:
    mail = MIMEMultipart("alternative")
    mail.attach(MIMEText(" \r\n"))
    mail.attach(MIMEText("<p>rich words</p>", "html"))
    assert read(mail.as_bytes(), SETUP).text == "rich words"


def test_flowed_lines_are_joined() -> None:
    kind = "text/plain; charset=utf-8; format=flowed"
    found = read(_raw(b"one \r\ntwo\r\n From there\r\nthree", kind), SETUP)
    assert found.text == "one two\nFrom there\nthree"
    assert read(_raw("年 \r\n費".encode(), kind + "; delsp=yes"), SETUP).text == "年費"


# --- files ---


def test_files_are_listed_with_their_names_and_bytes() -> None:
    inner = EmailMessage()
    inner["From"] = "bank@bank.example"
    inner["Subject"] = "Earlier"
    inner.set_content("earlier words")
    mail = EmailMessage()
    mail["From"] = "chan@example.com"
    mail.set_content(ENGLISH)
    mail.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="月結單.pdf")
    mail.add_attachment("a,b", subtype="csv", filename="list.csv")
    mail.add_attachment(inner)
    mail.add_attachment(b"x", maintype="application", subtype="octet-stream", filename="../../etc/passwd\u202efdp.exe")
    found = read(mail.as_bytes(), SETUP)
    assert found.text == ENGLISH, "no attached text runs into the words"
    names = [f.name for f in found.files]
    assert names == ["月結單.pdf", "list.csv", "message.eml", "_.._etc_passwd_fdp.exe"]
    assert found.files[0].content == b"%PDF-1"
    assert found.files[2].media_type == "message/rfc822"
    assert b"earlier words" in found.files[2].content
    assert "earlier words" not in found.text


@pytest.mark.parametrize(
    "disposition",
    [
        'attachment; filename="=?big5?B?pOu1srPmLnBkZg==?="',
        "attachment; filename*=utf-8''%E6%9C%88%E7%B5%90%E5%96%AE.pdf",
        "attachment; filename*0*=utf-8''%E6%9C%88; filename*1*=%E7%B5%90%E5%96%AE.pdf",
        'attachment; filename="月結單.pdf"',
    ],
)
def test_names_of_files_in_every_spelling(disposition: str) -> None:
    found = read(_raw(b"x", "application/pdf", Content_Disposition=disposition), SETUP)
    assert [f.name for f in found.files] == ["月結單.pdf"]


def test_more_files_than_are_kept_and_more_words_than_fit_leave_the_mail_itself() -> None:
    mail = EmailMessage()
    mail.set_content("x")
    for n in range(25):
        mail.add_attachment(bytes([n + 1]), maintype="image", subtype="png", filename=f"{n}.png")
    raw = mail.as_bytes()
    found = read(raw, SETUP)
    assert "too_many_files" in found.troubles
    assert len(found.files) == 18
    assert found.original == raw
    long = _raw(b"word " * 10_000)
    found = read(long, SETUP)
    assert found.original == long
    taken = submission(found)
    assert len(taken.narrative) == NARRATIVE_LIMIT
    assert taken.facts["text"] == found.text


# --- machines ---


AUTOMATIC = [
    {"Auto-Submitted": "auto-replied"},
    {"Auto-Submitted": "auto-generated (vacation)"},
    {"X-Autoreply": "yes"},
    {"X-Autorespond": "sure"},
    {"Precedence": "auto_reply"},
    {"Precedence": "bulk", "Subject": "Out of office: back on Monday"},
    {"X-Auto-Response-Suppress": "All", "In-Reply-To": "<a@x>"},
    {"Subject": "Automatic reply: Your complaint", "References": "<a@x>"},
    {"Subject": "自動回覆：您的投訴", "In-Reply-To": "<a@x>"},
    {"Subject": "自动回复: 您的投诉", "In-Reply-To": "<a@x>"},
    {"Return-Path": "<>"},
]
BY_PEOPLE = [
    {"Auto-Submitted": "no"},
    {"Precedence": "list", "In-Reply-To": "<a@x>"},
    {"Precedence": "bulk"},
    {"Subject": "Out of office hours your machine kept my card", "In-Reply-To": "<a@x>"},
    {"Subject": "Automatic replies are all I get"},
    {"Subject": "外出時卡被盜用", "In-Reply-To": "<a@x>"},
    {"X-Auto-Response-Suppress": "DR, RN, NRN", "In-Reply-To": "<a@x>"},
]


@pytest.mark.parametrize("fields", AUTOMATIC)
def test_automatic_replies_are_known(fields: dict[str, str]) -> None:
    assert _text("I am away.", **fields).kind == "auto_reply"


@pytest.mark.parametrize("fields", BY_PEOPLE)
def test_people_are_not_taken_for_machines(fields: dict[str, str]) -> None:
    assert _text("I am angry.", **fields).kind == "mail"


def test_a_system_that_is_listed_may_complain_by_itself() -> None:
    raw = _raw(b"x", From="Portal <portal@council.example>", Auto_Submitted="auto-generated")
    for listed in ("council.example", "@council.example", "PORTAL@council.example"):
        assert read(raw, Setup(automatic_senders=(listed,))).kind == "mail"
    for other in ("ouncil.example", "council.example.org", "other@council.example"):
        assert read(raw, Setup(automatic_senders=(other,))).kind == "auto_reply"


def bounce(action: str = "failed", status: str = "5.1.1", *, about: str = "d@bank.example") -> bytes:
    return (
        "From: Mail Delivery System <MAILER-DAEMON@mx.example>\r\nTo: complaints@bank.example\r\n"
        "Subject: Undelivered Mail Returned to Sender\r\nMessage-ID: <bounce@mx.example>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nI could not deliver it.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; chan@example.com\r\nAction: {action}\r\nStatus: {status}\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{about}>\r\nSubject: Your complaint\r\n\r\n"
        "Dear\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize(("action", "status"), [("failed", "5.1.1"), ("delayed", "4.4.1"), ("delivered", "2.0.0")])
def test_reports_of_a_delivery_are_read(action: str, status: str) -> None:
    found = read(bounce(action, status), SETUP)
    assert found.kind == "bounce"
    assert found.bounce is not None
    assert (found.bounce.action, found.bounce.status, found.bounce.about) == (action, status, ("d@bank.example",))


def test_a_bounce_that_keeps_to_no_standard_is_known_all_the_same() -> None:
    text = (
        b"failed:\r\n\r\nchan@example.com\r\n\r\n------ copy ------\r\nMessage-ID: <d@bank.example>\r\nSubject: x\r\n"
    )
    found = read(_raw(text, From="Mailer-Daemon@mx.example", Subject="Mail delivery failed"), SETUP, Envelope(""))
    assert found.bounce is not None
    assert found.bounce.about == ("d@bank.example",)
    assert _text("my letters come back", Subject="Returned mail").kind == "mail", "people write of it too"


# --- authentication, and who may join ---


def test_only_our_own_servers_findings_count() -> None:
    def found(*values: str) -> dict[str, str]:
        raw = "".join(f"Authentication-Results: {v}\r\n" for v in values).encode() + _raw(b"x")
        return read(raw, SETUP).authentication

    ours = "mx.bank.example; spf=pass (sender ok; really) smtp.mailfrom=example.com; dkim=fail; dkim=pass; dmarc=pass"
    assert found(ours) == {"spf": "pass", "dkim": "pass", "dmarc": "pass"}
    assert found(ours.replace("mx.bank", "mx.evil")) == {}
    assert found("mx.bank.example 1; dmarc=fail", "mx.bank.example; dmarc=pass") == {"dmarc": "fail"}, "the topmost"
    assert found("mx.bank.example.evil.example; dmarc=pass") == {}
    assert found("mx.bank.example; none") == {}
    assert read(b"Authentication-Results: ; dmarc=pass\r\n\r\nx", Setup()).authentication == {}


@pytest.mark.parametrize(
    ("results", "believed"),
    [
        (None, True), ("dmarc=pass", True), ("dmarc=fail", False), ("spf=fail", False), ("spf=fail; dkim=pass", True),
        ("spf=softfail", True), ("dmarc=pass; spf=fail", True),
    ],
)  # fmt: skip
def test_a_forged_address_makes_nobody_known(results: str | None, believed: bool) -> None:
    mail = _text("x", **({"Authentication-Results": f"mx.bank.example; {results}"} if results else {}))
    assert author(mail, "CHAN@example.com", None) == ("complainant" if believed else None)
    assert author(mail, None, "chan@example.com") == ("representative" if believed else None)


def test_who_may_join() -> None:
    stranger = _text("x", From="other@example.com", Reply_To="chan@example.com")
    assert author(stranger, "chan@example.com", None) is None, "anybody may write what they like into Reply-To"
    assert not may_join(None, answers_us=False)
    assert may_join(None, answers_us=True)
    assert may_join("complainant", answers_us=False)


# --- as a complaint ---


def test_a_mail_becomes_a_complaint_with_its_facts() -> None:
    found = _text(
        f"{TRADITIONAL}\n\n-- \nChan\n+852 5555 0100",
        Subject="回覆: 年費",
        Reply_To="Chan <home@example.com>",
        To="complaints@bank.example",
    )
    taken = submission(found)
    assert (taken.channel, taken.channel_ref, taken.language) == ("email", "1@example.com", "zh-Hant")
    assert taken.narrative == f"年費\n\n{TRADITIONAL}"
    assert taken.complainant is not None
    assert (taken.complainant.name, taken.complainant.email) == ("Chan", "home@example.com")
    assert taken.facts["from"] == {"name": "Chan Example", "address": "chan@example.com"}
    assert taken.facts["signature"].endswith("0100")
    assert set(taken.personal) >= {"chan@example.com", "Chan Example", "home@example.com"}


@pytest.mark.parametrize("raw", [b"\r\n\r\n", b"From: chan@example.com\r\n\r\n", b"\xff\xfe\x00"])
def test_a_mail_that_says_nothing_is_a_complaint_still(raw: bytes) -> None:
    assert submission(read(raw, SETUP)).narrative.strip()


def test_the_same_mail_is_known_whatever_way_it_came() -> None:
    here = email.letter(_raw(ENGLISH.encode(), Received="from a by b"), SETUP)
    there = email.letter(
        _raw(ENGLISH.encode().replace(b" ", b"\r\n"), Received="from c by d", Subject="[EXT] x"), SETUP
    )
    other = email.letter(_raw(b"Something else."), SETUP)
    assert here.content == there.content != other.content


# --- whatever comes ---

_rubbish = st.one_of(
    st.binary(max_size=2000),
    st.lists(
        st.sampled_from(
            [
                b"From: ",
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                b"--b\r\n",
                b"--b--\r\n",
                b"\r\n",
                b"\n",
                b"=?utf-8?Q?=?=",
                b"Content-Type: message/rfc822\r\n",
                b"Content-Type: text/html; charset=\xff\r\n",
                b"\x1b$B",
                b"\xa4\x40",
                b"<",
                b"@",
                b"Content-Transfer-Encoding: base64\r\n",
                b"Content-Disposition: attachment; filename*0*=x'\r\n",
                b"References: <",
                b"Content-Type: text/plain; charset=utf-7\r\n",
                b"+AGE-",
                b"begin 644 x\n",
                b"Content-Transfer-Encoding: x-uuencode\n",
                b"Date: ",
                b"(((",
                b"\x00",
                b"Content-Type: message/delivery-status\r\n",
                b"Status: 5.",
                b'"',
                b";",
                b"charset=",
                b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
                b"Message-ID: <x@y>\r\n",
            ]
        ),
        max_size=40,
    ).map(b"".join),
)


@given(raw=_rubbish, sender=st.none() | st.text(max_size=20))
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@example(raw=b"", sender=None)
@example(raw=b'Content-Type: text/plain; charset="\x00"\n\n\xe9', sender="")
@example(raw=b"Content-Type: text/plain; charset=base64\n\n\xe9", sender="<>")
def test_no_bytes_are_refused_and_all_of_it_can_be_kept(raw: bytes, sender: str | None) -> None:
    letter = email.letter(raw, SETUP, Envelope(sender, ("complaints+\udcff@bank.example",)))
    taken = letter.submission
    assert taken.narrative.strip()
    assert len(taken.narrative) <= NARRATIVE_LIMIT
    kept = orjson.dumps([taken.narrative, taken.facts, taken.channel_ref]).decode()  # raises for lone surrogates
    assert "\\u0000" not in kept, "PostgreSQL takes no NUL"
    assert taken.channel_ref
    assert len(taken.channel_ref) <= 200
    if taken.complainant:
        assert taken.complainant.name
    for file in letter.mail.files:
        assert file.name
        assert "/" not in file.name


@pytest.mark.parametrize(
    "raw",
    [
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(2000))
        + b"line\n" * 99_999,
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 200_000,
        b"From: " + b"a(" * 100_000 + b"\n\nx",
        b"Subject: " + b"=?utf-8?q?" * 100_000 + b"\n\nx",
        b"A: b\n" * 200_000 + b"\n\nx",
        b"Content-Type: text/html\n\n" + b"<blockquote>" * 100_000,
        b"Content-Type: text/html\n\n" + b"<div class=gmail_quote><" * 50_000,
        b"From: a@b.cc\n\n" + "在2020 10:00 寫寫 wrote\n".encode() * 50_000,
        b"From: a@b.cc\n\n" + b"\xff\xa4" * 2_000_000,
        b"Authentication-Results: mx.bank.example; " + b"(" * 100_000 + b"\n\nx",
    ],
    ids=["deep", "wide", "comment", "words", "fields", "tags", "quotes", "marks", "charset", "results"],
)  # fmt: skip
def test_a_mail_made_to_be_hard_takes_no_time_to_speak_of(raw: bytes) -> None:
    began = time.process_time()
    found = read(raw, SETUP)
    assert time.process_time() - began < 5
    if found.troubles:
        assert found.original == raw, "what was not read is kept"
