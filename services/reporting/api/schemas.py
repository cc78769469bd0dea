"""What the figures are answered with, as JSON."""

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.reporting.figures.catalogue import Figure

Basis = Literal["received", "acknowledged", "responded", "resolved", "closed", "reopened", "disputed"]
By = Literal[
    "day",
    "month",
    "quarter",
    "year",
    "channel",
    "category",
    "product",
    "department",
    "branch",
    "severity",
    "language",
    "jurisdiction",
    "outcome",
    "root_cause",
    "state",
    "vulnerable",
    "repeat",
]
Duration = Literal["acknowledge", "respond", "close"]


class Asked(BaseModel):
    """`from` and `to` as they were asked for; what was chosen beside them."""

    model_config = ConfigDict(populate_by_name=True)

    since: date | None = Field(None, alias="from")
    until: date | None = Field(None, alias="to")
    where: dict[str, str] = Field(default_factory=dict, examples=[{"department": "cards"}])
    definition: str


class Definition(BaseModel):
    """One figure: what it is called, how it is made, of which events, and which day counts."""

    key: str
    name: str
    formula: str
    counts_on: str
    events: list[str] = Field(examples=[["com.redress.complaint.received.v1"]])

    @classmethod
    def of(cls, figure: Figure) -> "Definition":
        events = [event.type for event in figure.events]
        return cls(key=figure.key, name=figure.name, formula=figure.formula, counts_on=figure.counts_on, events=events)


class Definitions(BaseModel):
    items: list[Definition]


class Total(Asked):
    """The headline figures; `on` is the day that `today` counts, in the bank's zone."""

    total: int
    today: int
    open: int
    missed: int
    on: date


class Item(BaseModel):
    key: str = Field(
        description="A code, or a period: 2025-03-04, 2025-03, 2025-Q1, 2025", examples=["phone", "2025-03"]
    )
    count: int


class Volumes(Asked):
    """Complaints by one dimension: by time in order, else the largest first."""

    of: Basis
    by: By
    total: int
    items: list[Item]


class StepResults(BaseModel):
    """`step` is the code by which was asked: a step, a department, or `<rule>/<step>`."""

    step: str = Field(examples=["acknowledge"])
    in_time: int = 0
    late: int = 0
    missed: int = 0
    lapsed: int = 0
    due_soon: int = 0
    running: int = 0
    kept: float | None = Field(None, description="Share in time among in time, late and missed")


class Deadlines(Asked):
    by: Literal["step", "rule", "department"]
    items: list[StepResults]


class Period(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    key: str = Field(examples=["2025-Q1"])
    since: date = Field(alias="from")
    until: date = Field(alias="to")
    count: int


class Comparison(Asked):
    """The present period beside the one before and the same of last year, over as many days. A change of 0.25 is a
    quarter more; null where there was nothing to compare with."""

    of: Basis
    by: Literal["month", "quarter", "year"]
    present: Period
    before: Period
    year_before: Period
    change: float | None
    change_on_year: float | None


class Band(BaseModel):
    """Complaints that have been waiting for at most `days`, and longer than the band before; null: longer still."""

    days: int | None
    count: int


class Backlog(Asked):
    on: date
    total: int
    oldest: int | None = Field(description="In days; null when nothing is open")
    bands: list[Band]
    months: list[Item] = Field(description="Open at the end of each month, as known now")


class Durations(Asked):
    """Times in minutes."""

    of: Duration
    count: int
    median: int | None
    p90: int | None
    p95: int | None
    within_3_days: float | None
    within_8_weeks: float | None


class Cause(BaseModel):
    key: str
    count: int
    share: float
    together: float


class Causes(Asked):
    items: list[Cause]


class PaidItem(BaseModel):
    key: str = Field(description="A code; empty for all together")
    currency: str
    amount: Decimal


class Redress(Asked):
    items: list[PaidItem]


class Rating(BaseModel):
    """`counts` are those of the answers 1 to 5."""

    aspect: str
    count: int
    mean: float | None
    satisfied: float | None = Field(description="Share of 4 and 5")
    counts: list[int]


class Satisfaction(Asked):
    items: list[Rating]


class ShareItem(BaseModel):
    key: str
    count: int
    of: int
    share: float | None


class Shares(Asked):
    items: list[ShareItem]


class GroupItem(BaseModel):
    """`median` in minutes; `kept` the share of deadlines in time."""

    key: Literal["yes", "no"]
    outcomes: dict[str, int]
    closed: int
    median: int | None
    kept: float | None


class Fairness(Asked):
    items: list[GroupItem]


class RateItem(BaseModel):
    """`rate` is per thousand of `base`; both null where no base has been entered."""

    key: str = Field(description="A code; empty for all together")
    count: int
    base: int | None
    rate: float | None


class Rates(Asked):
    of: Basis
    per: Literal["customers", "accounts", "branches"]
    items: list[RateItem]


class LoadItem(BaseModel):
    department: str
    open: int
    unassigned: int
    officers: int
    median: float | None
    most: int | None


class Loads(BaseModel):
    items: list[LoadItem]
    definition: str


class Counted(BaseModel):
    """A complaint that a figure counts. Times in minutes; `overall` is the complainant's rating."""

    id: str
    reference: str | None
    received_on: date
    closed_on: date | None
    status: str
    channel: str
    category: str
    product: str
    department: str
    branch: str
    severity: str
    outcome: str
    root_cause: str
    to_acknowledge: int | None
    to_respond: int | None
    to_close: int | None
    redress: Decimal | None
    currency: str | None
    overall: int | None


class CountedPage(BaseModel):
    """`next` is the cursor of the next page, null on the last."""

    items: list[Counted]
    next: str | None
