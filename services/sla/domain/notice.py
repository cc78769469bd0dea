"""What staff are told of deadlines, when, and joined into which message. Pure.

Nothing of the complainant is in a notice: a reference, a step, a deadline, a department.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from services.sla.domain.post import Quiet, Reached
from shared.events import StepName

NoticeKind = Literal["warned", "missed", "escalated", "extended", "recalculated"]
Format = Literal["email", "webhook", "wecom", "teams", "slack"]
WINDOW = timedelta(minutes=5)
"""How long what may wait is gathered for one message."""
LISTED = 50
"""Notices that a message lists one by one; of more it says how many."""
_URGENT_LEVEL = 3
_LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class NewNotice:
    """Something to tell. `reached`: the person it is for, None for what only subscribers are told. `urgent`: at once,
    and through quiet hours."""

    kind: NoticeKind
    complaint_id: str
    reference: str | None
    step: StepName
    due_at: datetime
    at: datetime
    department: str | None = None
    level: int = 0
    role: str | None = None
    repeat: int = 0
    reached: Reached | None = None
    urgent: bool = False


def is_urgent(kind: NoticeKind, *, level: int, step: StepName, regulatory: bool) -> bool:
    """A high level, or a regulator's final deadline that is over."""
    return level >= _URGENT_LEVEL or (kind in ("missed", "escalated") and step == "final" and regulatory)


def not_before(at: datetime, *, urgent: bool, quiet: Quiet | None) -> datetime:
    """When a notice may go: at once if urgent; else when the window for gathering is over and nobody is disturbed."""
    if urgent:
        return at
    return after_quiet(at + WINDOW, quiet)


def after_quiet(at: datetime, quiet: Quiet | None) -> datetime:
    """`at`, or the end of the quiet hours in which it lies. Quiet hours that never end quieten nothing."""
    if quiet is None or len(quiet.days) == 7:
        return at
    local = at.astimezone(quiet.zone)
    for _ in range(16):  # at most a week of days, each with a night before and after
        end = _quiet_until(local, quiet)
        if end is None:
            return local.astimezone(UTC)
        local = end
    return at


def _quiet_until(local: datetime, quiet: Quiet) -> datetime | None:
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if local.weekday() in quiet.days:
        return midnight + timedelta(days=1)
    if quiet.since is None or quiet.until is None or quiet.since == quiet.until:
        return None
    at = local.time()
    end = midnight.replace(hour=quiet.until.hour, minute=quiet.until.minute)
    if quiet.since < quiet.until:
        return end if quiet.since <= at < quiet.until else None
    if at >= quiet.since:
        return end + timedelta(days=1)
    return end if at < quiet.until else None


def lease(now: datetime) -> datetime:
    """Until when a claimed notice is left to who has claimed it."""
    return now + _LEASE


def gathered(notices: Iterable[tuple[str, bool, str]], *, joinable: frozenset[str]) -> list[tuple[str, ...]]:
    """Which notices go into one message. `notices`: (id, urgent, recipient) in order; those of one recipient that may
    wait are joined, if the recipient's format can list several. Every notice is in exactly one message."""
    found: list[list[str]] = []
    open_for: dict[str, list[str]] = {}
    for id, urgent, recipient in notices:
        if urgent or recipient not in joinable:
            found.append([id])
        elif recipient in open_for:
            open_for[recipient].append(id)
        else:
            open_for[recipient] = [id]
            found.append(open_for[recipient])
    return [tuple(ids) for ids in found]


def told(ids: Sequence[str]) -> str:
    """The id under which a message goes out: its first notice's, the same at every attempt."""
    return ids[0]
