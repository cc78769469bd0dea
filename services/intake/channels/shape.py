"""What the channels' shapes have in common, and how a report becomes a submission."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from services.intake.domain.complaint import EARLIEST_YEAR, NARRATIVE_LIMIT, Complainant, Representative, Submission
from services.intake.schemas.complaint import AmountIn, Code, ComplainantIn, Free, Text, email_address
from shared.errors import FieldError, Invalid

LATE_LIMIT = timedelta(days=90)  # how long paper may have lain before it is keyed in; older is history
TURNS = 2000  # of a transcript
TICK = timedelta(milliseconds=1)
PHONE_NUMBER = r"^\+?[0-9 ()./-]{3,40}$"

LanguageTag = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", max_length=35, examples=["yue"])]
"""A BCP 47 tag: what was spoken, which may be no language that we write in."""


@dataclass(frozen=True, slots=True)
class Reception:
    """Where and when a report is taken in. `zone` is the bank's; `may_import`: the caller may bring history."""

    zone: ZoneInfo
    now: datetime
    may_import: bool = False

    def start_of(self, day: date) -> datetime:
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)

    def end_of(self, day: date) -> datetime:
        """The last moment of `day`, to the millisecond."""
        return self.start_of(day + timedelta(days=1)) - TICK


class RepresentativeIn(BaseModel):
    """Who acts for the complainant: in which relation, and how the right to act was shown."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text, Field(max_length=200)]
    relation: Annotated[Code, Field(examples=["parent"], description="parent, guardian, solicitor, spouse, ...")]
    authority: Annotated[
        Code, Field(examples=["guardianship"], description="guardianship, power_of_attorney, letter_of_authority, ...")
    ]
    phone: Annotated[str | None, Field(pattern=PHONE_NUMBER)] = None
    email: Annotated[str | None, Field(max_length=254), AfterValidator(lambda v: email_address(v) if v else v)] = None

    def to_domain(self) -> Representative:
        return Representative(self.name, self.relation, self.authority, self.phone, self.email)


class Turn(BaseModel):
    """Somebody's words in a conversation; the customer is whoever called or wrote. `at` a time, or `second` since the
    conversation began."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["customer", "agent", "bot", "system"]
    text: Annotated[Free, Field(max_length=8000)]
    at: AwareDatetime | None = None
    second: Annotated[float | None, Field(ge=0, le=604_800, allow_inf_nan=False)] = None


class Report(BaseModel):
    """What a report of any channel may hold beside the channel's own facts."""

    model_config = ConfigDict(extra="forbid")

    narrative: Annotated[Text | None, Field(max_length=NARRATIVE_LIMIT, description="What the complainant says")] = None
    complainant: ComplainantIn | None = None
    representative: RepresentativeIn | None = None
    branch: Code | None = None
    product: Code | None = None
    amount: AmountIn | None = None
    occurred_at: AwareDatetime | None = None
    transaction_ref: Annotated[
        Text | None, Field(max_length=100, description="The bank's own number of the transaction it is about")
    ] = None
    desired_outcome: Annotated[Text | None, Field(max_length=2000)] = None
    language: Annotated[
        Literal["zh-Hant", "zh-Hans", "en"] | None, Field(description="In which the complainant is written to")
    ] = None
    jurisdiction: Annotated[str | None, Field(pattern=r"^[a-z]{2}(-[a-z0-9]+){0,3}$", max_length=40)] = None
    detail: Annotated[
        dict[Code, Annotated[Free, Field(max_length=2000)]] | None,
        Field(max_length=50, description="Whatever else the channel knows, as flat text"),
    ] = None
    attachments: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]] | None,
        Field(max_length=20, description="Tickets of files uploaded before"),
    ] = None


_COMMON = set(Report.model_fields) - {"transaction_ref"}  # which a submission has no other place for


def submission(
    channel: str,
    report: Report,
    *,
    narrative: str | None = None,
    complainant: Complainant | None = None,
    channel_ref: str | None = None,
    language: str | None = None,
    personal: tuple[str, ...] = (),
) -> Submission:
    """`report` as a submission; the channel's own fields become its facts.

    `narrative`, `complainant` and `language` stand in where the report does not give them. `personal` are values that
    tell who somebody is though they are not the complainant's (a handle, a caller's number). Raises Invalid.
    """
    said = report.narrative or narrative
    if not said or said.isspace():
        raise refused("/narrative", "is missing, and nothing else says what the complaint is", "narrative_missing")
    if report.complainant is not None:
        complainant = report.complainant.to_domain()
    elif complainant is None:
        raise refused("/complainant", "is missing: a name, or anonymous: true", "complainant_missing")
    return Submission(
        channel=channel,
        narrative=said,
        complainant=_represented(complainant, report.representative),
        channel_ref=channel_ref,
        branch=report.branch,
        product=report.product,
        amount=report.amount.value if report.amount else None,
        currency=report.amount.currency if report.amount else None,
        occurred_at=report.occurred_at,
        desired_outcome=report.desired_outcome,
        language=report.language or language,
        jurisdiction=report.jurisdiction,
        detail=report.detail or {},
        facts=_facts(report),
        attachments=tuple(report.attachments or ()),
        personal=personal,
    )


def _facts(report: Report) -> dict[str, Any]:
    return report.model_dump(mode="json", exclude=_COMMON, exclude_none=True)


def _represented(complainant: Complainant | None, representative: RepresentativeIn | None) -> Complainant | None:
    if representative is None:
        return complainant
    if complainant is None:
        raise refused("/representative", "nobody acts for somebody unknown", "anonymous_with_representative")
    return replace(complainant, representative=representative.to_domain())


def told_by_customer(turns: list[Turn] | None) -> str | None:
    """The customer's own words out of a transcript, a turn a line, cut where a narrative must end: the facts keep the
    whole."""
    said = "\n".join(turn.text.strip() for turn in turns or () if turn.role == "customer" and turn.text.strip())
    return said if len(said) <= NARRATIVE_LIMIT else said[: NARRATIVE_LIMIT - 1] + "…"


def received_on(taken: Submission, day: date, reception: Reception, *, field: str) -> Submission:
    """`taken`, received at the start of `day`: paper counts from when it came, not from when it is keyed in.

    What came longer ago than LATE_LIMIT is history. Raises Invalid for a day to come, and for history from a caller who
    may bring none.
    """
    today = reception.now.astimezone(reception.zone).date()
    if day > today:
        raise refused(f"/{field}", "lies in the future", "in_the_future")
    if day.year < EARLIEST_YEAR:
        raise refused(f"/{field}", f"lies before {EARLIEST_YEAR}", "too_long_ago")
    history = today - day > LATE_LIMIT
    if history and not reception.may_import:
        most = f"lies more than {LATE_LIMIT.days} days back; a key with complaints:import may say so"
        raise refused(f"/{field}", most, "too_long_ago")
    return replace(taken, received_at=reception.start_of(day), imported=history)


def written_language(spoken: str | None) -> str | None:
    """The language that we write to somebody who speaks `spoken` (BCP 47); None where the tag does not tell: Mandarin
    alone says nothing about the script."""
    if spoken is None:
        return None
    parts = spoken.lower().split("-")
    if parts[0] == "en":
        return "en"
    if parts[0] not in ("zh", "yue", "cmn", "nan", "hak", "wuu"):
        return None
    if "hans" in parts or "hant" in parts:
        return "zh-Hans" if "hans" in parts else "zh-Hant"
    if {"cn", "sg"} & set(parts):
        return "zh-Hans"
    return "zh-Hant" if {"hk", "tw", "mo"} & set(parts) or parts[0] == "yue" else None


def refused(pointer: str, detail: str, code: str) -> Invalid:
    """What is wrong with one field."""
    return Invalid("Some values cannot be taken; see errors.", errors=(FieldError(pointer, detail, code),))
