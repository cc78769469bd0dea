"""What SLA's API takes and gives."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from services.sla.domain.clock import StepState
from services.sla.domain.counting import CountFrom, Unit
from services.sla.domain.ledger import EntryKind
from services.sla.domain.policy import StartEvent
from shared.clock import rfc3339
from shared.events import ClockKind, StepName

Moment = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
CODE = r"^[A-Za-z0-9._-]{1,64}$"
JURISDICTION = r"^[a-z]{2}(-[a-z0-9]+){0,3}$"
Item = TypeVar("Item")


def _text(value: object) -> object:
    """Pydantic takes numbers, and digits in quotes, for seconds since 1970; here a time is written out."""
    if not isinstance(value, str) or not _WRITTEN_OUT.match(value):
        raise ValueError("is no RFC 3339 time between 1970 and 2199")
    return value


_WRITTEN_OUT = re.compile(r"(19[7-9]\d|2[01]\d\d)-")
GivenMoment = Annotated[
    AwareDatetime,
    BeforeValidator(_text),
    Field(examples=["2026-02-28T23:59:59+08:00"], json_schema_extra={"pattern": f"^{_WRITTEN_OUT.pattern}"}),
]


class PageOut(BaseModel, Generic[Item]):
    items: list[Item]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class RuleOut(BaseModel):
    """A rule's limit and where it comes from. Where `confirmed` is false, nobody has checked it in the rule's text."""

    limit: int
    unit: Unit
    count_from: CountFrom = Field(description="Which day is day 1; `moment` for hours")
    source: str
    article: str
    confirmed: bool
    effective_from: date


class CountOut(BaseModel):
    """How the limit leads from receipt to deadline. Days are null where hours are counted."""

    received: str = Field(description="Receipt on the clocks of the pack's time zone, RFC 3339")
    first_day: date | None = Field(description="Day 1")
    last_day: date | None = Field(description="The day whose end is the deadline")
    time_zone: str
    explanation: str


class DayOut(BaseModel):
    """One day of the count. `number` is null for a day that is not counted; `why` says the reason."""

    day: date
    number: int | None
    why: str


class DeadlineOut(BaseModel):
    step: StepName
    due_at: Moment = Field(description="The last millisecond that is in time")
    due_local: str = Field(description="The same on the clocks of the pack's time zone, RFC 3339")
    provisional: bool = Field(
        description="Counted with holidays that are not yet published; counted anew once they are"
    )
    rule: RuleOut
    count: CountOut
    warn_at: Moment | None = Field(description="When the first warning is planned")
    warn_ats: list[Moment] = Field(description="When all warnings are planned")
    breach: bool = Field(description="False: when the time is over nothing was broken, another limit applies then")


class EscalationOut(BaseModel):
    """Who was told that the step is late, and whether somebody has taken that on."""

    level: int = Field(description="1: the department's head")
    role: str
    escalated_at: Moment = Field(description="When the first level was told")
    told_at: Moment = Field(description="When this level was told")
    repeats: int = Field(description="How often the top level was told again")
    answered_at: Moment | None
    answered_by: str | None


class StepOut(DeadlineOut):
    """One deadline and what has become of it.

    `missed_at` beside `state` met: the step was taken in time, and heard of only after its miss had been recorded.
    """

    state: StepState
    extended_to: date | None
    act_by: Moment = Field(description="When work must begin at the latest, as long as such complaints usually take")
    warned_at: Moment | None
    met_at: Moment | None = Field(description="When the step was taken")
    missed_at: Moment | None = Field(description="When the miss was recorded")
    historic: bool = Field(description="The deadline had passed before the complaint was imported")
    escalation: EscalationOut | None


class PauseOut(BaseModel):
    since: Moment
    until: Moment | None = Field(description="Null while it lasts")


class OneClockOut(BaseModel):
    """One of a complaint's clocks. `pack_reason` says in plain words why this pack, in this version, applies."""

    clock_id: str
    kind: ClockKind
    primary: bool = Field(description="The regulator's clock whose deadlines the complainant is told")
    version: int = Field(description="Rows of its ledger; for If-Match")
    received_at: Moment = Field(description="When the clock began to count")
    opened_at: Moment = Field(description="When this service began to watch it")
    pack: str
    pack_version: str
    pack_reason: str
    paused: bool
    pauses: list[PauseOut]
    ended_at: Moment | None = Field(description="Another clock has taken its place since")
    steps: list[StepOut]


class ClockOut(OneClockOut):
    """A complaint's primary clock, and the `others` that run beside it."""

    complaint_id: str
    reference: str | None
    imported: bool
    department: str | None
    assignee: str | None
    others: list[OneClockOut]


class EntryOut(BaseModel):
    """A row of a clock's ledger. `calendar`: the edition that counted from here on."""

    seq: int
    kind: EntryKind
    at: Moment
    recorded_at: Moment
    actor: str
    reason: str
    calendar: str
    detail: dict[str, Any]


class LedgerLineOut(BaseModel):
    step: StepName
    due_at: Moment
    provisional: bool
    met_at: Moment | None


class LedgerOut(BaseModel):
    """What a clock's ledger came to, and its rows. `agrees`: replaying all of them gives the deadlines that stand."""

    clock_id: str
    pack: str
    pack_version: str
    kind: ClockKind
    primary: bool
    start: Moment
    paused: bool
    agrees: bool | None = Field(description="Null where a past moment was asked for")
    deadlines: list[LedgerLineOut]
    entries: list[EntryOut]


class LedgersOut(BaseModel):
    complaint_id: str
    as_of: Moment
    clocks: list[LedgerOut]


class OpenStepOut(BaseModel):
    """A step not yet taken. `seconds_left` is negative once it is late; `seconds_to_begin` counts to `act_by`."""

    complaint_id: str
    reference: str | None
    clock_id: str
    pack: str
    kind: ClockKind
    step: StepName
    state: StepState
    due_at: Moment
    seconds_left: float
    act_by: Moment = Field(description="When work must begin at the latest, as long as such complaints usually take")
    seconds_to_begin: float
    level: int = Field(description="How many levels above the officer were told; 0 none")
    told_at: Moment | None
    answered_by: str | None
    department: str | None
    assignee: str | None
    category: str | None
    severity: str | None


class SimulateIn(BaseModel):
    """A complaint described. What is missing is unknown."""

    received_at: GivenMoment
    jurisdiction: Annotated[
        str | None, Field(pattern=JURISDICTION, max_length=40, description="Missing: the bank's default pack")
    ] = None
    product: Annotated[str | None, Field(pattern=CODE)] = None
    channel: Annotated[str | None, Field(pattern=CODE)] = None
    type: Annotated[str | None, Field(pattern=CODE, description="Of the programme's types")] = None
    severity: Literal["low", "normal", "high", "critical"] | None = None
    referred_by: Annotated[str | None, Field(pattern=CODE, description="The regulator that sent it")] = None


class RungOut(BaseModel):
    """A level that is told when the step is late."""

    level: int
    role: str
    at: Moment


class ExtensionOut(BaseModel):
    """How long a step may be extended to, who approves that, and whether the complainant must be written to."""

    step: StepName
    until: date
    approver_role: str
    notice_required: bool
    article: str
    reasons: list[str] = Field(description="The only ones that permit it; empty: any")


class PlannedOut(DeadlineOut):
    note: str = Field(description="What a user of the rule should know of it")
    days: list[DayOut] = Field(description="The count day by day; empty where hours are counted")
    ladder: list[RungOut]


class RightOut(BaseModel):
    """What follows a miss or a rejection: where the complainant may turn, in three languages."""

    right: str
    body: str
    window_days: int | None
    texts: dict[str, str]


class SimulatedClockOut(BaseModel):
    kind: ClockKind
    primary: bool
    pack: str
    pack_version: str
    pack_reason: str
    calendar: str
    deadlines: list[PlannedOut]
    extensions: list[ExtensionOut]
    on_miss: RightOut | None


class SimulationOut(SimulatedClockOut):
    """The primary clock, and the others that would run beside it."""

    others: list[SimulatedClockOut]


class PauseIn(BaseModel):
    reason: Annotated[str, Field(pattern=CODE, description="One of the reasons that the pack permits")]
    at: GivenMoment | None = Field(None, description="Since when; missing: now")


class ResumeIn(BaseModel):
    at: GivenMoment | None = Field(None, description="Since when it runs again; missing: now")


class ExtendIn(BaseModel):
    step: StepName
    until: date = Field(description="The last day that is to be in time")
    reason: Annotated[str, Field(max_length=2000, description="What the complainant is told")] = ""
    code: Annotated[str | None, Field(pattern=CODE, description="Which of the reasons that the rule knows it is")] = (
        None
    )


class RestartIn(BaseModel):
    at: GivenMoment | None = Field(None, description="When the new material came; missing: now")
    reason: Annotated[str, Field(max_length=500)] = ""


class RecordIn(BaseModel):
    step: StepName
    at: GivenMoment | None = Field(None, description="When it was done; missing: now")


class AnswerIn(BaseModel):
    step: StepName
    reason: Annotated[str | None, Field(max_length=500, description="Needed to hand an escalation back")] = None


class PackRuleOut(RuleOut):
    step: StepName
    note: str
    breach: bool
    warnings: list[dict[str, float | None]] = Field(
        description="`share` of the time, or `lead_hours` before the deadline"
    )
    ladder: str | None
    warn_share: float | None = Field(description="Of the first warning")
    warn_lead_hours: float | None = Field(description="Of the first warning")
    escalate_level: int | None = Field(description="Of the ladder's first level")
    escalate_role: str | None


class PackExtensionOut(BaseModel):
    step: StepName
    limit: int
    unit: Unit
    approver_role: str
    notice_required: bool
    article: str
    reasons: list[str]


class PackOut(BaseModel):
    id: str
    version: str
    kind: ClockKind
    default: bool = Field(description="The pack for complaints of unknown or no jurisdiction")
    titles: dict[str, str]
    jurisdictions: list[str]
    products: list[str]
    channels: list[str]
    types: list[str]
    severities: list[str]
    referred_by: list[str]
    replaces: list[str]
    calendar: str
    time_zone: str
    start_event: StartEvent
    effective_from: date
    effective_to: date | None
    confirmed: bool = Field(description="Whether every rule of it is confirmed")
    rules: list[PackRuleOut]
    extensions: list[PackExtensionOut]
    pauses: list[str] = Field(description="Reasons for which its clock may stand still")
    restarts_on_new_facts: bool
    on_miss: RightOut | None


class PacksOut(BaseModel):
    items: list[PackOut]


class CalendarOut(BaseModel):
    id: str
    version: str
    time_zone: str
    confirmed_to: date = Field(description="Holidays beyond are not yet published; deadlines there are provisional")
    weekend: list[int] = Field(description="Monday is 0")
    hours: list[list[str]] = Field(description="Working hours of each day of the week, Monday first")


class CalendarsOut(BaseModel):
    items: list[CalendarOut]


class FeedIn(BaseModel):
    department: Annotated[str, Field(pattern=CODE)]


class FeedOut(BaseModel):
    """`path` holds the secret; it is shown this once."""

    id: str
    department: str
    path: str
