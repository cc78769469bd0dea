"""What a complaint is when it comes in, and which ones can be taken. Pure: no framework, time as an argument."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from shared.errors import Conflict, FieldError, Forbidden, Gone, Invalid, Malformed, Refused

CHANNELS = ("phone", "web_chat", "mobile", "web_form", "email", "letter", "branch", "social", "regulator")
NARRATIVE_LIMIT = 20_000  # characters
CODE_LIMIT = 64  # characters
CLOCK_SKEW = timedelta(minutes=5)  # a channel's clock may be ahead of ours by this much
EARLIEST_YEAR = 1990
WAYS = ("email", "sms", "post", "phone")  # by which a complainant may prefer to hear from us


_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")


def is_email(text: str) -> bool:
    return _EMAIL.fullmatch(text) is not None


class IdempotencyKeyReused(Refused):
    """This Idempotency-Key was used before with another body."""

    code = "idempotency_key_reused"


class IdempotencyKeyInvalid(Malformed):
    """An Idempotency-Key is 1 to 255 visible ASCII characters."""

    code = "idempotency_key_invalid"


class ChannelRefConflict(Conflict):
    """This channel has already sent another complaint under the same channel_ref."""

    code = "channel_ref_conflict"


class ChannelNotAllowed(Forbidden):
    """The key is bound to other channels."""

    code = "channel_not_allowed"


class HistoryNotAllowed(Forbidden):
    """Only a key with the scope complaints:import may say when a complaint was received."""

    code = "received_at_not_allowed"


class Erased(Gone):
    """This complaint's personal data has been erased."""

    code = "erased"


@dataclass(frozen=True, slots=True)
class Representative:
    """Who acts for the complainant. All of it is personal data but `relation` (parent, solicitor, ...) and `authority`
    (how the right to act was shown: power_of_attorney, guardianship, letter, ...)."""

    name: str
    relation: str
    authority: str | None = None
    phone: str | None = None
    email: str | None = None

    def words(self) -> tuple[str, ...]:
        return tuple(v for v in (self.name, self.phone, self.email) if v)


@dataclass(frozen=True, slots=True)
class Complainant:
    """Who complains. All of it is personal data. None of it need be known: see `Submission.complainant`."""

    name: str
    phone: str | None = None
    email: str | None = None
    customer_no: str | None = None
    preferred_channel: str | None = None
    representative: Representative | None = None

    def identity(self) -> tuple[str, str] | None:
        """What tells persons apart, strongest first: customer number, phone, e-mail; a name alone does not."""
        if self.customer_no:
            return "customer_no", self.customer_no.strip().casefold()
        if self.phone:
            return "phone", "".join(c for c in self.phone if c.isdigit() or c == "+")
        if self.email:
            return "email", self.email.strip().casefold()
        return None

    def identities(self) -> tuple[tuple[str, str], ...]:
        """Everything that tells persons apart, each as if it were the strongest that is known."""
        single = (
            Complainant("", customer_no=self.customer_no),
            Complainant("", phone=self.phone),
            Complainant("", email=self.email),
        )
        return tuple(found for one in single if (found := one.identity()))

    def words(self) -> tuple[str, ...]:
        """Every personal value, for redaction."""
        own = tuple(v for v in (self.name, self.phone, self.email, self.customer_no) if v)
        return own + (self.representative.words() if self.representative else ())


@dataclass(frozen=True, slots=True)
class Submission:
    """One complaint as a channel sent it. `complainant` is None for an anonymous one.

    `received_at` is set where it came before we took it in: a letter's day of receipt, or history brought in later
    (`imported`). `facts` are the channel's own, any JSON; `detail` is the flat text that a channel sends along.
    `attachments` are the tickets of files that were uploaded before. `personal` are further values that tell who
    somebody is (a handle, a caller's number), for redaction.
    """

    channel: str
    narrative: str
    complainant: Complainant | None = None
    channel_ref: str | None = None
    branch: str | None = None
    product: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    occurred_at: datetime | None = None
    received_at: datetime | None = None
    desired_outcome: str | None = None
    language: str | None = None
    jurisdiction: str | None = None
    detail: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    imported: bool = False
    attachments: tuple[str, ...] = ()
    referred_by: str | None = None
    referred_at: datetime | None = None
    imposed_due_at: datetime | None = None
    personal: tuple[str, ...] = ()


def check_times(submission: Submission, *, now: datetime) -> None:
    """Raises Invalid when a time lies in the future (beyond a small skew) or before any bank's records."""
    wrong = []
    for name in ("occurred_at", "received_at", "referred_at"):
        moment: datetime | None = getattr(submission, name)
        if moment is None:
            continue
        if moment > now + CLOCK_SKEW:
            wrong.append(FieldError(f"/{name}", "lies in the future", "in_the_future"))
        elif moment.year < EARLIEST_YEAR:
            wrong.append(FieldError(f"/{name}", f"lies before {EARLIEST_YEAR}", "too_long_ago"))
    if wrong:
        raise Invalid("Some values cannot be taken; see errors.", errors=tuple(wrong))
