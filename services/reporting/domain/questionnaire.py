"""Surveys as they are defined: who is asked what, from when to when, and what an answer may hold.

**Who answered is not kept.** An answer of staff has no actor, no time finer than the day, and an id drawn by chance, so
that no order leads to a person. Results of staff are shown only once the survey is over: else whoever looked before and
after a colleague answered would know the answer from the difference.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from shared.errors import FieldError

Kind = Literal["customer_periodic", "customer_after_closure", "staff"]
Channel = Literal["form", "phone", "interview", "paper"]
GROUPS = ("department", "branch")
"""By what results may be told apart."""
SCALE = range(1, 6)
LONGEST = timedelta(days=366)
ASPECT = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, by language: to be rated from 1 (not at all satisfied) to 5 as `aspect`, or, where that is None,
    to be answered in words."""

    aspect: str | None
    text: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Survey:
    """Open on `opens_on`, on `closes_on` and between. `invited` is how many were asked, where that is known."""

    kind: Kind
    title: str
    languages: tuple[str, ...]
    questions: tuple[Question, ...]
    opens_on: date
    closes_on: date
    invited: int | None = None

    @property
    def aspects(self) -> tuple[str, ...]:
        return tuple(q.aspect for q in self.questions if q.aspect is not None)

    @property
    def asks_for_words(self) -> bool:
        return any(q.aspect is None for q in self.questions)

    def is_open(self, today: date) -> bool:
        return self.opens_on <= today <= self.closes_on

    @property
    def groups(self) -> tuple[str, ...]:
        """By what its results may be told apart."""
        return GROUPS[:1] if self.kind == "staff" else GROUPS

    def may_be_read(self, today: date) -> bool:
        """Whether results are shown yet."""
        return self.kind != "staff" or today > self.closes_on


@dataclass(frozen=True, slots=True)
class Answer:
    """What one person answered: ratings by aspect, and words, which are redacted before they are kept."""

    ratings: Mapping[str, int]
    words: str | None = None
    department: str | None = None
    branch: str | None = None
    language: str | None = None
    channel: Channel = "form"


def flaws(survey: Survey, offered: Sequence[str]) -> list[FieldError]:
    """Why `survey` cannot be kept; empty when it can. `offered` are the languages of the bank."""
    wrong = []
    for i, language in enumerate(survey.languages):
        if language not in offered:
            wrong.append(FieldError(f"/languages/{i}", f"is none of {', '.join(offered)}", "unknown_language"))
        elif language in survey.languages[:i]:
            wrong.append(FieldError(f"/languages/{i}", "is there twice", "repeated"))
    if survey.closes_on < survey.opens_on:
        wrong.append(FieldError("/closes_on", "is before the opening", "survey_backwards"))
    elif survey.closes_on - survey.opens_on > LONGEST:
        wrong.append(FieldError("/closes_on", "is more than a year after the opening", "survey_too_long"))
    if not survey.aspects:
        wrong.append(FieldError("/questions", "hold nothing to be rated", "aspect_missing"))
    if sum(q.aspect is None for q in survey.questions) > 1:
        wrong.append(FieldError("/questions", "ask more than once for an answer in words", "repeated"))
    for i, question in enumerate(survey.questions):
        if question.aspect is not None:
            if not ASPECT.match(question.aspect):
                wrong.append(FieldError(f"/questions/{i}/aspect", "is no code: a-z, 0-9 and _", "invalid"))
            elif question.aspect in survey.aspects[: sum(q.aspect is not None for q in survey.questions[:i])]:
                wrong.append(FieldError(f"/questions/{i}/aspect", "is asked for twice", "repeated"))
        if set(question.text) != set(survey.languages):
            detail = "is not there in each language of the survey, and in no other"
            wrong.append(FieldError(f"/questions/{i}/text", detail, "languages_differ"))
    return wrong


def answer_flaws(survey: Survey, answer: Answer) -> list[FieldError]:
    """Why `answer` is none to `survey`. Questions may be left out, but not all of them."""
    wrong = []
    for aspect in answer.ratings:
        if aspect not in survey.aspects:
            wrong.append(FieldError("/ratings", "hold an aspect that the survey does not ask for", "unknown_aspect"))
            break
    if any(rating not in SCALE for rating in answer.ratings.values()):
        wrong.append(FieldError("/ratings", "go from 1 to 5", "out_of_bounds"))
    if answer.words and not survey.asks_for_words:
        wrong.append(FieldError("/words", "are not asked for", "not_asked"))
    if not answer.ratings and not answer.words:
        wrong.append(FieldError("/ratings", "are missing, and there are no words either", "answer_empty"))
    if answer.branch is not None and survey.kind == "staff":
        wrong.append(
            FieldError("/branch", "is not asked of staff: with the department it could lead to one", "not_asked")
        )
    if answer.language is not None and answer.language not in survey.languages:
        wrong.append(FieldError("/language", "is none of the survey's", "unknown_language"))
    return wrong


def locked(before: Survey, after: Survey) -> bool:
    """Whether `after` differs from `before` in what must stay once somebody has answered."""
    return any(getattr(before, name) != getattr(after, name) for name in ("kind", "languages", "questions", "opens_on"))
