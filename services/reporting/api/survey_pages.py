"""Pages of surveys: those there are, what the answers say, the form to write answers down, and the public form.

`/surveys/{token}` is for whoever has the link; all that staff use has a further part (`/results`, `/answers`), so that
neither stands in the other's way.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from services.reporting.api import forms, limits, views
from services.reporting.api.common import READERS, Id, Today
from services.reporting.api.forms import NOTHING, Filled
from services.reporting.api.improvement import picture
from services.reporting.api.surveys import EnteredIn, SubmittedIn, SurveyIn, Token
from services.reporting.domain.questionnaire import Answer, Survey
from services.reporting.domain.selection import Selection
from services.reporting.domain.suppression import THRESHOLD
from services.reporting.figures import reading
from services.reporting.store import surveys as store
from services.reporting.store.surveys import SurveyRow
from services.reporting.usecases import surveys as usecases
from services.reporting.usecases.surveys import SurveyNotOpen
from services.reporting.views import answers
from shared import i18n
from shared.errors import Invalid, NotFound
from shared.i18n import mark
from shared.security.principal import Principal, Role
from shared.web import pages
from shared.web.access import allow, public
from shared.web.app import ClockDep, Reading, Tx
from shared.web.router import Router

page_router = Router(include_in_schema=False)
public_pages = Router(include_in_schema=False, dependencies=[Depends(public())])
Staff = Annotated[Principal, Depends(allow(Role.AGENT, *READERS))]
Reader = Annotated[Principal, Depends(allow(*READERS))]
Writer = Annotated[Principal, Depends(allow(Role.AGENT, Role.OFFICER))]
FormKeeper = Annotated[Principal, Depends(allow(Role.MANAGER, Role.ADMIN, own_form=True))]
FormWriter = Annotated[Principal, Depends(allow(Role.AGENT, Role.OFFICER, own_form=True))]
By = Annotated[Literal["", "department", "branch"], Query()]
_SHOWN = 50
KINDS = ("customer_periodic", "customer_after_closure", "staff")
# What is asked: the same each time, so that one survey can be held against the next. Others are defined by the API.
_CUSTOMERS: tuple[tuple[str | None, str], ...] = (
    ("overall", mark("How satisfied are you with us overall?")),
    ("staff", mark("How satisfied are you with our staff?")),
    ("product", mark("How satisfied are you with our products and services?")),
    ("handling", mark("How satisfied are you with how we deal with complaints?")),
    (None, mark("What should we do better?")),
)
_STAFF: tuple[tuple[str | None, str], ...] = (
    ("overall", mark("How satisfied are you with how we deal with complaints here?")),
    ("training", mark("How satisfied are you with the training you get for it?")),
    ("tools", mark("How satisfied are you with the tools you have for it?")),
    ("support", mark("How satisfied are you with the support you get in difficult cases?")),
    (None, mark("What keeps you from helping complainants better?")),
)
QUESTIONS = {"customer_periodic": _CUSTOMERS, "customer_after_closure": _CUSTOMERS, "staff": _STAFF}


class NothingToDraw(NotFound):
    """There is no such chart of a survey."""

    code = "nothing_to_draw"


# --- those there are ---


@page_router.get("/surveys", response_class=HTMLResponse)
async def surveys(request: Request, principal: Staff, session: Reading, today: Today) -> Response:
    """The surveys there are; for managers the form to open one, for agents and officers the way to write answers
    down."""
    return await _surveys(request, principal, session, today, NOTHING)


async def _surveys(
    request: Request, principal: Principal, session: AsyncSession, today: date, filled: Filled
) -> Response:
    t = pages.translator(request)
    rows = await store.surveys(session, kind=None, open_on=None, after=None, limit=_SHOWN)
    counted = await store.answers(session, [row.id for row in rows])
    may_read, may_open = principal.has(*READERS), principal.has(Role.MANAGER, Role.ADMIN)
    day = {"opens_on": today}
    return pages.render(
        request,
        "surveys.html",
        422 if filled.wrong else 200,
        surveys=[_listed(request, row, counted.get(row.id, 0), today, may_open=may_open) for row in rows],
        may_read=may_read,
        may_open=may_open,
        may_write=principal.has(Role.AGENT, Role.OFFICER),
        kinds=[(kind, t.label("survey_kind", kind)) for kind in KINDS],
        questions=[
            (heading, [t.gettext(text) for _, text in asked])
            for heading, asked in ((t.gettext("Of customers"), _CUSTOMERS), (t.gettext("Of staff"), _STAFF))
        ],
        day=day,
        filled=filled,
        names=forms.NAMES,
        kept=forms.kept(request),
        tabs=views.tabs(t, "surveys", Selection()) if may_read else [],
    )


def _listed(request: Request, row: SurveyRow, count: int, today: date, *, may_open: bool) -> dict[str, Any]:
    survey = store.survey_of(row)
    readable = survey.may_be_read(today)
    state = "open" if survey.is_open(today) else ("over" if today > survey.closes_on else "to_come")
    rate = None
    if readable and survey.invited and survey.invited >= count >= THRESHOLD:
        rate = count / survey.invited
    return {
        "id": row.id,
        "title": survey.title,
        "kind": survey.kind,
        "opens_on": survey.opens_on,
        "closes_on": survey.closes_on,
        "state": state,
        "readable": readable,
        "answers": count if readable else None,
        "invited": survey.invited,
        "rate": rate,
        "link": _link(request, row) if may_open else "",
    }


def _link(request: Request, row: SurveyRow) -> str:
    return f"{request.url.scheme}://{request.url.netloc}{pages.root_of(request)}/surveys/{row.token}"


@page_router.post("/surveys", response_class=HTMLResponse)
async def open_survey(request: Request, principal: FormKeeper, tx: Tx, today: Today, clock: ClockDep) -> Response:
    """Open a survey with the standard questions in all of the bank's languages."""
    given = await forms.given(request)
    languages = list(request.app.state.settings.languages)
    try:
        kind = given.get("kind", "")
        values = {name: given.get(name) for name in ("kind", "title", "opens_on", "closes_on", "invited")}
        questions = _questions(request, kind, languages)
        survey = forms.model(SurveyIn, {**values, "languages": languages, "questions": questions}).survey()
        await usecases.create(tx, survey, languages, actor=principal.id, now=clock())
    except Invalid as error:
        filled = forms.failed(pages.translator(request), "survey", given, error)
        return await _surveys(request, principal, tx, today, filled)
    return forms.back(request, "/surveys", "listed")


def _questions(request: Request, kind: str, languages: list[str]) -> list[dict[str, Any]]:
    zone, locale = request.app.state.settings.zone, request.app.state.pages.locale
    spoken = {language: i18n.translator(language, zone, locale) for language in languages if language in i18n.LANGUAGES}
    return [
        {"aspect": aspect, "text": {language: t.gettext(text) for language, t in spoken.items()}}
        for aspect, text in QUESTIONS.get(kind, _CUSTOMERS)
    ]


# --- what the answers say ---


@page_router.get("/surveys/{survey_id}/results", response_class=HTMLResponse)
async def results(survey_id: Id, request: Request, _: Reader, session: Reading, today: Today, by: By = "") -> Response:
    """What the answers to a survey say, with how sure that is; small groups stay hidden."""
    await reading.agree(session)
    row = await usecases.find(session, survey_id)
    t, survey = pages.translator(request), store.survey_of(row)
    found: dict[str, Any] | None = None
    if survey.may_be_read(today):
        found = await usecases.results(session, survey_id, today, _by(survey, by))
    return pages.render(
        request,
        "survey_results.html",
        survey=_listed(request, row, found["answers"] if found else 0, today, may_open=False),
        results=found,
        aspects=None if found is None else answers.by_aspect(t, found),
        problems=None if found is None else answers.problems(t, found),
        groups=None if found is None or found["groups"] is None else answers.by_group(t, found, by),
        by=by,
        groupings=[("", t.gettext("All together")), *((name, t.label("dimension", name)) for name in survey.groups)],
        tabs=views.tabs(t, "surveys", Selection()),
    )


def _by(survey: Survey, by: str) -> str | None:
    return by if by in survey.groups else None


@page_router.get("/surveys/{survey_id}/{name}.svg")
async def results_picture(
    survey_id: Id,
    name: Literal["aspects", "problems", "groups"],
    request: Request,
    _: Reader,
    session: Reading,
    today: Today,
    by: By = "",
) -> Response:
    """A chart of what the answers say. Raises ResultsNotYet."""
    await reading.agree(session)
    row = await usecases.find(session, survey_id)
    found = await usecases.results(session, survey_id, today, _by(store.survey_of(row), by))
    t = pages.translator(request)
    if name == "groups":
        block = answers.by_group(t, found, by) if found["groups"] is not None else None
    else:
        block = answers.by_aspect(t, found) if name == "aspects" else answers.problems(t, found)
    if block is None or block.chart is None:
        raise NothingToDraw
    return await picture(request, t, block.chart)


# --- answers that staff write down ---

CHANNELS = (
    ("phone", mark("On the phone")),
    ("interview", mark("In an interview")),
    ("paper", mark("On paper")),
)


@page_router.get("/surveys/{survey_id}/answers", response_class=HTMLResponse)
async def write(survey_id: Id, request: Request, principal: Writer, session: Reading, today: Today) -> Response:
    """The form to write down what somebody answers."""
    return await _write(request, principal, session, survey_id, today, NOTHING)


async def _write(
    request: Request, principal: Principal, session: AsyncSession, id: str, today: date, filled: Filled
) -> Response:
    row = await usecases.find(session, id)
    t, survey = pages.translator(request), store.survey_of(row)
    return pages.render(
        request,
        "survey_write.html",
        422 if filled.wrong else 200,
        survey=survey,
        id=id,
        open=survey.is_open(today),
        questions=asked(survey, t.language),
        channels=[(code, t.gettext(text)) for code, text in CHANNELS],
        departments=[(code, t.label("department", code)) for code in i18n.codes("department")],
        filled=filled,
        names=forms.NAMES,
        kept=forms.kept(request),
        tabs=views.tabs(t, "surveys", Selection()) if principal.has(*READERS) else [],
    )


@page_router.post("/surveys/{survey_id}/answers", response_class=HTMLResponse)
async def enter(
    survey_id: Id, request: Request, principal: FormWriter, tx: Tx, today: Today, clock: ClockDep
) -> Response:
    """Write an answer down."""
    given = await forms.given(request)
    try:
        body = forms.model(EnteredIn, _answer(given, ("words", "department", "branch", "channel")))
        answer = Answer(**body.model_dump())
        await usecases.enter(tx, survey_id, answer, today, actor=principal.id, now=clock())
    except Invalid as error:
        return await _write(
            request, principal, tx, survey_id, today, forms.failed(pages.translator(request), "answer", given, error)
        )
    return forms.back(request, f"/surveys/{survey_id}/answers")


def _answer(given: Mapping[str, str], names: tuple[str, ...]) -> dict[str, Any]:
    """Ratings stand in fields `rating-<aspect>`."""
    ratings = {key.removeprefix("rating-"): n for key, n in given.items() if key.startswith("rating-")}
    return {"ratings": ratings, **{name: given.get(name) for name in names}}


def asked(survey: Survey, language: str) -> list[dict[str, Any]]:
    """The questions in `language`, or in the survey's first where it is not asked in that."""
    found = language if language in survey.languages else survey.languages[0]
    return [{"aspect": q.aspect, "text": q.text[found], "language": found} for q in survey.questions]


# --- the form for whoever has the link ---


@public_pages.get("/surveys/{token}", response_class=HTMLResponse)
async def form(token: Token, request: Request, session: Reading, today: Today) -> Response:
    """What a survey asks, for whoever has its link."""
    row = await usecases.find_form(session, token)
    return _form(request, row, today, NOTHING)


def _form(
    request: Request, row: SurveyRow, today: date, filled: Filled, refused: str = "", status: int = 422
) -> Response:
    t, survey = pages.translator(request), store.survey_of(row)
    wrong = bool(filled.wrong or refused)
    return pages.render(
        request,
        "survey_form.html",
        status if wrong else 200,
        nav=[],
        signed_in=False,
        bank=request.app.state.settings.bank_name,
        survey=survey,
        staff=survey.kind == "staff",
        open=survey.is_open(today),
        questions=asked(survey, t.language),
        departments=[(code, t.label("department", code)) for code in i18n.codes("department")],
        submission=filled.given.get("submission") or str(uuid4()),
        branch=filled.given.get("branch") or request.query_params.get("branch", "")[:64],
        filled=filled,
        refused=refused,
        names=forms.NAMES,
        kept=False,
    )


@public_pages.post("/surveys/{token}", response_class=HTMLResponse)
async def submit(token: Token, request: Request, tx: Tx, today: Today, clock: ClockDep) -> Response:
    """Answer a survey, without saying who one is. Whoever is signed in by chance is not looked at."""
    limits.spend(request, token)
    given = await forms.given(request)
    row = await usecases.find_form(tx, token)
    t, survey = pages.translator(request), store.survey_of(row)
    language = t.language if t.language in survey.languages else None
    names = ("words", "department", "submission") + (() if survey.kind == "staff" else ("branch",))
    try:
        body = forms.model(SubmittedIn, _answer(given, names) | {"language": language})
        answer = Answer(**body.model_dump(exclude={"submission"}))
        await usecases.submit(tx, token, answer, today, submission=body.submission, now=clock())
    except Invalid as error:
        return _form(request, row, today, forms.failed(t, "answer", given, error))
    except SurveyNotOpen:
        return _form(request, row, today, NOTHING, mark("This survey takes no answers today."), 409)
    return RedirectResponse(f"{pages.root_of(request)}/surveys/{token}/thanks?lang={t.language}", 303)


@public_pages.get("/surveys/{token}/thanks", response_class=HTMLResponse)
async def thanks(token: Token, request: Request, session: Reading) -> Response:
    """What whoever has answered sees."""
    row = await usecases.find_form(session, token)
    survey = store.survey_of(row)
    return pages.render(
        request, "survey_thanks.html", nav=[], signed_in=False, survey=survey, staff=survey.kind == "staff"
    )
