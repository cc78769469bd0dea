"""Surveys: defined, answered, and read."""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain.questionnaire import Answer, Survey, answer_flaws, flaws, locked
from services.reporting.domain.survey import Answer as Sheet
from services.reporting.domain.survey import Share, Standing, evaluate
from services.reporting.domain.theme import terms
from services.reporting.store import surveys as store
from services.reporting.store.surveys import SurveyRow
from shared import audit
from shared.clock import rfc3339
from shared.errors import Conflict, FieldError, Invalid, NotFound, PreconditionFailed
from shared.ids import uuid7
from shared.redaction import redact


class SurveyNotFound(NotFound):
    """No survey has this id, or this link."""

    code = "survey_not_found"


class SurveyInvalid(Invalid):
    """This survey cannot be kept as it is."""

    code = "survey_invalid"


class SurveyChanged(PreconditionFailed):
    """The survey has changed since it was read."""

    code = "survey_changed"


class SurveyAnswered(Conflict):
    """Somebody has answered: the kind, the languages, the questions and the opening stay as they were."""

    code = "survey_answered"


class SurveyOver(Conflict):
    """The survey of staff is over: it is not opened again, since its results may have been read."""

    code = "survey_over"


class SurveyNotOpen(Conflict):
    """The survey takes no answers today."""

    code = "survey_not_open"


class ResultsNotYet(Conflict):
    """The results of a survey of staff are shown once it is over."""

    code = "results_not_yet"


class AnswerInvalid(Invalid):
    """This is no answer to the survey."""

    code = "answer_invalid"


async def find(session: AsyncSession, id: str) -> SurveyRow:
    """Raises SurveyNotFound."""
    if (row := await store.survey(session, id)) is None:
        raise SurveyNotFound
    return row


async def find_form(session: AsyncSession, token: str) -> SurveyRow:
    """The survey that a link leads to. Raises SurveyNotFound."""
    if (row := await store.survey_of_token(session, token)) is None:
        raise SurveyNotFound
    return row


async def create(tx: AsyncSession, survey: Survey, languages: Sequence[str], *, actor: str, now: datetime) -> SurveyRow:
    """Define a survey; `languages` are the bank's. Raises SurveyInvalid."""
    survey = _checked(survey, languages)
    row = SurveyRow(id=uuid7(), token=_token(), created_at=now, updated_at=now)  # type: ignore[call-arg]
    store.write_survey(row, survey)
    tx.add(row)
    audit.add(tx, actor, "survey.created", row.id, now=now, detail=_detail(row))
    return row


async def change(
    tx: AsyncSession,
    id: str,
    survey: Survey,
    languages: Sequence[str],
    today: date,
    *,
    version: int | None,
    actor: str,
    now: datetime,
) -> SurveyRow:
    """Put `survey` in the place of the one there is; the same again changes nothing. Raises SurveyNotFound,
    SurveyChanged, SurveyInvalid, SurveyAnswered, SurveyOver."""
    row = await _held(tx, id, version)
    survey = _checked(survey, languages)
    before = store.survey_of(row)
    if before == survey:
        return row
    if await store.answered(tx, id):
        if locked(before, survey):
            raise SurveyAnswered
        if before.kind == "staff" and today > before.closes_on and survey.closes_on != before.closes_on:
            raise SurveyOver
    store.write_survey(row, survey)
    _touch(row, now)
    audit.add(tx, actor, "survey.changed", id, now=now, detail=_detail(row))
    return row


async def renew_link(tx: AsyncSession, id: str, *, version: int | None, actor: str, now: datetime) -> SurveyRow:
    """Another link, as when the one before went to the wrong people; that one leads nowhere any more. Raises
    SurveyNotFound, SurveyChanged."""
    row = await _held(tx, id, version)
    row.token = _token()
    _touch(row, now)
    audit.add(tx, actor, "survey.link_renewed", id, now=now, detail={"version": row.version})
    return row


async def enter(tx: AsyncSession, id: str, answer: Answer, today: date, *, actor: str, now: datetime) -> None:
    """Keep what somebody answered on the phone, in an interview or on paper, as `actor` writes it down. Raises
    SurveyNotFound, SurveyNotOpen, AnswerInvalid."""
    row = await store.survey(tx, id, share=True)
    if row is None:
        raise SurveyNotFound
    await _keep(tx, row, answer, today, secrets.token_hex(16))
    audit.add(tx, actor, "survey.answer_entered", id, now=now, detail={"channel": answer.channel})


async def submit(
    tx: AsyncSession, token: str, answer: Answer, today: date, *, submission: str | None, now: datetime
) -> None:
    """Keep what somebody has sent by the form, who stays unknown. `submission` names it, so that what is sent twice is
    kept once. Raises SurveyNotFound, SurveyNotOpen, AnswerInvalid.

    The audit trail tells that a customer has answered; of staff it tells nothing, as each entry has its time.
    """
    found = await store.survey_of_token(tx, token)
    row = None if found is None else await store.survey(tx, found.id, share=True)
    if row is None:
        raise SurveyNotFound
    id = secrets.token_hex(16)
    if submission is not None:
        # what the sender made up may tell the time, as a UUIDv7 does: its digest does not
        id = hashlib.sha256(f"{row.token}/{submission}".encode()).hexdigest()[:32]
    if await _keep(tx, row, answer, today, id) and row.kind != "staff":
        audit.add(tx, "public", "survey.answered", row.id, now=now, detail={"channel": "form"})


async def _keep(tx: AsyncSession, row: SurveyRow, answer: Answer, today: date, id: str) -> bool:
    survey = store.survey_of(row)
    if not survey.is_open(today):
        raise SurveyNotOpen
    if wrong := answer_flaws(survey, answer):
        raise AnswerInvalid(errors=tuple(wrong))
    response = {
        "survey_id": row.id,
        "id": id,
        "day": survey.opens_on if survey.kind == "staff" else today,
        "words": redact(answer.words) if answer.words else None,
        **{name: getattr(answer, name) for name in ("channel", "language", "department", "branch")},
    }
    return await store.add_response(tx, response, answer.ratings)


async def results(session: AsyncSession, id: str, today: date, by: str | None) -> dict[str, Any]:
    """What the answers say, by aspect, and `by` group if asked; small groups stay hidden. Raises SurveyNotFound,
    ResultsNotYet, SurveyInvalid."""
    row = await find(session, id)
    survey = store.survey_of(row)
    if by is not None and by not in survey.groups:
        detail = f"is none of {', '.join(survey.groups)}"
        raise SurveyInvalid(
            "The results are not told apart by this.", errors=(FieldError("by", detail, "unknown_group"),)
        )
    if not survey.may_be_read(today):
        raise ResultsNotYet
    channels = await store.by_channel(session, id)
    sheets = [Sheet(scores, group, words) for scores, group, words in await store.sheets(session, id, by)]
    # More answers than were asked for mean that the link went further: then there is no rate.
    invited = survey.invited if survey.invited and survey.invited >= len(sheets) else None
    groups = sorted({sheet.group for sheet in sheets if sheet.group is not None})
    found = await asyncio.to_thread(
        evaluate, sheets, survey.aspects, groups, terms=terms, invited=invited, anonymous=survey.kind == "staff"
    )
    return {
        "survey_id": id,
        "kind": survey.kind,
        "answers": len(sheets),
        "invited": survey.invited,
        "minimum": found.minimum,
        "channels": None if survey.kind == "staff" else channels,
        "response_rate": _share(found.response),
        "aspects": {aspect: _standing(one) for aspect, one in found.aspects.items()},
        "problems": [{"term": one.term, "answers": one.respondents} for one in found.problems],
        "groups": None
        if by is None
        else [
            {
                "code": group.name,
                "answers": group.answers,
                "aspects": {aspect: _standing(one) for aspect, one in group.aspects.items()},
            }
            for group in found.groups
        ],
    }


def _share(found: Share | None) -> dict[str, float] | None:
    return None if found is None else {"share": found.value, "low": found.low, "high": found.high}


def _standing(found: Standing | None) -> dict[str, Any] | None:
    if found is None:
        return None
    mean = {"value": found.mean.value, "low": found.mean.low, "high": found.mean.high}
    return {"answers": found.answers, "mean": mean, "satisfied": _share(found.satisfied)}


async def _held(tx: AsyncSession, id: str, version: int | None) -> SurveyRow:
    row = await store.survey(tx, id, lock=True)
    if row is None:
        raise SurveyNotFound
    if version is not None and row.version != version:
        raise SurveyChanged
    return row


def _touch(row: SurveyRow, now: datetime) -> None:
    row.version += 1
    row.updated_at = now


def _token() -> str:
    return secrets.token_urlsafe(24)


def _checked(survey: Survey, languages: Sequence[str]) -> Survey:
    if wrong := flaws(survey, languages):
        raise SurveyInvalid(errors=tuple(wrong))
    return replace(survey, title=redact(survey.title))


def _detail(row: SurveyRow) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in ("kind", "invited", "version")}
    aspects = list(store.survey_of(row).aspects)
    return plain | {"aspects": aspects, "opens_on": row.opens_on.isoformat(), "closes_on": row.closes_on.isoformat()}


def view(row: SurveyRow) -> dict[str, Any]:
    survey = store.survey_of(row)
    return form(row) | {
        "id": row.id,
        "kind": survey.kind,
        "opens_on": survey.opens_on.isoformat(),
        "closes_on": survey.closes_on.isoformat(),
        "invited": survey.invited,
        "version": row.version,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }


def form(row: SurveyRow) -> dict[str, Any]:
    """What whoever answers must see."""
    survey = store.survey_of(row)
    return {
        "title": survey.title,
        "languages": list(survey.languages),
        "questions": [{"aspect": q.aspect, "text": dict(q.text)} for q in survey.questions],
    }
