"""What a policy pack says, and which packs apply to a complaint. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from services.sla.domain.calendar import Calendar
from services.sla.domain.counting import Limit, local
from shared.events import ClockKind, StepName

StartEvent = Literal["received", "sent_to_portal", "forwarded_by_regulator", "supplement_completed"]
"""What starts the clock, in the rule's words. Of each of them we know when we received it, and count from there; a
supplement is the pack's pause or restart."""
_CODE = re.compile(r"[A-Za-z0-9-]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class Authority:
    """Where a limit comes from. `confirmed`: somebody read the rule's own text. `effective_from`: it stands since."""

    source: str
    article: str
    confirmed: bool
    effective_from: date


@dataclass(frozen=True, slots=True)
class WarnRule:
    """When to warn: at a `share` (0 to 1) of the time allowed, or `lead` before the deadline; the earlier if both."""

    share: float | None = None
    lead: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Rung:
    """A level that is told of a late step: `after` the miss, or after a `share` of the time that was allowed; the first
    rung with the miss itself. Level 1 is the department's head."""

    level: int
    role: str
    after: timedelta = timedelta(0)
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """Who is told, one after the other, until somebody acts. `repeat`: how often the top level is told again; None:
    never. `patience`: how long an escalation that somebody has taken on rests before it climbs on."""

    id: str
    rungs: tuple[Rung, ...]
    repeat: timedelta | None
    patience: timedelta


@dataclass(frozen=True, slots=True)
class Rule:
    """One step that a pack demands. `note` says in plain words what a user of the pack should know of it. Where
    `breach` is False nothing is broken when the time is over: another limit applies then."""

    step: StepName
    limit: Limit
    authority: Authority
    warnings: tuple[WarnRule, ...] = ()
    ladder: Ladder | None = None
    note: str = ""
    breach: bool = True


@dataclass(frozen=True, slots=True)
class Extension:
    """How far a step may be extended: to `to`, counted from where the step is counted from. `approver_role`: who must
    approve; `notice_required`: the complainant must be written to."""

    step: StepName
    to: Limit
    approver_role: str
    notice_required: bool
    article: str


@dataclass(frozen=True, slots=True)
class Suspension:
    """Reasons (codes) for which the clock may stand still."""

    reasons: tuple[str, ...]
    notice_required: bool
    article: str


@dataclass(frozen=True, slots=True)
class Restart:
    """New facts let what is not yet done be counted from their receipt."""

    article: str


@dataclass(frozen=True, slots=True)
class OnMiss:
    """What follows a miss or a rejection: the complainant's `right` (a code) to go to `body` within `window_days`
    (None: not limited, or not known), in the words of `texts` by language."""

    right: str
    body: str
    window_days: int | None
    texts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Groups:
    """Complaints by many: at most so many representatives, and from how many people on it is a major one."""

    representatives: int | None
    major_from: int | None
    article: str


@dataclass(frozen=True, slots=True)
class Applies:
    """Which complaints a pack is for; an empty part stands for all. `jurisdictions` are lower-case codes as complaints
    bear them; a pack's own id is one of them too. A regulator that referred a complaint, where one is named, suffices
    beside or instead of the jurisdiction."""

    jurisdictions: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    referred_by: tuple[str, ...] = ()

    @property
    def narrowness(self) -> int:
        """How many things it asks for: the narrower of two packs goes first."""
        return sum(map(bool, (self.products, self.channels, self.types, self.severities, self.referred_by)))


@dataclass(frozen=True, slots=True)
class Subject:
    """What decides which packs apply, as far as it is known."""

    jurisdiction: str | None = None
    product: str | None = None
    channel: str | None = None
    category: str | None = None
    severity: str | None = None
    referred_by: str | None = None


@dataclass(frozen=True, slots=True)
class Pack:
    """One version of the rules of one regulator, or of the bank's own service standard.

    In force from `effective_from` to `effective_to` (None: until further notice), both days included. `titles` by
    language. `calendar`: the id of the calendar that counts. `replaces`: ids of wider packs that do not apply where
    this one does. `extensions` in growing order.
    """

    id: str
    version: str
    kind: ClockKind
    titles: Mapping[str, str]
    applies: Applies
    calendar: str
    start_event: StartEvent
    effective_from: date
    effective_to: date | None
    rules: tuple[Rule, ...]
    replaces: tuple[str, ...] = ()
    extensions: tuple[Extension, ...] = ()
    suspension: Suspension | None = None
    restart: Restart | None = None
    on_miss: OnMiss | None = None
    groups: Groups | None = None

    @property
    def confirmed(self) -> bool:
        return all(rule.authority.confirmed for rule in self.rules)

    def in_force(self, day: date) -> bool:
        return self.effective_from <= day and (self.effective_to is None or day <= self.effective_to)

    def fits(self, subject: Subject) -> bool:
        """Whether it is for such a complaint. What is unknown of a complaint does not fit a pack that asks for it."""
        where = (subject.jurisdiction or "").strip().lower()
        asked = self.applies
        if self.kind == "regulatory" and not self._reaches(where, subject.referred_by):
            return False
        narrow = (
            (asked.products, subject.product),
            (asked.channels, subject.channel),
            (asked.types, subject.category),
            (asked.severities, subject.severity),
        )
        return where == self.id or all(not wanted or known in wanted for wanted, known in narrow)

    def _reaches(self, where: str, referred_by: str | None) -> bool:
        if where and where == self.id:
            return True
        if self.applies.referred_by:
            return (referred_by or "").lower() in self.applies.referred_by
        return bool(where) and where in self.applies.jurisdictions


@dataclass(frozen=True, slots=True)
class Choice:
    """A pack that applies and, in plain words, why this one in this version. `primary`: its deadlines are those that
    the complainant is told. `fallback`: it is the bank's default, because no other covers the complaint."""

    pack: Pack
    reason: str
    primary: bool
    fallback: bool = False


@dataclass(frozen=True, slots=True)
class Policies:
    """Every pack that is known, the id of the bank's `default`, and the calendars that they count with: `calendars` by
    id, as they are now; `editions` by version, with those of the past."""

    packs: tuple[Pack, ...]
    default: str
    calendars: Mapping[str, Calendar]
    editions: Mapping[str, Calendar] = field(default_factory=dict)

    def choose(self, subject: Subject, received_at: datetime) -> tuple[Choice, ...]:
        """The packs for a complaint, the primary one first. There always is exactly one primary, a regulatory one: the
        narrowest that covers the complaint, or the bank's default. After it the other regulators' packs, then the
        bank's own. Of a pack's versions, the one in force on the day of receipt (in the pack's own zone); where none
        was, the nearest."""
        found = [p for p in self._ids() if any(pack.fits(subject) for pack in self._versions(p))]
        replaced = {id for pack in found for id in self._versions(pack)[-1].replaces}
        chosen = [id for id in found if id not in replaced]
        regulatory = [id for id in chosen if self._versions(id)[0].kind == "regulatory"]
        regulatory.sort(key=lambda id: self._rank(self._versions(id)[-1]))
        service = [id for id in chosen if self._versions(id)[0].kind == "service"]
        choices: list[Choice] = []
        for id in regulatory or [self.default]:
            pack, timing = self._version(id, received_at)
            reason = self._reason(id, subject, fallback=not regulatory)
            choices.append(Choice(pack, f"{reason} {timing}", primary=not choices, fallback=not regulatory))
        for id in service:
            pack, timing = self._version(id, received_at)
            choices.append(Choice(pack, f"The bank's own service standard {id} applies. {timing}", primary=False))
        return tuple(choices)

    def pack(self, id: str, version: str) -> Pack | None:
        return next((p for p in self.packs if (p.id, p.version) == (id, version)), None)

    def calendar(self, pack: Pack) -> Calendar:
        return self.calendars[pack.calendar]

    def _ids(self) -> list[str]:
        return list(dict.fromkeys(p.id for p in self.packs))

    def _versions(self, id: str) -> list[Pack]:
        return sorted((p for p in self.packs if p.id == id), key=lambda p: p.effective_from)

    @staticmethod
    def _rank(pack: Pack) -> tuple[bool, int, str]:
        """The order of regulatory packs: those first that ask for a final response, of them the narrowest."""
        return all(rule.step != "final" for rule in pack.rules), -pack.applies.narrowness, pack.id

    def _reason(self, id: str, subject: Subject, *, fallback: bool) -> str:
        where = (subject.jurisdiction or "").strip().lower()
        if not fallback:
            pack = self._versions(id)[-1]
            if pack.applies.referred_by and where != id:
                return f"Pack {id} covers complaints that {'/'.join(pack.applies.referred_by)} has referred."
            return f"Pack {id} covers jurisdiction {where}."
        if where:
            # quoted only if it is a code: free text could hold anything
            named = f"jurisdiction {where}" if _CODE.match(where) else "the jurisdiction that the complaint names"
            return f"No pack covers {named}, so the bank's default pack {id} applies."
        return f"The complaint names no jurisdiction, so the bank's default pack {id} applies."

    def _version(self, id: str, received_at: datetime) -> tuple[Pack, str]:
        """The version in force at `received_at`, else the last one before it, else the first, and why."""
        versions = self._versions(id)
        day = local(received_at, self.calendar(versions[0]).zone).date()
        for pack in versions:
            if pack.in_force(day):
                return pack, f"Its version {pack.version} was in force on the day of receipt, {day}."
        earlier = [p for p in versions if p.effective_from <= day]
        if earlier:
            pack = earlier[-1]
            return pack, f"No version was in force on the day of receipt, {day}; {pack.version} was the last before it."
        pack = versions[0]
        return pack, f"The day of receipt, {day}, lies before its first version {pack.version}, which is applied."
