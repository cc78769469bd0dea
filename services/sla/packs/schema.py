"""What a pack's file may hold."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.sla.domain.counting import Limit, Unit
from services.sla.domain.policy import (
    Applies,
    Authority,
    Extension,
    Groups,
    Ladder,
    OnMiss,
    Pack,
    Restart,
    Rule,
    Rung,
    StartEvent,
    Suspension,
    WarnRule,
)
from shared.events import ClockKind, StepName

LANGUAGES = frozenset(("zh-Hant", "zh-Hans", "en"))
_HOURS: dict[Unit, int] = {"hour": 1, "working_hour": 3, "calendar_day": 24, "business_day": 34, "week": 168}
"""About how many hours a unit is, to tell which of two limits is the longer one."""
_ORDER: tuple[StepName, ...] = (
    "first_contact", "acknowledge", "resolve", "interim", "provisional_credit", "internal_escalation", "final",
)  # fmt: skip


class _Strict(BaseModel):
    """No unknown keys, no silent conversion: a slip of the pen is an error and not a default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Words = Annotated[str, Field(min_length=1, max_length=600)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*([-_][a-z0-9]+){0,4}$", max_length=40)]


class _Warn(_Strict):
    share: float | None = Field(None, gt=0, lt=1)
    lead_hours: int | None = Field(None, gt=0, le=24 * 366)

    @model_validator(mode="after")
    def _says_something(self) -> "_Warn":
        if self.share is None and self.lead_hours is None:
            raise ValueError("a warning needs a share of the time, a lead in hours, or both")
        return self

    def rule(self) -> WarnRule:
        return WarnRule(self.share, timedelta(hours=self.lead_hours) if self.lead_hours else None)


class _Limit(_Strict):
    limit: int = Field(gt=0, le=3660)
    unit: Unit
    count_from: Literal["same_day", "next_day"] | None = None

    @model_validator(mode="after")
    def _counts(self) -> "_Limit":
        hours = self.unit in ("hour", "working_hour")
        if hours and self.count_from is not None:
            raise ValueError("hours run from the moment itself: leave count_from out")
        if not hours and self.count_from is None:
            raise ValueError("count_from must say which day is day 1: same_day or next_day")
        return self

    @property
    def hours(self) -> int:
        return self.limit * _HOURS[self.unit]

    def counted(self) -> Limit:
        return Limit(self.limit, self.unit, self.count_from or "moment")


class _Step(_Limit):
    name: StepName
    source: Words
    article: Words
    effective_from: date
    confirmed: bool
    note: str = Field("", max_length=600)
    warn: list[_Warn] = []
    ladder: str | None = None
    breach: bool = True

    @model_validator(mode="after")
    def _warns_within(self) -> "_Step":
        for warn in self.warn:
            if warn.lead_hours is not None and warn.lead_hours >= self.hours:
                raise ValueError("the warning's lead is as long as the limit itself")
        if not self.breach and self.ladder is not None:
            raise ValueError("where nothing is broken nobody is escalated to: leave ladder out")
        return self

    def rule(self, ladders: Mapping[str, Ladder]) -> Rule:
        return Rule(
            step=self.name,
            limit=self.counted(),
            authority=Authority(self.source, self.article, self.confirmed, self.effective_from),
            warnings=tuple(w.rule() for w in self.warn),
            ladder=ladders[self.ladder] if self.ladder else None,
            note=self.note,
            breach=self.breach,
        )


class _Extension(_Limit):
    step: StepName
    approver_role: Literal["officer", "supervisor", "manager"]
    notice_required: bool
    article: Words

    def extension(self) -> Extension:
        return Extension(self.step, self.counted(), self.approver_role, self.notice_required, self.article)


class _Suspension(_Strict):
    reasons: list[Code] = Field(min_length=1)
    notice_required: bool
    article: Words


class _Restart(_Strict):
    article: Words


class _OnMiss(_Strict):
    right: Code
    body: Words
    window_days: int | None = Field(None, gt=0, le=3660)
    text: dict[str, Words]

    @model_validator(mode="after")
    def _in_every_language(self) -> "_OnMiss":
        if missing := LANGUAGES - self.text.keys():
            raise ValueError(f"text lacks {', '.join(sorted(missing))}")
        return self


class _Groups(_Strict):
    representatives: int | None = Field(None, gt=0)
    major_from: int | None = Field(None, gt=0)
    article: Words


class _Applies(_Strict):
    jurisdictions: list[Code] = []
    products: list[Code] = []
    channels: list[Code] = []
    types: list[Code] = []
    severities: list[Literal["low", "normal", "high", "critical"]] = []
    referred_by: list[Code] = []

    def applies(self) -> Applies:
        return Applies(**{name: tuple(getattr(self, name)) for name in type(self).model_fields})


class PackData(_Strict):
    """One file."""

    id: Code
    version: str = Field(pattern=r"^[0-9A-Za-z.-]{1,40}$")
    kind: ClockKind = "regulatory"
    title: dict[str, Words]
    applies: _Applies = _Applies()
    replaces: list[Code] = []
    calendar: str
    start_event: StartEvent
    effective_from: date
    effective_to: date | None = None
    steps: list[_Step] = Field(min_length=1)
    extensions: list[_Extension] = []
    suspension: _Suspension | None = None
    restart: _Restart | None = None
    on_miss: _OnMiss | None = None
    groups: _Groups | None = None

    @model_validator(mode="after")
    def _hangs_together(self) -> "PackData":
        if missing := LANGUAGES - self.title.keys():
            raise ValueError(f"title lacks {', '.join(sorted(missing))}")
        if self.effective_to is not None and self.effective_to < self.effective_from:
            raise ValueError("effective_to lies before effective_from")
        if self.kind == "regulatory" and not (self.applies.jurisdictions or self.applies.referred_by):
            raise ValueError("applies must name jurisdictions, or the regulator that refers complaints")
        names = [s.name for s in self.steps]
        if twice := {n for n in names if names.count(n) > 1}:
            raise ValueError(f"more than one step is named {', '.join(sorted(twice))}")
        if names != sorted(names, key=_ORDER.index):
            raise ValueError(f"steps come in the order {', '.join(_ORDER)}")
        for earlier, later in zip(self.steps, self.steps[1:], strict=False):
            if later.hours < earlier.hours:
                raise ValueError(f"{later.name} would be due before {earlier.name}")
        for step in self.steps:
            if step.effective_from > self.effective_from:
                raise ValueError(f"{step.name} takes effect after this version does: it belongs into a later version")
        self._check_extensions({s.name: s for s in self.steps})
        return self

    def _check_extensions(self, steps: Mapping[str, _Step]) -> None:
        longest: dict[str, int] = {}
        for one in self.extensions:
            if one.step not in steps:
                raise ValueError(f"an extension is of '{one.step}', which is no step of this pack")
            if one.hours <= longest.get(one.step, steps[one.step].hours):
                raise ValueError(f"extensions of '{one.step}' grow: each reaches further than the one before")
            longest[one.step] = one.hours

    def pack(self, ladders: Mapping[str, Ladder]) -> Pack:
        sus, miss, groups = self.suspension, self.on_miss, self.groups
        return Pack(
            id=self.id,
            version=self.version,
            kind=self.kind,
            titles=dict(self.title),
            applies=self.applies.applies(),
            replaces=tuple(self.replaces),
            calendar=self.calendar,
            start_event=self.start_event,
            effective_from=self.effective_from,
            effective_to=self.effective_to,
            rules=tuple(s.rule(ladders) for s in self.steps),
            extensions=tuple(e.extension() for e in self.extensions),
            suspension=Suspension(tuple(sus.reasons), sus.notice_required, sus.article) if sus else None,
            restart=Restart(self.restart.article) if self.restart else None,
            on_miss=OnMiss(miss.right, miss.body, miss.window_days, dict(miss.text)) if miss else None,
            groups=Groups(groups.representatives, groups.major_from, groups.article) if groups else None,
        )


class _Rung(_Strict):
    level: int = Field(ge=1, le=9)
    role: Literal["supervisor", "branch_manager", "complaint_office", "internal_audit", "senior_management"]
    after_hours: float | None = Field(None, ge=0, strict=False)
    after_share: float | None = Field(None, gt=0, le=5)

    @model_validator(mode="after")
    def _says_when(self) -> "_Rung":
        if (self.after_hours is None) == (self.after_share is None):
            raise ValueError("a rung says either after_hours or after_share")
        return self

    def rung(self) -> Rung:
        return Rung(self.level, self.role, timedelta(hours=self.after_hours or 0), self.after_share)


class LadderData(_Strict):
    """One ladder of escalation."""

    id: Code
    repeat_hours: float | None = Field(None, gt=0, strict=False)
    patience_hours: float = Field(gt=0, strict=False)
    rungs: list[_Rung] = Field(min_length=1)

    @model_validator(mode="after")
    def _climbs(self) -> "LadderData":
        if self.rungs[0].after_hours != 0:
            raise ValueError("the first rung is told at once: after_hours = 0")
        levels = [r.level for r in self.rungs]
        if levels != sorted(set(levels)):
            raise ValueError("levels rise from rung to rung")
        hours = [r.after_hours for r in self.rungs if r.after_hours is not None]
        if hours != sorted(hours):
            raise ValueError("after_hours rise from rung to rung")
        return self

    def ladder(self) -> Ladder:
        repeat = timedelta(hours=self.repeat_hours) if self.repeat_hours else None
        return Ladder(self.id, tuple(r.rung() for r in self.rungs), repeat, timedelta(hours=self.patience_hours))
