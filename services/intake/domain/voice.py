"""What a complainant may do with their complaint and when, what its status means to them, and which rights they have
against an outcome. Pure."""

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from shared.errors import Conflict

MESSAGE_LIMIT = 10_000  # characters; so of the grounds of a dispute
REMARK_LIMIT = 2_000  # characters, of a reason or a comment
STAGES = ("received", "routed", "in_progress", "answered", "closed")
_STAGE_OF = {"responded": "answered", "resolved": "answered"}

May = Literal["write", "withdraw", "rate", "dispute"]
Opens = Literal["decision", "decision_or_silence", "at_once"]


class NotWithdrawable(Conflict):
    """This complaint has been decided or closed: there is nothing left to withdraw."""

    code = "not_withdrawable"


class NotRateable(Conflict):
    """A complaint is rated once it is resolved or closed."""

    code = "not_rateable"


class NotDisputable(Conflict):
    """There is no outcome yet that could be disputed, or the complaint was withdrawn."""

    code = "not_disputable"


class AlreadyDisputed(Conflict):
    """This outcome is already disputed; what is to be added can be sent as a message."""

    code = "already_disputed"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a complaint stands with its complainant. `answered_at`: when the final response went out; `resolved_at`: when
    the bank decided, the last time where there were several; `disputed`: of each dispute, the `resolved_at` of the
    decision that it is about."""

    status: str
    received_at: datetime
    outcome: str | None = None
    answered_at: datetime | None = None
    resolved_at: datetime | None = None
    withdrawn_at: datetime | None = None
    disputed: tuple[datetime | None, ...] = ()

    @property
    def decided_at(self) -> datetime | None:
        """From when terms against the outcome run: the final response, or the decision where none is known to have gone
        out before it. The earlier of the two, so that nobody is told too late a day."""
        known = [at for at in (self.answered_at, self.resolved_at) if at is not None]
        return min(known) if known and self.outcome else None

    @property
    def is_disputed(self) -> bool:
        """Whether the present outcome is under dispute: the bank has decided nothing since."""
        return bool(self.disputed) and self.disputed[-1] == self.resolved_at


def may(standing: Standing) -> tuple[May, ...]:
    """What the complainant may do now. Writing is always possible."""
    found: list[May] = ["write"]
    for verb, check in (("withdraw", check_withdrawal), ("rate", check_rating), ("dispute", check_dispute)):
        try:
            check(standing)
        except Conflict:
            continue
        found.append(verb)  # type: ignore[arg-type]
    return tuple(found)


def check_withdrawal(standing: Standing) -> None:
    """Until the bank has decided, and once. Raises NotWithdrawable."""
    if standing.withdrawn_at is not None or standing.outcome is not None or standing.status in ("resolved", "closed"):
        raise NotWithdrawable


def check_rating(standing: Standing) -> None:
    """Raises NotRateable."""
    if standing.status not in ("resolved", "closed"):
        raise NotRateable


def check_dispute(standing: Standing) -> None:
    """Raises NotDisputable, AlreadyDisputed."""
    if standing.outcome is None or standing.outcome == "withdrawn" or standing.withdrawn_at is not None:
        raise NotDisputable
    if standing.is_disputed:
        raise AlreadyDisputed


def stage(standing: Standing) -> str:
    """How far it has come, one of STAGES, in the words of a complainant: whether the bank has recorded what it answered
    makes no difference to them."""
    return _STAGE_OF.get(standing.status, standing.status)


def deadline_state(state: str, due_at: datetime, *, now: datetime) -> str:
    """`running`, `met`, `late` (done after it was due) or `missed`. A running one is missed as soon as it has passed,
    whether or not anybody has told us yet."""
    return "missed" if state == "running" and now > due_at else state


# --- rights against an outcome ---


@dataclass(frozen=True, slots=True)
class Right:
    """Where somebody may turn who does not accept an outcome. Data: `rights.toml` says what each field means."""

    code: str
    internal: bool
    opens: Opens
    silence_days: int | None
    months: int | None
    days: int | None
    body: Mapping[str, str]
    explanation: Mapping[str, str]
    url: str | None
    source: str
    confirmed: bool


@dataclass(frozen=True, slots=True)
class Applying:
    """A right as it applies to one complaint. `until` is the last day to use it, None where none is set, or nobody has
    confirmed which; `over` says that this day has passed."""

    right: Right
    until: date | None
    over: bool


def of_jurisdiction(rights: Mapping[str, Sequence[Right]], jurisdiction: str | None, default: str) -> Sequence[Right]:
    """The rights of the nearest jurisdiction that is known: those of `uk` for `uk-eng`, else of `default`, else those
    that hold everywhere (`*`)."""
    for wanted in (jurisdiction, default):
        parts = (wanted or "").split("-")
        for length in range(len(parts), 0, -1):
            if (found := rights.get("-".join(parts[:length]))) is not None:
                return found
    return rights["*"]


def applying(rights: Iterable[Right], standing: Standing, *, now: datetime, zone: ZoneInfo) -> tuple[Applying, ...]:
    """Those of `rights` that the complainant has now, in their order. Days are those of the bank's `zone`.

    The bank's own review comes first, and is offered as long as the outcome is not under dispute.
    """
    if standing.withdrawn_at is not None:
        return ()
    found = []
    for right in rights:
        if right.internal:
            if "dispute" in may(standing):
                found.append(_applying(right, standing, now=now, zone=zone))
        elif _is_open(right, standing, now=now, zone=zone):
            found.append(_applying(right, standing, now=now, zone=zone))
    return tuple(found)


def _is_open(right: Right, standing: Standing, *, now: datetime, zone: ZoneInfo) -> bool:
    if right.opens == "at_once" or standing.decided_at is not None:
        return True
    if right.opens == "decision" or right.silence_days is None:
        return False
    since = standing.received_at.astimezone(zone).date()
    return now.astimezone(zone).date() > since + timedelta(days=right.silence_days)


def _applying(right: Right, standing: Standing, *, now: datetime, zone: ZoneInfo) -> Applying:
    until = None
    if standing.decided_at is not None and right.confirmed and (right.months or right.days):
        day = standing.decided_at.astimezone(zone).date()
        until = add_months(day, right.months) if right.months else day + timedelta(days=right.days or 0)
    return Applying(right, until, over=until is not None and now.astimezone(zone).date() > until)


def add_months(day: date, months: int) -> date:
    """The day of the same number so many months later; the last day of that month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
