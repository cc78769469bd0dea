"""What staff and systems are told of deadlines: whom, when, and together with what. Pure; time is an argument.

What may wait is gathered for a few minutes and through a reader's quiet hours, and then told in one message that lists
it. What is urgent goes at once and through quiet hours; what is urgent and due at the same moment still shares a
message. Whatever happens, each notice is in exactly one message.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from services.sla.domain.post import Post, Quiet, Reached
from shared.errors import Conflict, NotFound, Refused
from shared.retry import Schedule

Kind = Literal["warning", "missed", "escalation", "extension_decided", "recalculated"]
KINDS: tuple[str, ...] = get_args(Kind)
TEST = "test"
DIGEST = "digest"
State = Literal["waiting", "joined", "sent", "failed"]
RecipientKind = Literal["post", "webhook", "chat"]
Format = Literal["wecom", "teams", "slack"]
LEASE = timedelta(minutes=2)
"""For which a notice is one sender's; longer than any attempt takes."""
RETRY = Schedule(first=timedelta(seconds=10), longest=timedelta(hours=6), give_up_after=timedelta(days=3))


class NoticeNotFound(NotFound):
    """No notice has this id."""

    code = "notice_not_found"


class NoticeNotFailed(Conflict):
    """Only a notice that has failed can be sent again."""

    code = "notice_not_failed"


class SubscriptionNotFound(NotFound):
    """No subscription has this id."""

    code = "subscription_not_found"


class SubscriptionOff(Conflict):
    """The subscription is switched off: its receiver answered 410, or it was deleted."""

    code = "subscription_off"


class NoSecret(Refused):
    """Only webhooks are signed; a chat has no secret."""

    code = "subscription_has_no_secret"


@dataclass(frozen=True, slots=True)
class Rules:
    """The bank's own. `window`: how long what may wait is gathered. From escalation level `urgent_level` on nothing
    waits. A message lists `listed` notices at most and counts the others."""

    window: timedelta = timedelta(minutes=5)
    urgent_level: int = 3
    listed: int = 20


@dataclass(frozen=True, slots=True)
class Setup:
    """How notices are told at this bank. `zone` and `language` are those of readers who have none of their own; `duty`
    is the last resort, told in place of whoever has no address."""

    zone: ZoneInfo
    language: str
    duty: Post
    rules: Rules = Rules()


@dataclass(frozen=True, slots=True)
class NewNotice:
    """One thing to tell: that something happened `at` this moment to the deadline `due_at` of a complaint's `step`.

    `reached`: the person to be told, None where only subscriptions are. `urgent`: the caller knows that it cannot wait
    (a missed final deadline of the regulator's); high levels are urgent of themselves. `was_due_at`: the deadline
    before it was extended or recalculated. `granted`: of an extension. Codes and times alone: nothing that anybody
    wrote.
    """

    kind: Kind
    complaint_id: str
    step: str
    level: int
    due_at: datetime
    department: str | None
    branch: str | None
    reached: Reached | None
    urgent: bool
    at: datetime
    reference: str | None = None
    was_due_at: datetime | None = None
    granted: bool | None = None

    def is_urgent(self, rules: Rules) -> bool:
        return self.urgent or (self.kind == "escalation" and self.level >= rules.urgent_level)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a subscription hears of. None: of everything in that respect. Empty `kinds`: of nothing by itself, only of
    what is told to the posts that name it."""

    departments: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    minimum_level: int = 0

    def wants(self, notice: NewNotice) -> bool:
        """`minimum_level` holds back escalations below it, and says nothing about other kinds."""
        if self.kinds is not None and notice.kind not in self.kinds:
            return False
        if self.departments is not None and notice.department not in self.departments:
            return False
        return notice.kind != "escalation" or notice.level >= self.minimum_level


def not_before(at: datetime, *, urgent: bool, quiet: Quiet | None, zone: ZoneInfo, rules: Rules) -> datetime:
    """When a notice of `at` may go out to a reader with these quiet hours: at once where it is urgent; at their end
    where it falls into them; else after the window, or at once where the window would run into them."""
    if urgent:
        return at
    if quiet is None:
        return at + rules.window
    if quiet.covers(at, zone):
        return quiet.end_after(at, zone)
    gathered = at + rules.window
    return at if quiet.covers(gathered, zone) else gathered


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notice that has not been tried yet, of one recipient."""

    id: str
    urgent: bool
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out together: one notice or several."""

    ids: tuple[str, ...]
    urgent: bool


def gather(waiting: Iterable[Waiting], *, now: datetime, window: timedelta) -> list[Message]:
    """The messages in which one recipient's notices go out now, the urgent one first; each notice is in one of them or
    waits on.

    As soon as one is due, those that would be due within the window go with it: so a reader gets at most one message a
    window, and one that lists what came meanwhile. Urgent ones go by themselves, so that they are not overlooked.
    """
    messages = []
    rest = list(waiting)
    for urgent in (True, False):
        mine = [w for w in rest if w.urgent is urgent and w.next_at <= now + window]
        if any(w.next_at <= now for w in mine):
            messages.append(Message(tuple(w.id for w in mine), urgent))
    return messages


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt fared. `later`: to be tried again, after `retry_after` at least. `down`: nobody can take anything
    there, so what else is for the same recipient need not try now. `gone`: the receiver wants no more, ever. `reason`:
    without addresses."""

    state: Literal["sent", "later", "never"]
    reason: str | None = None
    retry_after: timedelta | None = None
    down: bool = False
    gone: bool = False


SENT = Outcome("sent")
HOLD = timedelta(minutes=15)
"""After which it is looked again whether a way to the recipient has been set up."""


def judge(status: int, *, retry_after: int | None = None) -> Outcome:
    """What an HTTP status says: 2xx is sent; timeouts, too many requests and 5xx pass; 410 is for good and for all;
    what else there is will not get better by being repeated."""
    if 200 <= status < 300:
        return SENT
    reason = f"answered {status}"
    if status in (408, 425, 429) or status >= 500:
        wait = timedelta(seconds=min(retry_after, 3600)) if retry_after else None
        return Outcome("later", reason, wait, down=True)
    return Outcome("never", reason, gone=status == 410)


def again_at(outcome: Outcome, attempts: int, *, since: datetime, now: datetime, chance: float) -> datetime | None:
    """When a notice is tried again after `attempts` since `since`; None: it is not. `chance` in [0, 1)."""
    if outcome.state != "later":
        return None
    at = RETRY.next_attempt(attempts, since=since, now=now, chance=chance)
    return at if at is None or outcome.retry_after is None else max(at, now + outcome.retry_after)


@dataclass(slots=True)
class Breaker:
    """Recipients that are not tried for a while because nobody answered there; in one process, for its own comfort:
    what is promised does not hang on it."""

    _pauses: dict[str, tuple[int, datetime]] = field(default_factory=dict)

    def fell(self, recipient: str, now: datetime, *, chance: float) -> datetime:
        """Nobody answered; until when the recipient is left alone: 10 s at first, 5 min at most."""
        times = self._pauses.get(recipient, (0, now))[0] + 1
        grown: int = 2 ** min(times - 1, 10)
        pause = min(timedelta(seconds=10) * grown, timedelta(minutes=5))
        until = now + pause * (0.75 + chance / 2)
        self._pauses[recipient] = (times, until)
        return until

    def holds(self, recipient: str, now: datetime) -> bool:
        found = self._pauses.get(recipient)
        return found is not None and now < found[1]

    def mended(self, recipient: str) -> None:
        self._pauses.pop(recipient, None)


def way_of(post: Post | None, person: str, chats: Sequence[str]) -> tuple[Literal["email", "chat"], str] | None:
    """How a person is told by a post: `chats` are the ids of chats that are there. A deputy with an address of their
    own is written to, the chat being the holder's. None: no way is known."""
    if post is None:
        return None
    own = person == post.deputy and post.deputy_email
    if post.chat in chats and post.chat and not own:
        return "chat", post.chat
    mailbox = post.mailbox_of(person)
    return ("email", mailbox) if mailbox else None
