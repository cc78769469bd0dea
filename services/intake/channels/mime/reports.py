"""Mail that no person wrote: automatic replies (RFC 3834) and reports of what became of a mail (RFC 3464).

To take a complaint for an automatic reply would lose it, so signs that people's mail bears too, by way of a mailing
list or a company's gateway, count only where two of them come together.
"""

import re
from email.message import Message

from services.intake.channels.mime.body import children, content
from services.intake.channels.mime.headers import Fields
from services.intake.domain.mail import Bounce

_SUBJECT = re.compile(
    r"(?:re|fw|fwd|aw|回覆|回复|答复|答覆)?\s*[:：]?\s*"
    r"(?:auto(?:matic)?(?:ally)?[ -]?(?:generated )?(?:reply|response|answer)|auto ?responder"
    r"|out[ -]of[ -](?:the[ -])?office|on (?:annual|vacation|maternity) leave|away from (?:the|my) office"
    r"|自動(?:回覆|回復|答覆|回信)|自动(?:回复|答复|应答|回信)"
    r"|(?:外出|休假|不在辦公室)(?:時)?(?:自動)?(?:回覆|通知)?|(?:外出|休假|不在办公室)(?:时)?(?:自动)?(?:回复|通知)?)"
    r"(?:\s*[:：\-–(（].*)?\Z",
    re.IGNORECASE,
)
_BOUNCED = re.compile(
    r"undeliver(?:ed|able)|delivery (?:status notification|has failed|failure)|returned mail|failure notice"
    r"|mail delivery (?:failed|system)|無法傳遞|無法送達|未傳遞|郵件退回|退信|無法投遞|无法投递|投递失败|退回的邮件",
    re.IGNORECASE,
)
_OWN_FIELDS = ("x-autoreply", "x-autorespond", "x-autoresponse", "x-auto-reply-from", "x-mail-autoreply")
_MAILER = re.compile(r"(?:mailer-daemon|postmaster|mail-daemon|mdaemon)@", re.IGNORECASE)
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_ACTIONS = ("failed", "delayed", "relayed", "expanded", "delivered")  # the worst first


def automatic(fields: Fields, *, null_sender: bool) -> tuple[tuple[str, ...], bool]:
    """The signs that no person wrote a mail, as codes, and whether they are enough."""
    strong: list[str] = []
    weak: list[str] = []
    submitted = fields.raw("auto-submitted").split(";", 1)[0].strip().lower()
    if submitted and submitted != "no":
        strong.append("auto_submitted")
    strong += [name.replace("-", "_") for name in _OWN_FIELDS if fields.raw(name).lower() not in ("", "no")]
    precedence = fields.raw("precedence").lower()
    if precedence in ("auto_reply", "auto-reply"):
        strong.append("precedence")
    if null_sender:
        strong.append("null_sender")
    if precedence in ("bulk", "junk"):  # not "list": complaints may come by way of a mailing list of the bank's own
        weak.append("precedence")
    if re.search(r"\b(?:all|oof|autoreply)\b", fields.raw("x-auto-response-suppress"), re.IGNORECASE):
        weak.append("x_auto_response_suppress")
    if _SUBJECT.match(fields.words("subject")):
        weak.append("subject")
    if weak and (fields.ids("in-reply-to") or fields.ids("references")):
        weak.append("in_reply")
    return (*strong, *weak), bool(strong) or len(weak) > 1


def bounce(message: Message, fields: Fields, *, null_sender: bool) -> Bounce | None:
    """What the report says, where `message` is one of a delivery."""
    parts = _shallow(message)
    status = next((p for p in parts if p.get_content_type() in _STATUS_TYPES), None)
    if status is None:
        subject, sender = fields.words("subject"), fields.raw("from")
        from_mailer = null_sender or bool(_MAILER.search(sender))
        if not (fields.raw("x-failed-recipients") or (from_mailer and _BOUNCED.search(subject))):
            return None
        return Bounce("failed", None, _returned(parts))
    actions, statuses = [], []
    for block in map(Fields, children(status)[:100]):
        action = block.raw("action").lower()
        if action in _ACTIONS:
            actions.append(action)
        statuses += _STATUS.findall(block.raw("status"))
    action = min(actions, key=_ACTIONS.index, default="failed")
    wanted = {"failed": "5", "delayed": "4"}.get(action, "2")
    told = next((s for s in statuses if s.startswith(wanted)), next(iter(statuses), None))
    return Bounce(action, told, _returned(parts))


_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")


def is_report(message: Message) -> bool:
    """Whether `message` is a report of any kind (RFC 6522): of a delivery, of having been read, of abuse."""
    return message.get_content_type() == "multipart/report"


def _shallow(message: Message) -> list[Message]:
    """A message's parts, and theirs."""
    found: list[Message] = []
    for part in children(message)[:20] or [message]:
        found.append(part)
        if part.get_content_maintype() == "multipart" and part is not message:
            found += children(part)[:20]
    return found


def _returned(parts: list[Message]) -> tuple[str, ...]:
    """The Message-ID of the mail that a report is about, where it brings that along."""
    for part in parts:
        if part.get_content_type() in ("message/rfc822", "message/global"):
            if ids := next((Fields(inner).ids("message-id") for inner in children(part)), ()):
                return ids
        elif part.get_content_type() in ("text/rfc822-headers", "message/global-headers", "text/plain"):
            text = content(part)[:200_000].decode("ascii", errors="replace")
            if found := re.search(r"^message-id:\s*<([^<>\s]{1,190})>", text, re.IGNORECASE | re.MULTILINE):
                return (found[1],)
    return ()
