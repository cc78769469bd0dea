"""What a policy pack says, and which packs apply to a complaint. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Literal

from services.sla.domain.calendar import Calendar
from services.sla.domain.counting import CountFrom, Limit, Unit, WarnRule, local
from shared.events import StepName

__all__ = [
    "Applies", "Authority", "Choice", "CountFrom", "Extension", "Groups", "Kind", "Ladder", "Limit", "OnMiss", "Pack",
    "Policies", "Restart", "Role", "Rule", "Rung", "StartEvent", "Subject", "Suspension", "Unit", "WarnRule", "code",
]  # fmt: skip

Kind = Literal["regulatory", "service"]
StartEvent = Literal["received", "sent_to_portal", "forwarded_by_regulator", "supplement_completed"]
Role = Literal["supervisor", "branch_manager", "complaint_office", "internal_audit", "senior_management"]
"""Who must act, or may approve: the head of the department, and the levels above."""

_CODE = re.compile(r"[A-Za-z0-9-]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class Authority:
    """Where a limit comes from. `confirmed`: somebody read the rule's own text. `effective_from`: it stands since."""

    source: str
    article: str
    confirmed: bool
    effective_from: date


@dataclass(frozen=True, slots=True)
class Rung:
    """One level of a ladder: `role` must act at `level`, once `after` has passed since the miss, or once a `share` of
    the time that was allowed has (0.5: half as long again). The first comes with the miss itself. Level 1 is the
    department's head."""

    level: int
    role: Role
    after: timedelta = timedelta(0)
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """Who is told when a step stays missed, in order. `repeat`: how often the last rung is told again until somebody
    acts. `patience`: how long an acknowledged escalation rests before the ladder goes on if the step is not taken."""

    id: str
    rungs: tuple[Rung, ...]
    repeat: timedelta | None
    patience: timedelta


@dataclass(frozen=True, slots=True)
class Rule:
    """One step that a pack demands. `note` says in plain words what a user of the pack should know of it. `breach`
    False: nothing is broken when its time is over, another limit applies then."""

    step: StepName
    limit: Limit
    authority: Authority
    warnings: tuple[WarnRule, ...] = ()
    ladder: Ladder | None = None
    note: str = ""
    breach: bool = True


@dataclass(frozen=True, slots=True)
class Extension:
    """How long `step` may take at the most once `approver_role` has approved it: `to`, counted from the clock's own
    start. `notice_required`: only if the complainant is told why, and until when. `reasons`: codes of the only
    reasons that permit it; empty: any that is given. Several of one step are stages, the shorter first."""

    step: StepName
    to: Limit
    approver_role: Role
    notice_required: bool
    article: str
    reasons: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Suspension:
    """For which `reasons` (codes) the clock may stand still; `notice_required`: only if the complainant is told."""

    reasons: tuple[str, ...]
    notice_required: bool
    article: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Restart:
    """New facts or material from the complainant begin the clock anew on the day they come in."""

    article: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class OnMiss:
    """What the complainant may do after a miss, or a decision that is not accepted. `right`: a code; `body`: who looks
    at it; `window_days`: within how many calendar days, None where the facts do not say. `texts` by language."""

    right: str
    body: str
    window_days: int | None
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Groups:
    """Complaints of several people: how many may come forward for them (None: no limit), and from how many on it is a
    major complaint."""

    representatives_max: int | None
    major_from: int | None
    article: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What is known of a complaint that decides which packs apply; codes in any case, None where unknown."""

    jurisdiction: str | None = None
    product: str | None = None
    channel: str | None = None
    category: str | None = None
    severity: str | None = None
    referred_by: str | None = None


@dataclass(frozen=True, slots=True)
class Applies:
    """To which complaints a pack applies: to those that fit every list; an empty list fits all. Lower-case codes.
    `types` are the categories of the register; `referred_by` the regulators that may have sent it."""

    jurisdictions: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    referred_by: tuple[str, ...] = ()

    def fits(self, subject: Subject) -> bool:
        return all(not wanted or code(value) in wanted for wanted, value in self._pairs(subject))

    @property
    def specificity(self) -> int:
        """How many of the lists say something."""
        return sum(bool(wanted) for wanted, _ in self._pairs(Subject()))

    def _pairs(self, subject: Subject) -> tuple[tuple[tuple[str, ...], str | None], ...]:
        return (
            (self.jurisdictions, subject.jurisdiction),
            (self.products, subject.product),
            (self.channels, subject.channel),
            (self.types, subject.category),
            (self.severities, subject.severity),
            (self.referred_by, subject.referred_by),
        )


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of the rules of one regulator, or of the bank's own service.

    In force from `effective_from` to `effective_to` (None: until further notice), both days included. `titles` by
    language. It applies where `applies` fits, or one of `also`; whoever names its id as the jurisdiction gets it
    whatever else is known. `replaces`: packs that do not apply beside it.
    """

    id: str
    version: str
    kind: Kind
    titles: Mapping[str, str]
    applies: Applies
    replaces: tuple[str, ...]
    calendar: str
    start_event: StartEvent
    effective_from: date
    effective_to: date | None
    rules: tuple[Rule, ...]
    extensions: tuple[Extension, ...] = ()
    suspension: Suspension | None = None
    restart: Restart | None = None
    on_miss: OnMiss | None = None
    groups: Groups | None = None
    also: tuple[Applies, ...] = ()

    @property
    def edition(self) -> str:
        """What names the whole content: another word in it, another edition."""
        written = json.dumps(asdict(self), ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=str)
        return sha256(written.encode()).hexdigest()[:12]

    @property
    def confirmed(self) -> bool:
        """Whether somebody has read every limit in the rule's own text."""
        return all(rule.authority.confirmed for rule in self.rules)

    def in_force(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)

    def specificity(self, subject: Subject) -> int | None:
        """How closely the pack fits `subject`; None if it does not apply. A regulator's pack that names neither a
        jurisdiction nor whoever refers complaints applies to none by itself."""
        found = [
            a.specificity
            for a in (self.applies, *self.also)
            if a.fits(subject) and (self.kind == "service" or a.jurisdictions or a.referred_by)
        ]
        return max(found, default=None)


@dataclass(frozen=True, slots=True)
class Choice:
    """A pack that applies and, in plain words, why. `primary`: the one that the complaint is known by. `fallback`: it
    is the bank's default, because no other covers the complaint."""

    pack: Pack
    reason: str
    primary: bool
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Policies:
    """Every pack that is known with the calendars and ladders that they name, and the id of the bank's `default`."""

    packs: tuple[Pack, ...]
    default: str
    calendars: Mapping[str, Calendar]
    ladders: Mapping[str, Ladder]
    past: Mapping[str, Calendar] = field(default_factory=dict)
    """Earlier editions of the calendars, by version: what a running clock was counted with."""

    @property
    def editions(self) -> Mapping[str, Calendar]:
        """Every calendar that is known by its version, as it is now or was."""
        return {**self.past, **{c.version: c for c in self.calendars.values()}}

    def pack(self, id: str, version: str) -> Pack | None:
        return next((p for p in self.packs if p.id == id and p.version == version), None)

    def calendar(self, pack: Pack) -> Calendar:
        return self.calendars[pack.calendar]

    def choose(self, subject: Subject, received_at: datetime) -> tuple[Choice, ...]:
        """The packs for a complaint, the primary one first. There always is exactly one primary.

        First the regulatory packs that fit, the most specific leading, less those that a chosen one replaces; a pack
        that is named as the jurisdiction is chosen alone, beside those that a referral brings. Where none fits, the
        bank's default. Then the service packs. Of a pack's versions the one in force on the day of receipt (in the
        pack's own zone) applies; where no fitting pack was in force, the nearest. Raises UncountableTime.
        """
        wanted = code(subject.jurisdiction)
        regulatory = self._regulatory(subject, wanted, received_at)
        chosen = [(pack, _because(pack, subject, wanted)) for pack in regulatory]
        if not chosen:
            chosen = [(self._version(self.default, received_at), self._by_default(subject, wanted))]
        services = [pack for pack in self._in_force("service", received_at) if pack.specificity(subject) is not None]
        services = _without_replaced(services)
        found = [
            Choice(p, f"{reason} {self._timing(p, received_at)}", n == 0, fallback=not regulatory)
            for n, (p, reason) in enumerate(chosen)
        ]
        return (*found, *(Choice(pack, self._own(pack, received_at), False) for pack in services))

    def standard(self, id: str, received_at: datetime) -> Choice | None:
        """The bank's own pack `id` in the version for that moment, whatever it is for; None where there is none."""
        if not any(p.id == id and p.kind == "service" for p in self.packs):
            return None
        pack = self._version(id, received_at)
        return Choice(pack, self._own(pack, received_at), False)

    def _own(self, pack: Pack, received_at: datetime) -> str:
        return f"Pack {pack.id} is the bank's own standard. {self._timing(pack, received_at)}"

    def _regulatory(self, subject: Subject, wanted: str, received_at: datetime) -> list[Pack]:
        ids = {p.id for p in self.packs if p.kind == "regulatory"}
        if wanted in ids:
            # whoever names one pack wants no other of its jurisdiction; a referral is a fact that nobody chooses
            named = self._version(wanted, received_at)
            rest = [p for p in self._in_force("regulatory", received_at) if _by_referral(p, subject)]
            return [named, *(p for p in _without_replaced([named, *_ranked(rest, subject)]) if p.id != wanted)]
        fits = [p for p in self._in_force("regulatory", received_at) if p.specificity(subject) is not None]
        if not fits:
            nearest = [self._version(id, received_at) for id in sorted(ids)]
            fits = [p for p in nearest if p.specificity(subject) is not None]
        return _without_replaced(_ranked(fits, subject))

    def _in_force(self, kind: str, received_at: datetime) -> list[Pack]:
        return [
            p for p in self.packs if p.kind == kind and p.in_force(local(received_at, self.calendar(p).zone).date())
        ]

    def _version(self, id: str, received_at: datetime) -> Pack:
        """The version in force, else the last one before, else the first."""
        versions = sorted((p for p in self.packs if p.id == id), key=lambda p: p.effective_from)
        day = self._day(versions[0], received_at)
        in_force = (p for p in versions if p.in_force(day))
        earlier = (p for p in reversed(versions) if p.effective_from <= day)
        return next(in_force, None) or next(earlier, None) or versions[0]

    def _timing(self, pack: Pack, received_at: datetime) -> str:
        day = self._day(pack, received_at)
        if pack.in_force(day):
            return f"Its version {pack.version} was in force on the day of receipt, {day}."
        if pack.effective_from <= day:
            return f"No version was in force on the day of receipt, {day}; {pack.version} was the last before it."
        return f"The day of receipt, {day}, lies before its first version {pack.version}, which is applied."

    def _day(self, pack: Pack, received_at: datetime) -> date:
        return local(received_at, self.calendar(pack).zone).date()

    def _by_default(self, subject: Subject, wanted: str) -> str:
        applied = f"so the bank's default pack {self.default} applies."
        if not wanted:
            return f"The complaint names no jurisdiction, {applied}"
        # quoted only if it is a code: free text could hold anything
        named = f"jurisdiction {wanted}" if _CODE.match(wanted) else "the jurisdiction that the complaint names"
        known = any(wanted in a.jurisdictions for p in self.packs for a in (p.applies, *p.also))
        if known:
            return f"The packs of {named} are for other kinds of complaints, {applied}"
        return f"No pack covers {named}, {applied}"


def _ranked(packs: Iterable[Pack], subject: Subject) -> list[Pack]:
    """The most specific first; of two alike, the one of the jurisdiction, then the one whose limits can be broken."""
    return sorted(
        packs,
        key=lambda p: (
            -(p.specificity(subject) or 0),
            not p.applies.jurisdictions,
            not any(r.breach for r in p.rules),
            p.id,
        ),
    )


def _without_replaced(packs: list[Pack]) -> list[Pack]:
    replaced = {id for pack in packs for id in pack.replaces}
    return [pack for pack in packs if pack.id not in replaced]


def _by_referral(pack: Pack, subject: Subject) -> bool:
    return any(a.referred_by and a.fits(subject) for a in (pack.applies, *pack.also))


def _because(pack: Pack, subject: Subject, wanted: str) -> str:
    if wanted == pack.id:
        return f"Pack {pack.id} covers jurisdiction {wanted}."
    fitting = next(a for a in sorted((pack.applies, *pack.also), key=lambda a: -a.specificity) if a.fits(subject))
    said = [
        f"{name} {code(value)}"
        for name, listed, value in (
            ("jurisdiction", fitting.jurisdictions, wanted),
            ("product", fitting.products, subject.product),
            ("channel", fitting.channels, subject.channel),
            ("type", fitting.types, subject.category),
            ("severity", fitting.severities, subject.severity),
            ("complaints referred by", fitting.referred_by, subject.referred_by),
        )
        if listed
    ]
    return f"Pack {pack.id} covers {', '.join(said)}."


def code(value: str | None) -> str:
    """`value` as codes are compared: lower case, `_` for spaces."""
    return "_".join((value or "").lower().split())
