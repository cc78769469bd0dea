"""Reads policy packs and refuses what is not sound, naming the file, the rule and the reason."""

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.sla.domain.policy import (
    Authority,
    Escalation,
    Limit,
    Pack,
    Policies,
    Rule,
    StartEvent,
    Unit,
    WarnRule,
)
from shared.events import StepName

FOLDER = Path(__file__).parent
LANGUAGES = frozenset(("zh-Hant", "zh-Hans", "en"))
_HOURS: dict[Unit, int] = {"hour": 1, "calendar_day": 24, "week": 168}
_ORDER: tuple[StepName, ...] = ("acknowledge", "interim", "final")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong: in which `file`, with which `rule` (a path into the file, empty for all of it), and why."""

    file: str
    rule: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.rule, self.reason) if part)


class PackError(ValueError):
    """The policy packs cannot be used. Every problem found is in `problems` and, a line each, in the text."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class _Strict(BaseModel):
    """No unknown keys, no silent conversion: a slip of the pen is an error and not a default."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Words = Annotated[str, Field(min_length=1, max_length=400)]


class _Warn(_Strict):
    share: float | None = Field(None, gt=0, lt=1)
    lead_hours: int | None = Field(None, gt=0, le=24 * 366)

    @model_validator(mode="after")
    def _says_something(self) -> "_Warn":
        if self.share is None and self.lead_hours is None:
            raise ValueError("a warning needs a share of the time, a lead in hours, or both")
        return self


class _Escalate(_Strict):
    level: Literal[1]
    role: Literal["supervisor", "manager"]


class _Step(_Strict):
    name: StepName
    limit: int = Field(gt=0, le=3660)
    unit: Unit
    count_from: Literal["same_day", "next_day"] | None = None
    source: Words
    article: Words
    effective_from: date
    confirmed: bool
    note: str = Field("", max_length=400)
    warn: _Warn | None = None
    escalate: _Escalate | None = None

    @model_validator(mode="after")
    def _counts(self) -> "_Step":
        if self.unit == "hour" and self.count_from is not None:
            raise ValueError("hours run from the moment itself: leave count_from out")
        if self.unit != "hour" and self.count_from is None:
            raise ValueError("count_from must say which day is day 1: same_day or next_day")
        lead = self.warn.lead_hours if self.warn else None
        if lead is not None and lead >= self.limit * _HOURS[self.unit]:
            raise ValueError("the warning's lead is as long as the limit itself")
        return self

    def rule(self) -> Rule:
        lead = timedelta(hours=self.warn.lead_hours) if self.warn and self.warn.lead_hours else None
        return Rule(
            step=self.name,
            limit=Limit(self.limit, self.unit, self.count_from or "moment"),
            authority=Authority(self.source, self.article, self.confirmed, self.effective_from),
            warn=WarnRule(self.warn.share, lead) if self.warn else None,
            escalation=Escalation(self.escalate.level, self.escalate.role) if self.escalate else None,
            note=self.note,
        )


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except Exception as error:
        raise ValueError("is no IANA time zone") from error
    return name


Code = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z0-9]+){0,3}$", max_length=40)]


class _Pack(_Strict):
    id: Code
    version: str = Field(pattern=r"^[0-9A-Za-z.-]{1,40}$")
    title: dict[str, Words]
    jurisdictions: list[Code] = Field(min_length=1)
    time_zone: Annotated[str, AfterValidator(_zone)]
    start_event: StartEvent
    effective_from: date
    effective_to: date | None = None
    steps: list[_Step] = Field(min_length=1)

    @model_validator(mode="after")
    def _hangs_together(self) -> "_Pack":
        if missing := LANGUAGES - self.title.keys():
            raise ValueError(f"title lacks {', '.join(sorted(missing))}")
        if self.effective_to is not None and self.effective_to < self.effective_from:
            raise ValueError("effective_to lies before effective_from")
        names = [s.name for s in self.steps]
        if twice := {n for n in names if names.count(n) > 1}:
            raise ValueError(f"more than one step is named {', '.join(sorted(twice))}")
        if names != sorted(names, key=_ORDER.index):
            raise ValueError(f"steps come in the order {', '.join(_ORDER)}")
        for earlier, later in zip(self.steps, self.steps[1:], strict=False):
            if later.limit * _HOURS[later.unit] < earlier.limit * _HOURS[earlier.unit]:
                raise ValueError(f"{later.name} would be due before {earlier.name}")
        for step in self.steps:
            if step.effective_from > self.effective_from:
                raise ValueError(f"{step.name} takes effect after this version does: it belongs into a later version")
        return self

    def pack(self) -> Pack:
        return Pack(
            id=self.id,
            version=self.version,
            titles=dict(self.title),
            jurisdictions=tuple(self.jurisdictions),
            zone=ZoneInfo(self.time_zone),
            start_event=self.start_event,
            effective_from=self.effective_from,
            effective_to=self.effective_to,
            rules=tuple(s.rule() for s in self.steps),
        )


def load(default: str, folder: Path = FOLDER) -> Policies:
    """Every pack in `folder`, with `default` as the bank's own. Raises PackError."""
    problems: list[Problem] = []
    found: list[tuple[str, Pack]] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            found.append((path.name, read(path)))
        except PackError as error:
            problems.extend(error.problems)
    problems.extend(_clashes(found))
    packs = tuple(pack for _, pack in found)
    if not problems and default not in {p.id for p in packs}:
        known = ", ".join(sorted({p.id for p in packs})) or "none"
        problems.append(Problem("REDRESS_DEFAULT_PACK", "", f"there is no pack '{default}'; there are: {known}"))
    if problems:
        raise PackError(problems)
    return Policies(packs, default)


def read(path: Path) -> Pack:
    """The pack in one file. Raises PackError."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PackError([Problem(path.name, "", f"is no TOML: {error}")]) from None
    try:
        return _Pack.model_validate(raw).pack()
    except ValidationError as error:
        found = [Problem(path.name, _place(raw, e["loc"]), _reason(e)) for e in error.errors()]
        raise PackError(found) from None


def _place(raw: dict[str, Any], loc: Iterable[int | str]) -> str:
    """`loc` with steps named instead of numbered: `steps.final.limit`."""
    parts = list(loc)
    if len(parts) > 1 and parts[0] == "steps" and isinstance(parts[1], int):
        step = raw["steps"][parts[1]]
        name = step.get("name") if isinstance(step, dict) else None
        parts[1] = name if isinstance(name, str) else f"number {parts[1] + 1}"
    return ".".join(map(str, parts))


def _reason(error: Any) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


def _clashes(found: Sequence[tuple[str, Pack]]) -> Iterator[Problem]:
    """Packs that cannot stand beside one another."""
    for i, (file, pack) in enumerate(found):
        for other_file, other in found[:i]:
            if pack.id != other.id:
                claimed = {pack.id, *pack.jurisdictions} & {other.id, *other.jurisdictions}
                if claimed:
                    both = ", ".join(sorted(claimed))
                    yield Problem(file, "jurisdictions", f"{both} is claimed by {other_file} too")
            elif pack.version == other.version:
                yield Problem(file, "version", f"{pack.version} is the version of {other_file} too")
            elif _overlap(pack, other):
                yield Problem(file, "effective_from", f"is in force on some days together with {other_file}")


def _overlap(one: Pack, other: Pack) -> bool:
    first, second = sorted((one, other), key=lambda p: p.effective_from)
    return first.effective_to is None or first.effective_to >= second.effective_from
