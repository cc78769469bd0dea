"""What a pack's file may hold, and the pack that it becomes. `checks` says what must hang together beyond this."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.sla.domain.policy import (
    Applies,
    Authority,
    Extension,
    Groups,
    Kind,
    Ladder,
    Limit,
    OnMiss,
    Pack,
    Restart,
    Role,
    Rule,
    Rung,
    StartEvent,
    Suspension,
    Unit,
    WarnRule,
)
from shared.events import Severity, StepName

Words = Annotated[str, Field(min_length=1, max_length=400)]
Note = Annotated[str, Field(max_length=600)]
Id = Annotated[str, Field(pattern=r"^[a-z]{2,10}(-[a-z0-9]+){0,3}$", max_length=40)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]
Hours = Annotated[int, Field(gt=0, le=24 * 366)]


class _Strict(BaseModel):
    """No unknown keys, no silent conversion: a slip of the pen is an error and not a default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LimitFile(_Strict):
    limit: int = Field(gt=0, le=3660)
    unit: Unit
    count_from: Literal["same_day", "next_day"] | None = None

    def read(self) -> Limit:
        return Limit(self.limit, self.unit, self.count_from or "moment")


class WarnFile(_Strict):
    share: float | None = Field(None, gt=0, lt=1)
    lead_hours: Hours | None = None

    def read(self) -> WarnRule:
        return WarnRule(self.share, timedelta(hours=self.lead_hours) if self.lead_hours else None)


class StepFile(LimitFile):
    name: StepName
    source: Words | None = None
    article: Words
    effective_from: date | None = None
    confirmed: bool
    note: Note = ""
    warn: list[WarnFile] = []
    ladder: str | None = None
    breach: bool = True


class ExtensionFile(LimitFile):
    step: StepName
    approver: Role
    notice_required: bool
    article: Words
    reasons: list[Code] = []
    note: Note = ""

    def extension(self) -> Extension:
        return Extension(
            self.step, self.read(), self.approver, self.notice_required, self.article, tuple(self.reasons), self.note
        )


class SuspensionFile(_Strict):
    reasons: list[Code] = Field(min_length=1)
    notice_required: bool
    article: Words
    note: Note = ""


class RestartFile(_Strict):
    article: Words
    note: Note = ""


class OnMissFile(_Strict):
    right: Code
    body: Words
    window_days: int | None = Field(None, gt=0, le=3660)
    text: dict[str, Words]


class GroupsFile(_Strict):
    representatives_max: int | None = Field(None, gt=0)
    major_from: int | None = Field(None, gt=1)
    article: Words


class AppliesFile(_Strict):
    jurisdictions: list[Id] = []
    products: list[Code] = []
    channels: list[Code] = []
    types: list[Code] = []
    severities: list[Severity] = []
    referred_by: list[Code] = []

    def read(self) -> Applies:
        return Applies(
            jurisdictions=tuple(self.jurisdictions),
            products=tuple(self.products),
            channels=tuple(self.channels),
            types=tuple(self.types),
            severities=tuple(self.severities),
            referred_by=tuple(self.referred_by),
        )


class PackFile(_Strict):
    id: Id
    version: str = Field(pattern=r"^[0-9A-Za-z.-]{1,40}$")
    kind: Kind
    title: dict[str, Words]
    calendar: str
    source: Words
    start_event: StartEvent
    effective_from: date
    effective_to: date | None = None
    replaces: list[Id] = []
    applies: AppliesFile
    also: list[AppliesFile] = []
    steps: list[StepFile] = Field(min_length=1)
    extensions: list[ExtensionFile] = []
    suspension: SuspensionFile | None = None
    restart: RestartFile | None = None
    on_miss: OnMissFile | None = None
    groups: GroupsFile | None = None

    def pack(self, ladders: Mapping[str, Ladder]) -> Pack:
        """Raises KeyError for a ladder that is not there."""
        return Pack(
            id=self.id,
            version=self.version,
            kind=self.kind,
            titles=dict(self.title),
            applies=self.applies.read(),
            also=tuple(a.read() for a in self.also),
            replaces=tuple(self.replaces),
            calendar=self.calendar,
            start_event=self.start_event,
            effective_from=self.effective_from,
            effective_to=self.effective_to,
            rules=tuple(self._rule(s, ladders) for s in self.steps),
            extensions=tuple(e.extension() for e in self.extensions),
            suspension=_suspension(self.suspension),
            restart=Restart(self.restart.article, self.restart.note) if self.restart else None,
            on_miss=_on_miss(self.on_miss),
            groups=_groups(self.groups),
        )

    def _rule(self, step: StepFile, ladders: Mapping[str, Ladder]) -> Rule:
        since = step.effective_from or self.effective_from
        return Rule(
            step=step.name,
            limit=step.read(),
            authority=Authority(step.source or self.source, step.article, step.confirmed, since),
            warnings=tuple(w.read() for w in step.warn),
            ladder=ladders[step.ladder] if step.ladder else None,
            note=step.note,
            breach=step.breach,
        )


class RungFile(_Strict):
    level: int = Field(ge=1, le=5)
    role: Role
    after_hours: Hours | None = None
    after_days: int | None = Field(None, gt=0, le=366)
    share: float | None = Field(None, gt=0, le=10)

    def read(self) -> Rung:
        after = timedelta(days=self.after_days or 0, hours=self.after_hours or 0)
        return Rung(self.level, self.role, after, self.share)


class LadderFile(_Strict):
    rungs: list[RungFile] = Field(min_length=1)
    repeat_hours: Hours | None = None
    patience_hours: Hours

    def ladder(self, id: str) -> Ladder:
        return Ladder(
            id=id,
            rungs=tuple(r.read() for r in self.rungs),
            repeat=timedelta(hours=self.repeat_hours) if self.repeat_hours else None,
            patience=timedelta(hours=self.patience_hours),
        )


def _suspension(found: SuspensionFile | None) -> Suspension | None:
    return Suspension(tuple(found.reasons), found.notice_required, found.article, found.note) if found else None


def _on_miss(found: OnMissFile | None) -> OnMiss | None:
    return OnMiss(found.right, found.body, found.window_days, dict(found.text)) if found else None


def _groups(found: GroupsFile | None) -> Groups | None:
    return Groups(found.representatives_max, found.major_from, found.article) if found else None
