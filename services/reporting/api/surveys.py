"""Routes of surveys: those who define them, those who write answers down, those who answer, and those who read."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.reporting.api import limits
from services.reporting.api.common import (
    READERS,
    Code,
    Cursor,
    Day,
    Id,
    IfMatch,
    Keeper,
    Limit,
    Line,
    Reader,
    Title,
    Today,
    Words,
    version_of,
)
from services.reporting.domain.questionnaire import Answer, Question, Survey
from services.reporting.store import surveys as store
from services.reporting.store.surveys import SurveyRow
from services.reporting.usecases import surveys as usecases
from services.reporting.usecases.surveys import (
    AnswerInvalid,
    ResultsNotYet,
    SurveyAnswered,
    SurveyChanged,
    SurveyInvalid,
    SurveyNotFound,
    SurveyNotOpen,
    SurveyOver,
)
from shared.errors import TooManyRequests
from shared.security.principal import Principal, Role
from shared.web.access import allow, public
from shared.web.app import ClockDep, Reading, Tx
from shared.web.problems import documented
from shared.web.router import Router

router = Router(prefix="/v1/surveys", tags=["surveys"])
forms = Router(prefix="/v1/survey-forms", tags=["survey-forms"], dependencies=[Depends(public())])
Writer = Annotated[Principal, Depends(allow(Role.AGENT, Role.OFFICER))]
Asker = Annotated[Principal, Depends(allow(Role.AGENT, *READERS))]  # agents must see what to ask
KindName = Literal["customer_periodic", "customer_after_closure", "staff"]
Language = Annotated[str, Field(max_length=10, pattern=r"^[A-Za-z-]+$", examples=["zh-Hant"])]
Aspect = Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9_]*$", examples=["overall"])]
Token = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$", description="From the link of the survey")]
Rating = Annotated[int, Field(ge=1, le=5)]


class QuestionIn(BaseModel):
    """What is asked, by language: to be rated from 1 to 5 as `aspect`, or, without one, to be answered in words."""

    model_config = ConfigDict(extra="forbid")

    aspect: Aspect | None = None
    text: Annotated[dict[Language, Annotated[Line, Field(max_length=500)]], Field(min_length=1, max_length=10)]


class SurveyIn(BaseModel):
    """A survey that is open on `opens_on`, on `closes_on`, and between. `invited`: how many were asked, where known."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "customer_periodic",
                    "title": "Customers, spring 2026",
                    "languages": ["en"],
                    "questions": [
                        {"aspect": "overall", "text": {"en": "How satisfied are you with us?"}},
                        {"text": {"en": "What should we do better?"}},
                    ],
                    "opens_on": "2026-03-01",
                    "closes_on": "2026-03-31",
                    "invited": 2000,
                }
            ]
        },
    )

    kind: KindName
    title: Title
    languages: Annotated[list[Language], Field(min_length=1, max_length=10)]
    questions: Annotated[list[QuestionIn], Field(min_length=1, max_length=30)]
    opens_on: Day
    closes_on: Day
    invited: Annotated[int, Field(ge=1, le=100_000_000)] | None = None

    def survey(self) -> Survey:
        return Survey(
            kind=self.kind,
            title=self.title,
            languages=tuple(self.languages),
            questions=tuple(Question(q.aspect, q.text) for q in self.questions),
            opens_on=self.opens_on,
            closes_on=self.closes_on,
            invited=self.invited,
        )


class QuestionOut(BaseModel):
    aspect: str | None
    text: dict[str, str]


class FormOut(BaseModel):
    """What whoever answers must see. `open`: whether answers are taken today."""

    title: str
    languages: list[str]
    questions: list[QuestionOut]
    staff: bool
    open: bool


class SurveyOut(BaseModel):
    """A survey. `version` is its ETag."""

    id: str
    kind: KindName
    title: str
    languages: list[str]
    questions: list[QuestionOut]
    opens_on: date
    closes_on: date
    invited: int | None
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime


class SurveyPage(BaseModel):
    items: list[SurveyOut]
    next: str | None = Field(description="The cursor of the next page; null on the last")


class LinkOut(BaseModel):
    """`path` of the survey's form within this service; whoever has it may answer."""

    token: str
    path: str


class AnswerIn(BaseModel):
    """One person's answer: ratings by aspect, and words, out of which what looks like personal data is taken. Of staff
    the branch is not asked."""

    model_config = ConfigDict(extra="forbid")

    ratings: Annotated[dict[Aspect, Rating], Field(max_length=30)] = {}
    words: Words | None = None
    department: Code | None = None
    branch: Code | None = None
    language: Language | None = None


class EnteredIn(AnswerIn):
    """An answer that staff write down."""

    channel: Literal["phone", "interview", "paper", "form"]


class SubmittedIn(AnswerIn):
    """An answer by the form. `submission` is any UUID: what is sent twice under one is kept once."""

    submission: Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")] | None = None


class ReceivedOut(BaseModel):
    received: Literal[True] = True


class ShareOut(BaseModel):
    """A share with its 95% interval."""

    share: float
    low: float
    high: float


class MeanOut(BaseModel):
    """A mean rating with its 95% interval."""

    value: float
    low: float
    high: float


class AspectOut(BaseModel):
    """What is thought of one aspect. `satisfied`: the share of ratings of 4 or 5."""

    answers: int
    mean: MeanOut
    satisfied: ShareOut


class GroupOut(BaseModel):
    """One group. Where it is hidden everything is null."""

    code: str
    answers: int | None
    aspects: dict[str, AspectOut | None]


class ProblemTermOut(BaseModel):
    """A term and in how many answers it stands, in lower case and Simplified Chinese."""

    term: str
    answers: int


class ResultsOut(BaseModel):
    """What the answers say. Nothing is told of fewer than `minimum` answers: neither of an aspect nor of a group, nor
    of further groups from which it could be computed. `response_rate` is null where it is not known how many were
    asked, and where more have answered."""

    survey_id: str
    kind: KindName
    answers: int
    invited: int | None
    minimum: int
    channels: dict[str, int] | None
    response_rate: ShareOut | None
    aspects: dict[str, AspectOut | None]
    problems: list[ProblemTermOut]
    groups: list[GroupOut] | None


@router.get("", response_model=SurveyPage, responses=documented())
async def listed(
    session: Reading,
    today: Today,
    _: Asker,
    kind: KindName | None = None,
    open: Annotated[bool, Query(description="Those alone that take answers today")] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """Surveys, newest first."""
    rows = await store.surveys(session, kind=kind, open_on=today if open else None, after=cursor, limit=limit + 1)
    more = rows[limit - 1].id if len(rows) > limit else None
    return {"items": [usecases.view(row) for row in rows[:limit]], "next": more}


@router.post("", response_model=SurveyOut, status_code=201, responses=documented(SurveyInvalid))
async def create(
    body: SurveyIn, request: Request, response: Response, tx: Tx, clock: ClockDep, principal: Keeper
) -> dict[str, Any]:
    """Define a survey."""
    languages = request.app.state.settings.languages
    row = await usecases.create(tx, body.survey(), languages, actor=principal.id, now=clock())
    return _answer(row, response)


@router.get("/{survey_id}", response_model=SurveyOut, responses=documented(SurveyNotFound))
async def one(survey_id: Id, session: Reading, response: Response, _: Asker) -> dict[str, Any]:
    """A survey. Its `ETag` goes into `If-Match` of a change."""
    return _answer(await usecases.find(session, survey_id), response)


@router.put(
    "/{survey_id}",
    response_model=SurveyOut,
    responses=documented(SurveyNotFound, SurveyInvalid, SurveyChanged, SurveyAnswered, SurveyOver),
)
async def change(
    survey_id: Id,
    body: SurveyIn,
    request: Request,
    response: Response,
    tx: Tx,
    today: Today,
    clock: ClockDep,
    principal: Keeper,
    if_match: IfMatch = None,
) -> dict[str, Any]:
    """Put this in the place of a survey. Once somebody has answered, only its title, its end and how many were invited
    may be another."""
    row = await usecases.change(
        tx,
        survey_id,
        body.survey(),
        request.app.state.settings.languages,
        today,
        version=version_of(if_match),
        actor=principal.id,
        now=clock(),
    )
    return _answer(row, response)


@router.get("/{survey_id}/link", response_model=LinkOut, responses=documented(SurveyNotFound))
async def link(survey_id: Id, session: Reading, _: Keeper) -> dict[str, Any]:
    """The link to the form, to be sent to those who are asked."""
    return _link(await usecases.find(session, survey_id))


@router.post("/{survey_id}/link", response_model=LinkOut, responses=documented(SurveyNotFound, SurveyChanged))
async def renew_link(
    survey_id: Id, tx: Tx, clock: ClockDep, principal: Keeper, if_match: IfMatch = None
) -> dict[str, Any]:
    """Make another link; the one before leads nowhere any more."""
    version = version_of(if_match)
    return _link(await usecases.renew_link(tx, survey_id, version=version, actor=principal.id, now=clock()))


@router.post(
    "/{survey_id}/responses",
    response_model=ReceivedOut,
    status_code=201,
    responses=documented(SurveyNotFound, SurveyNotOpen, AnswerInvalid),
)
async def enter(
    survey_id: Id, body: EnteredIn, tx: Tx, today: Today, clock: ClockDep, principal: Writer
) -> dict[str, Any]:
    """Write down what somebody answered on the phone, in an interview or on paper."""
    await usecases.enter(tx, survey_id, Answer(**body.model_dump()), today, actor=principal.id, now=clock())
    return {"received": True}


@router.get(
    "/{survey_id}/results",
    response_model=ResultsOut,
    responses=documented(SurveyNotFound, ResultsNotYet, SurveyInvalid),
)
async def results(
    survey_id: Id,
    session: Reading,
    today: Today,
    _: Reader,
    by: Annotated[Literal["department", "branch"] | None, Query(description="Also by group")] = None,
) -> dict[str, Any]:
    """What the answers say. Of staff, once the survey is over."""
    return await usecases.results(session, survey_id, today, by)


@forms.get("/{token}", response_model=FormOut, responses=documented(SurveyNotFound))
async def form(token: Token, session: Reading, today: Today) -> dict[str, Any]:
    """What a survey asks, for whoever has its link."""
    row = await usecases.find_form(session, token)
    survey = store.survey_of(row)
    return usecases.form(row) | {"staff": survey.kind == "staff", "open": survey.is_open(today)}


@forms.post(
    "/{token}/responses",
    response_model=ReceivedOut,
    status_code=201,
    responses=documented(SurveyNotFound, SurveyNotOpen, AnswerInvalid, TooManyRequests),
)
async def submit(
    token: Token, body: SubmittedIn, request: Request, tx: Tx, today: Today, clock: ClockDep
) -> dict[str, Any]:
    """Answer a survey, without saying who one is."""
    limits.spend(request, token)
    answer = Answer(**body.model_dump(exclude={"submission"}))
    await usecases.submit(tx, token, answer, today, submission=body.submission, now=clock())
    return {"received": True}


def _answer(row: SurveyRow, response: Response) -> dict[str, Any]:
    response.headers["ETag"] = f'"{row.version}"'
    return usecases.view(row)


def _link(row: SurveyRow) -> dict[str, Any]:
    return {"token": row.token, "path": f"/surveys/{row.token}"}
