"""Who holds which role where, and who is reached when that role must act. Pure; time is an argument.

People are opaque subjects of the bank's directory. A post is vacant (nobody holds it) or its holder is away; then its
deputy is reached, then the next post that covers the place, then the fallback roles, and when nobody at all is there,
the duty post, which always exists. So whoever asks gets somebody, and never somebody who is away.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, get_args
from zoneinfo import ZoneInfo

PostRole = Literal["officer", "supervisor", "branch_manager", "complaint_office", "internal_audit", "senior_management"]
ROLES: tuple[str, ...] = get_args(PostRole)
DUTY = "duty"
"""The id, the role and, unless a setting names somebody, the person of the last resort."""
FALLBACK = ("complaint_office", "senior_management")
"""Who is tried, in this order, when nobody holds the role that was asked for."""
Via = Literal["holder", "deputy", "fallback"]
_SATURDAY = 5
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Quiet:
    """When nobody is to be disturbed, on the clocks of the post: daily from `start` to `end`, over midnight where
    `start` is the later; on Saturdays and Sundays all day where `weekends`. `start` and `end` alike: no such hours."""

    start: time
    end: time
    weekends: bool = False

    def covers(self, moment: datetime, zone: ZoneInfo) -> bool:
        local = moment.astimezone(zone)
        if self.weekends and local.weekday() >= _SATURDAY:
            return True
        at = local.time()
        if self.start <= self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end

    def end_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """When the quiet hours that cover `moment` are over, in UTC; `moment` where it is not quiet."""
        found = moment
        while self.covers(found, zone):  # a weekend hangs together with the nights around it: a few steps at most
            local = found.astimezone(zone)
            if self.weekends and local.weekday() >= _SATURDAY:
                found = _at(local.date() + timedelta(days=1), time(), zone)
            else:
                ends = local.date() + timedelta(days=local.time() >= self.end)
                found = _at(ends, self.end, zone)
        return found


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """When the clocks of `zone` show this, in UTC: the second time where they show it twice, and where they leap over
    it, the leap."""
    shown = datetime.combine(day, clock)
    early, late = sorted(shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if late.astimezone(zone).replace(tzinfo=None) == shown:
        return late
    while late - early > _SECOND:
        middle = early + (late - early) / 2
        if middle.astimezone(zone).replace(tzinfo=None) < shown:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody is away from the `first` day to the `last`, both included, on the clocks of the post."""

    first: date
    last: date
    whose: Literal["holder", "deputy"] = "holder"


@dataclass(frozen=True, slots=True)
class Post:
    """A role in a department and branch; None for either: in all of them. `holder` None: vacant.

    `email` is the post's own or its holder's, `deputy_email` the deputy's, `chat` the id of a chat subscription into
    which the post is told instead. `zone` None: the bank's.
    """

    id: str
    role: str
    department: str | None = None
    branch: str | None = None
    holder: str | None = None
    deputy: str | None = None
    language: str | None = None
    email: str | None = None
    deputy_email: str | None = None
    chat: str | None = None
    zone: ZoneInfo | None = None
    quiet: Quiet | None = None
    absences: tuple[Absence, ...] = ()
    version: int = 1

    def mailbox_of(self, person: str) -> str | None:
        """Where `person`, who was reached by this post, reads mail."""
        return (self.deputy_email or self.email) if person == self.deputy else self.email


@dataclass(frozen=True, slots=True)
class Reached:
    """Who is reached: `person` by the post `post_id`, whose role is `role` (the duty post's is `duty`). `via` fallback:
    nobody could be reached in the role that was asked for."""

    person: str
    post_id: str
    via: Via
    role: str


class Directory:
    """All posts, found by role and place in a few look-ups. Load it once for a batch: resolving 10,000 escalations then
    costs no query. `zone` is the bank's, `duty` the last resort."""

    def __init__(self, posts: Iterable[Post], *, zone: ZoneInfo, duty: Post | None = None) -> None:
        self.duty = duty or Post(DUTY, DUTY, holder=DUTY)
        self.zone = zone
        self.by_id: dict[str, Post] = {self.duty.id: self.duty}
        self._places: dict[tuple[str, str | None, str | None], list[Post]] = {}
        self._held: dict[str, list[Post]] = {}
        self._leaves: dict[str, list[tuple[Absence, ZoneInfo]]] = {}
        for post in sorted(posts, key=lambda p: p.id):
            self.by_id.setdefault(post.id, post)
            self._places.setdefault((post.role, post.department, post.branch), []).append(post)
            if post.holder:
                self._held.setdefault(post.holder, []).append(post)
            for leave in post.absences:
                person = post.holder if leave.whose == "holder" else post.deputy
                if person:
                    self._leaves.setdefault(person, []).append((leave, self.zone_of(post)))

    def zone_of(self, post: Post) -> ZoneInfo:
        return post.zone or self.zone

    def away(self, person: str, now: datetime) -> bool:
        """Whether a person is absent, by whichever post that is known."""
        leaves = self._leaves.get(person, ())
        return any(leave.first <= now.astimezone(zone).date() <= leave.last for leave, zone in leaves)

    def in_order(self, role: str, department: str | None, branch: str | None) -> Iterable[Post]:
        """The posts of a role that cover this place, the most specific first, those alike in order of their ids."""
        for place in dict.fromkeys(((department, branch), (department, None), (None, branch), (None, None))):
            yield from self._places.get((role, *place), ())

    def people(self, post: Post, now: datetime) -> Iterable[tuple[str, Via]]:
        """Who of a post is there: its holder, then its deputy."""
        if post.holder and not self.away(post.holder, now):
            yield post.holder, "holder"
        if post.deputy and not self.away(post.deputy, now):
            yield post.deputy, "deputy"

    def held_by(self, person: str) -> Sequence[Post]:
        return self._held.get(person, ())


def resolve(
    posts: Directory,
    role: str,
    department: str | None,
    branch: str | None,
    now: datetime,
    *,
    assignee: str | None = None,
) -> Reached:
    """Who is to act as `role` for a complaint of this department and branch.

    Never nobody, never a person who is away; and for a role above officer never `assignee`, who is the one to be
    escalated from.
    """
    passed_over = None if role == "officer" else assignee
    for wanted in (role, *(r for r in FALLBACK if r != role)):
        for post in posts.in_order(wanted, department, branch):
            for person, via in posts.people(post, now):
                if person != passed_over:
                    return Reached(person, post.id, via if wanted == role else "fallback", wanted)
    return Reached(posts.duty.holder or DUTY, posts.duty.id, "fallback", posts.duty.role)


def resolve_officer(
    posts: Directory, assignee: str | None, department: str | None, branch: str | None, now: datetime
) -> Reached:
    """Who is to be told of a complaint that is being worked on: its assignee by the post that they hold there, their
    deputy while they are away; where nobody has it, or the directory does not know them, the officers' post of the
    department, and from there on as `resolve` has it."""
    if assignee is not None:
        held = posts.held_by(assignee)
        for post in sorted(held, key=lambda p: (p.role != "officer", p.department != department, p.branch != branch)):
            for person, via in posts.people(post, now):
                return Reached(person, post.id, via, post.role)
    return resolve(posts, "officer", department, branch, now)
