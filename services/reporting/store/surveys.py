"""Surveys and their answers, and the bases that figures are related to. Never commits.

Answers are kept in an order that chance decides: by an id that tells no time, on SQLite without a row's number. What
PostgreSQL keeps of the order inside its files only whoever runs the database could see.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import orjson
from sqlalchemy import Column, Select, Table, Text, func, literal, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field

from services.reporting.domain.base import Count
from services.reporting.domain.questionnaire import Question, Survey
from services.reporting.store.base import BIGINT, Base, metadata
from shared.db import UtcDateTime


class SurveyRow(Base, table=True):
    """See `domain.questionnaire.Survey`. `token` opens the form to whoever has the link. `languages` is a JSON list,
    `questions` one of `{aspect, text}`. `version` rises with each change."""

    __tablename__ = "survey"

    id: str = Field(primary_key=True, max_length=36)
    kind: str = Field(max_length=30)
    title: str = Field(max_length=200)
    languages: str = Field(sa_column=Column(Text, nullable=False))
    questions: str = Field(sa_column=Column(Text, nullable=False))
    opens_on: date
    closes_on: date
    invited: int | None = None
    token: str = Field(max_length=64, unique=True)
    version: int = 1
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class ResponseRow(Base, table=True):
    """One person's answer. `id` is drawn by chance. Of staff `day` is that on which the survey opened."""

    __tablename__ = "survey_response"
    __table_args__ = ({"sqlite_with_rowid": False},)

    survey_id: str = Field(primary_key=True, max_length=36, foreign_key="survey.id")
    id: str = Field(primary_key=True, max_length=32)
    day: date
    channel: str = Field(max_length=10)
    language: str | None = Field(None, max_length=10)
    department: str | None = Field(None, max_length=64)
    branch: str | None = Field(None, max_length=64)
    words: str | None = Field(default=None, sa_column=Column(Text))


class RatingRow(Base, table=True):
    """How one aspect was rated in one answer."""

    __tablename__ = "survey_rating"
    __table_args__ = ({"sqlite_with_rowid": False},)

    survey_id: str = Field(primary_key=True, max_length=36)
    response_id: str = Field(primary_key=True, max_length=32)
    aspect: str = Field(primary_key=True, max_length=40)
    rating: int


class BaseRow(Base, table=True):
    """See `domain.base.Count`. `dimension` and `code` are empty for the whole bank. `version` rises with each
    change."""

    __tablename__ = "base_count"
    __table_args__ = ({"sqlite_with_rowid": False},)

    kind: str = Field(primary_key=True, max_length=20)
    dimension: str = Field(primary_key=True, max_length=20)
    code: str = Field(primary_key=True, max_length=64)
    valid_from: date = Field(primary_key=True)
    count: int = Field(sa_column=Column(BIGINT, nullable=False))
    version: int = 1
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


SURVEY: Table = metadata.tables["survey"]
RESPONSE: Table = metadata.tables["survey_response"]
RATING: Table = metadata.tables["survey_rating"]
BASE: Table = metadata.tables["base_count"]
_KEY = (BASE.c.kind, BASE.c.dimension, BASE.c.code, BASE.c.valid_from)


# --- surveys ---


async def survey(tx: AsyncSession, id: str, *, lock: bool = False, share: bool = False) -> SurveyRow | None:
    """One survey; with `lock`, kept from others until the unit of work ends, with `share`, from their changes."""
    query = select(SurveyRow).where(SURVEY.c.id == id)
    if lock or share:
        query = query.with_for_update(read=share)
    return (await tx.scalars(query)).first()


async def survey_of_token(session: AsyncSession, token: str) -> SurveyRow | None:
    return (await session.scalars(select(SurveyRow).where(SURVEY.c.token == token))).first()


async def surveys(
    session: AsyncSession, *, kind: str | None, open_on: date | None, after: str | None, limit: int
) -> Sequence[SurveyRow]:
    """Surveys, newest first, from behind `after` on; with `open_on`, those that take answers on that day."""
    query: Select[Any] = select(SurveyRow).order_by(SURVEY.c.id.desc()).limit(limit)
    if kind is not None:
        query = query.where(SURVEY.c.kind == kind)
    if open_on is not None:
        query = query.where(SURVEY.c.opens_on <= open_on, SURVEY.c.closes_on >= open_on)
    if after is not None:
        query = query.where(SURVEY.c.id < after)
    return (await session.scalars(query)).all()


def write_survey(row: SurveyRow, survey: Survey) -> None:
    for name in ("kind", "title", "opens_on", "closes_on", "invited"):
        setattr(row, name, getattr(survey, name))
    row.languages = _dump(survey.languages)
    row.questions = _dump([{"aspect": q.aspect, "text": dict(q.text)} for q in survey.questions])


def survey_of(row: SurveyRow) -> Survey:
    return Survey(
        kind=row.kind,  # type: ignore[arg-type]
        title=row.title,
        languages=tuple(orjson.loads(row.languages)),
        questions=tuple(Question(q["aspect"], q["text"]) for q in orjson.loads(row.questions)),
        opens_on=row.opens_on,
        closes_on=row.closes_on,
        invited=row.invited,
    )


# --- answers ---


async def answered(session: AsyncSession, survey_id: str) -> bool:
    """Whether anybody has answered."""
    return (
        await session.execute(select(RESPONSE.c.id).where(RESPONSE.c.survey_id == survey_id).limit(1))
    ).first() is not None


async def add_response(tx: AsyncSession, response: Mapping[str, Any], ratings: Mapping[str, int]) -> bool:
    """Keep an answer; False where it is there already, which leaves it as it is."""
    insert = sqlite.insert if tx.get_bind().dialect.name == "sqlite" else postgresql.insert
    kept: Any = await tx.execute(insert(RESPONSE).values(**response).on_conflict_do_nothing())
    if kept.rowcount == 0:
        return False
    key = {"survey_id": response["survey_id"], "response_id": response["id"]}
    if ratings:
        rows = [{**key, "aspect": aspect, "rating": rating} for aspect, rating in sorted(ratings.items())]
        await tx.execute(RATING.insert(), rows)
    return True


async def answers(session: AsyncSession, surveys: Collection[str]) -> dict[str, int]:
    """How many answers there are to each of these surveys; those without any are left out."""
    query = select(RESPONSE.c.survey_id, func.count()).where(RESPONSE.c.survey_id.in_(surveys))
    return {str(id): int(n) for id, n in (await session.execute(query.group_by(RESPONSE.c.survey_id))).all()}


async def by_channel(session: AsyncSession, survey_id: str) -> dict[str, int]:
    """How many answers came by which channel."""
    query = select(RESPONSE.c.channel, func.count()).where(RESPONSE.c.survey_id == survey_id)
    return {str(channel): int(n) for channel, n in (await session.execute(query.group_by(RESPONSE.c.channel))).all()}


async def sheets(
    session: AsyncSession, survey_id: str, group: str | None
) -> list[tuple[dict[str, int], str | None, str | None]]:
    """Every answer: ratings by aspect, the code of its `group` where one is asked for, and words, redacted; in the
    order of ids, which means nothing."""
    query = select(RATING.c.response_id, RATING.c.aspect, RATING.c.rating).where(RATING.c.survey_id == survey_id)
    rated: dict[str, dict[str, int]] = {}
    for id, aspect, rating in (await session.execute(query)).all():
        rated.setdefault(id, {})[aspect] = rating
    code = literal(None) if group is None else RESPONSE.c[group]
    said = select(RESPONSE.c.id, code, RESPONSE.c.words).where(RESPONSE.c.survey_id == survey_id)
    rows = (await session.execute(said.order_by(RESPONSE.c.id))).all()
    return [(rated.get(id, {}), found, words) for id, found, words in rows]


# --- bases ---


async def base(tx: AsyncSession, key: tuple[str, str, str, date], *, lock: bool = False) -> BaseRow | None:
    """The entry of kind, dimension, code and day; with `lock`, kept from others until the unit of work ends."""
    query = select(BaseRow).where(*(column == value for column, value in zip(_KEY, key, strict=True)))
    return (await tx.scalars(query.with_for_update() if lock else query)).first()


async def bases(
    session: AsyncSession, *, kind: str | None, after: tuple[str, str, str, date] | None, limit: int
) -> Sequence[BaseRow]:
    """Entries in order of kind, dimension, code and day, from behind `after` on."""
    query: Select[Any] = select(BaseRow).order_by(*_KEY).limit(limit)
    if kind is not None:
        query = query.where(BASE.c.kind == kind)
    if after is not None:
        query = query.where(tuple_(*_KEY) > tuple_(*after))
    return (await session.scalars(query)).all()


async def base_counts(session: AsyncSession, kind: str, dimension: str | None = None) -> list[Count]:
    """The bank's counts of a kind, and those by a dimension, for `domain.base.base_at`."""
    query = select(BASE).where(BASE.c.kind == kind, BASE.c.dimension.in_({"", dimension or ""}))
    return [
        Count(row["kind"], row["valid_from"], row["count"], row["dimension"] or None, row["code"] or None)
        for row in (await session.execute(query)).mappings()
    ]


def _dump(value: Any) -> str:
    return orjson.dumps(value).decode()
