"""Who is reached when a level must act: posts, their holders and deputies, and what follows when a post is vacant.
Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

PostRole = Literal[
    "officer", "supervisor", "branch_manager", "complaint_office", "internal_audit", "senior_management", "duty"
]
Via = Literal["holder", "deputy", "fallback"]
FALLBACK: tuple[PostRole, ...] = ("complaint_office", "senior_management", "duty")
"""Where an escalation goes when nobody holds the post that it is for: in this order."""
DUTY = "duty"
"""Who is reached when there is nobody at all: whoever is on duty at the desk."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """When somebody is not to be disturbed: daily from `since` to `until` (which may lie on the next day), and all day
    on `days` of the week (Monday is 0), on the clocks of `zone`."""

    since: time | None
    until: time | None
    days: frozenset[int]
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Absence:
    """Away from `first` to `last`, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Post:
    """A role in a department, a branch, or all of the bank (both None), who holds it (None: vacant) and who stands in.
    People are subjects in the bank's directory."""

    id: str
    role: PostRole
    department: str | None = None
    branch: str | None = None
    holder: str | None = None
    deputy: str | None = None
    language: str = "en"
    email: str | None = None
    deputy_email: str | None = None
    absences: tuple[Absence, ...] = ()
    quiet: Quiet | None = None

    def present(self, day: date) -> bool:
        return self.holder is not None and not any(a.first <= day <= a.last for a in self.absences)


@dataclass(frozen=True, slots=True)
class Reached:
    """Whom an escalation reaches: the `person`, by which post, and whether as its holder, as deputy, or because the
    post that it was for is vacant (`fallback`)."""

    person: str
    post: Post | None
    via: Via

    @property
    def email(self) -> str | None:
        if self.post is None:
            return None
        deputy = self.person == self.post.deputy and self.person != self.post.holder
        return self.post.deputy_email if deputy else self.post.email


@dataclass(slots=True)
class Directory:
    """The posts as they are on a day, by role."""

    by_role: dict[str, list[Post]] = field(default_factory=dict)

    @classmethod
    def of(cls, posts: Iterable[Post]) -> "Directory":
        found: dict[str, list[Post]] = {}
        for post in sorted(posts, key=lambda p: p.id):
            found.setdefault(post.role, []).append(post)
        return cls(found)

    def reach(
        self, role: str, *, department: str | None, branch: str | None, assignee: str | None, now: datetime
    ) -> Reached:
        """Who is told at the level of `role`: never nobody, never somebody who is away, and not the complaint's own
        officer where anybody else can be found."""
        day = now.date()
        spare: Reached | None = None
        for wanted in (role, *(f for f in FALLBACK if f != role)):
            for post in self._fitting(wanted, department, branch):
                for person, via in _people(post, day):
                    found = Reached(person, post, via if wanted == role else "fallback")
                    if person != assignee:
                        return found
                    spare = spare or found
        return spare or Reached(DUTY, None, "fallback")

    def officer(
        self, assignee: str | None, *, department: str | None, branch: str | None, now: datetime
    ) -> Reached | None:
        """Who is warned: the complaint's own officer, or who stands in; where nobody has it yet, the department's
        officers' post. None where the directory knows neither."""
        day = now.date()
        for post in self.by_role.get("officer", ()):
            if assignee is not None and post.holder == assignee:
                return next((Reached(person, post, via) for person, via in _people(post, day)), None)
        for post in self._fitting("officer", department, branch):
            for person, via in _people(post, day):
                return Reached(person, post, via)
        return None

    def _fitting(self, role: str, department: str | None, branch: str | None) -> Sequence[Post]:
        """Posts for such a complaint, the nearest first."""
        fits = [
            p for p in self.by_role.get(role, ()) if p.department in (None, department) and p.branch in (None, branch)
        ]
        return sorted(fits, key=lambda p: (p.department is None) + (p.branch is None))


def _people(post: Post, day: date) -> Iterable[tuple[str, Via]]:
    if post.present(day) and post.holder is not None:
        yield post.holder, "holder"
    if post.deputy is not None:
        yield post.deputy, "deputy"
