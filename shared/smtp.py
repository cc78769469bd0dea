"""Sending one mail: whether it went, may go later, or never will."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import aiosmtplib

from shared.clock import utcnow

_ADDRESS = re.compile(r"<?[^\s<>@]+@[^\s<>@]+>?|\+?\d[\d ()-]{6,}\d")
_LONGEST = 200  # characters of a reason that are kept


class NotNow(Exception):
    """It may go later. The message is the reason, without addresses."""


class Never(Exception):
    """It will not go, however often it is tried. The message is the reason, without addresses."""


Send = Callable[["Outgoing"], Awaitable[None]]
"""Raises NotNow, Never."""


@dataclass(frozen=True, slots=True)
class Pdf:
    """A file that goes along."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What is sent. `id` names it to the receiving side, the same at every attempt."""

    id: str
    to: str
    subject: str
    text: str
    language: str
    answers: str | None = None
    pdf: Pdf | None = None


def smtp(host: str, port: int, *, sender: str, username: str | None, password: str | None, tls: str) -> Send:
    """By SMTP. `tls`: none, starttls or implicit."""
    options: dict[str, Any] = {"use_tls": tls == "implicit", "start_tls": tls == "starttls"}
    options |= {"username": username, "password": password, "timeout": 20}

    async def send(one: Outgoing) -> None:
        try:
            await aiosmtplib.send(
                letter(one, sender), sender=sender, recipients=[one.to], hostname=host, port=port, **options
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            first = error.recipients[0]
            raise _answered(first.code, first.message) from None
        except aiosmtplib.SMTPAuthenticationError as error:  # ours to mend, not the reader's
            raise NotNow(reason(f"{error.code} {error.message}")) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _answered(error.code, error.message) from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise NotNow(type(error).__name__) from None
        except ValueError:
            raise Never("the address cannot be written to") from None

    return send


def letter(one: Outgoing, sender: str) -> EmailMessage:
    """The mail, by whose Message-ID an answer finds its complaint; no machine should answer it (RFC 3834)."""
    domain = sender.rpartition("@")[2]
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, one.to, one.subject
    message["Date"] = format_datetime(utcnow())
    message["Message-ID"] = f"<{one.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if one.answers and one.answers.isascii() and one.answers.isprintable() and "@" in one.answers:
        message["In-Reply-To"] = f"<{one.answers.strip('<>')}>"
    message.set_content(one.text)
    message["Content-Language"] = one.language  # after the content, which clears whatever describes content
    if one.pdf:
        message.add_attachment(one.pdf.content, maintype="application", subtype="pdf", filename=one.pdf.name)
    return message


def _answered(code: int, message: str) -> NotNow | Never:
    told = reason(f"{code} {message}")
    return Never(told) if 500 <= code < 600 else NotNow(told)


def reason(text: str) -> str:
    """What a server said, on one line and without anybody's address: many quote the one that was written to."""
    return _ADDRESS.sub("[address]", " ".join(text.split()))[:_LONGEST]
