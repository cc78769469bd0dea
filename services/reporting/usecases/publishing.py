"""Public summaries: made, published once, and read as they were."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting.domain import summary
from services.reporting.domain.place import OPEN, UNCLASSIFIED
from services.reporting.domain.selection import Selection
from services.reporting.domain.summary import KINDS, Frozen, NothingToPublish, Span, Times
from services.reporting.figures import measures, reading
from services.reporting.store import facts
from services.reporting.store import publications as store
from shared import audit, i18n
from shared.db import Database
from shared.errors import Conflict, NotFound, PreconditionFailed

LABELS = Path(__file__).parents[1] / "locale"
# What stands for the codes that the register does not have: in public, a code of the bank's own is nobody's business.
_REST = {"category": "other", "channel": "other", "outcome": OPEN}
_MORE = {"category": (UNCLASSIFIED,), "channel": ("other",), "outcome": (OPEN,)}


class NotPublished(NotFound):
    """Nothing has been published of this period."""

    code = "not_published"


class AlreadyPublished(Conflict):
    """This period has been published. What is published stays as it is."""

    code = "already_published"


class ChangedMeanwhile(PreconditionFailed):
    """The summary is no longer the one that was looked at: look again."""

    code = "summary_changed"


@dataclass(frozen=True, slots=True)
class Draft:
    """A summary that can be published: what everybody would read, and what must stay inside."""

    span: Span
    document: dict[str, Any]
    kept: dict[str, Any]
    after: tuple[str, ...]  # the publications of the same year that it was made to fit

    @property
    def digest(self) -> str:
        """Of what would be published."""
        return hashlib.sha256(orjson.dumps(self.document, option=orjson.OPT_SORT_KEYS)).hexdigest()


def codes() -> dict[str, tuple[str, ...]]:
    """All there can be in public, from the register and not from the complaints."""
    return {kind: tuple(dict.fromkeys([*i18n.codes(kind), *_MORE[kind]])) for kind in KINDS}


async def draft(db: Database, span: Span, *, today: date) -> Draft:
    """The summary as it would be published now. Raises NotOver, NotPublishable."""
    span.must_be_over(today)
    possible = codes()
    async with db.reading() as session:
        await reading.agree(session)
        before = await store.kept(session, span.year)
        counts = {quarter.code: await _counts(session, quarter, possible) for quarter in span.quarters}
        closing = await _closing(session, span, possible["category"])
    earlier = [summary.load(orjson.loads(row.kept)) for row in before]
    # off the loop: finding worlds is integer programming and may take some seconds
    frozen: Frozen = await asyncio.to_thread(summary.protect, span, possible, counts, earlier)
    shown: dict[str, Sequence[str]] = {d.name: d.codes for d in frozen.publication.dimensions if d.name in KINDS}
    document = summary.document(span, frozen.publication, closing, _labels(shown), today)
    return Draft(span, document, summary.dump(frozen), tuple(row.period for row in before))


async def publish(db: Database, span: Span, *, seen: str | None, actor: str, now: datetime, today: date) -> Draft:
    """Publish a period that is over, for good. `seen` is the digest of the draft that was looked at, None for
    whichever it is. Raises AlreadyPublished, ChangedMeanwhile, NotOver, NotPublishable, NothingToPublish."""
    async with db.reading() as session:
        if await store.document(session, span.code) is not None:
            raise AlreadyPublished
    made = await draft(db, span, today=today)
    if made.document["void"]:
        raise NothingToPublish
    if seen is not None and seen != made.digest:
        raise ChangedMeanwhile
    async with db.transaction() as tx:
        await store.alone(tx)
        there = tuple(row.period for row in await store.kept(tx, span.year))
        if span.code in there:
            raise AlreadyPublished
        if there != made.after:  # somebody has published what this would have had to fit
            raise ChangedMeanwhile
        await store.add(tx, span.code, span.year, made.document, made.kept, by=actor, now=now)
        audit.add(tx, actor, "summary.published", span.code, now=now, detail={"sha256": made.digest})
    return made


async def _counts(
    session: AsyncSession, quarter: Span, possible: Mapping[str, Sequence[str]]
) -> dict[tuple[str, str, str], int]:
    period = quarter.period
    columns = [facts.c[kind] for kind in KINDS]
    query = reading.narrowed(select(*columns, func.count()), "day", Selection(period.since, period.until))
    found: Counter[tuple[str, str, str]] = Counter()
    for *values, n in (await session.execute(query.group_by(*columns))).all():
        category, channel, outcome = (
            value if value in possible[kind] else _REST[kind] for kind, value in zip(KINDS, values, strict=True)
        )
        found[category, channel, outcome] += n
    return dict(found)


async def _closing(session: AsyncSession, span: Span, categories: Sequence[str]) -> dict[str, Times]:
    """The times of complaints closed in the period: of all (``), and by type."""
    closed = Selection(span.period.since, span.period.until)
    found = {}
    for code in ("", *categories):
        chosen = closed.narrowed_to("category", code) if code else closed
        one = await measures.durations(session, "close", chosen)
        found[code] = summary.times(one.histogram, one.median)
    return found


def _labels(shown: Mapping[str, Sequence[str]]) -> dict[str, dict[str, dict[str, str]]]:
    """Kept with what is published: it must read the same in years, whatever the catalogues say then."""
    return {
        language: {
            kind: {code: str(i18n.catalogue(language, LABELS).pgettext(kind, code)) for code in shown[kind]}
            for kind in KINDS
        }
        for language in i18n.LANGUAGES
    }
