"""Early warning: every finished day is judged, and what runs higher than chance explains is told of, once.

What is watched: complaints received by type, by product, by branch and by channel, each a series a day; and the terms
of what people write. How it is judged, `domain.surge` and `domain.theme` say.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import structlog
from prometheus_client import Counter
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.reporting import store
from services.reporting.domain.place import UNCLASSIFIED, UNSTATED, series
from services.reporting.domain.surge import Kind, Rule, Surge, judge, same, together, told
from services.reporting.domain.theme import Sought, Theme, rising
from services.reporting.figures import reading
from services.reporting.store import surges
from services.reporting.store.surges import SurgeRow
from services.reporting.store.wording import term_counts
from shared import outbox
from shared.clock import Clock
from shared.db import Database
from shared.events import SurgeDetected
from shared.ids import uuid7

log = structlog.get_logger()
WATCHED = ("category", "product", "branch", "channel")
HISTORY = timedelta(days=3 * 365)
RECENT, BASE = timedelta(days=7), timedelta(days=56)
"""Days whose terms are compared, with the days before them."""
TEXTS_KEPT = timedelta(days=92)
_REMEMBERED = timedelta(days=14)  # for so long a surge that is over is known again
_DOCUMENTS = 5_000
surges_total = Counter("redress_reporting_surges", "Surges told of", ["of"])


@dataclass(frozen=True, slots=True)
class Watched:
    """Counts a day from `first` on without gaps, [kinds, days]."""

    kinds: list[Kind]
    begun: list[date]
    counts: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    first: date


async def watch(db: Database, clock: Clock, zone: ZoneInfo, *, rule: Rule | None = None) -> int:
    """Judge the last finished day, and the one that is running by what has come already; how many new surges there
    are. Asked again on the same day it finds what has come since, and tells nothing twice."""
    now = clock()
    today = now.astimezone(zone).date()
    new = 0
    for day in (today - timedelta(days=1), today):
        async with db.reading() as session:
            await reading.agree(session)
            watched = await _watched(session, day)
        if watched is None:
            continue
        judgement = await asyncio.to_thread(_judged, watched, rule or Rule())
        async with db.transaction() as tx:
            new += await _tell(tx, judgement, finished=today - timedelta(days=1), now=now, zone=zone)
    async with db.reading() as session:
        recent = await term_counts(session, today - RECENT + timedelta(days=1), today, most=_DOCUMENTS)
        base = await term_counts(session, today - RECENT - BASE + timedelta(days=1), today - RECENT, most=_DOCUMENTS)
    themes = await asyncio.to_thread(
        rising, recent[0], len(recent[1]), base[0], len(base[1]), documents=recent[1], sought=Sought()
    )
    async with db.transaction() as tx:
        new += await _tell_themes(tx, themes, today=today, now=now, zone=zone)
        await store.forget_texts(tx, before=today - TEXTS_KEPT)
    return new


async def _watched(session: AsyncSession, last: date) -> Watched | None:
    names = {series("d", "received", dimension): dimension for dimension in WATCHED}
    table = store.counters.c
    query = select(table.series, table.day, table.code, table["count"]).where(
        table.slot == reading.LIVE, table.series.in_(names), table.day.between(last - HISTORY, last), table["count"] > 0
    )
    days: dict[Kind, dict[date, int]] = defaultdict(dict)
    for name, day, code, n in await session.execute(query):
        if code not in (UNCLASSIFIED, UNSTATED):
            days[Kind(**{names[name]: code})][day] = n
    if not days:
        return None
    kinds = sorted(days, key=str)
    begun = [min(days[kind]) for kind in kinds]
    first = min(begun)
    counts = np.zeros((len(kinds), (last - first).days + 1), dtype=np.int64)
    for row, kind in enumerate(kinds):
        for day, n in days[kind].items():
            counts[row, (day - first).days] = n
    # what all began together is the desk's own beginning, not that of each
    return Watched(kinds, [first if (one - first).days < 28 else one for one in begun], counts, first)


def _judged(watched: Watched, rule: Rule) -> tuple[Surge, ...]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # small matrices: more threads only get in each other's way
        return judge(watched.kinds, watched.counts, watched.first, begun=watched.begun, rule=rule).surges


async def _tell(tx: AsyncSession, found: tuple[Surge, ...], *, finished: date, now: datetime, zone: ZoneInfo) -> int:
    """`finished` is the last day that is over: a surge has ended only when whole days have passed without it."""
    await store.slots(tx, alone=True)  # of several workers that have found the same, one tells it
    rows = [row for row in await surges.recent(tx, finished - _REMEMBERED) if row.theme is None]
    known = {surges.surge_of(row): row for row in rows}
    tidings = told(found, list(known), day=finished)
    of_kind = {(surge.kind, surge.since): row for surge, row in known.items()}
    for surge in (*tidings.continued, *tidings.over):
        row = of_kind[surge.kind, surge.since]
        for name, value in surges.written(surge).items():
            setattr(row, name, value)
    going = {row.id: (row, surge) for surge, row in known.items() if not row.over}
    return await _tell_new(tx, tidings.new, going, now=now, zone=zone)


async def _tell_new(
    tx: AsyncSession,
    new: tuple[Surge, ...],
    going: dict[str, tuple[SurgeRow, Surge]],
    *,
    now: datetime,
    zone: ZoneInfo,
) -> int:
    """Tell of new surges, of those that are one event seen from several sides only once; how many events there were.
    What is a side of one that goes on, and was told of before, is told no more."""
    theirs = {id: await surges.complaints(tx, surge) for id, (_, surge) in going.items()} if new else {}
    events: list[list[tuple[SurgeRow, Surge]]] = []
    for surge in sorted(new, key=lambda one: one.p):
        mine = await surges.complaints(tx, surge)
        row = SurgeRow(id=uuid7(), detected_at=now, **surges.written(surge))
        surges.add(tx, [row])
        for id, (other, known) in going.items():
            if same(surge, known, len(mine & theirs[id])):
                row.part_of = other.part_of or other.id
                break
        going[row.id], theirs[row.id] = (row, surge), mine
        event = next((one for one in events if one[0][0].id == row.part_of), None)
        if event is not None:
            event.append((row, surge))
        elif row.part_of is None:
            events.append([(row, surge)])
    for sides in events:
        row, surge = sides[0]
        _publish(tx, row.id, together([one.kind for _, one in sides])._asdict(), surge, now, zone)
        log.warning("surge.detected", observed=surge.observed, expected=round(surge.expected, 1), sides=len(sides))
        surges_total.labels("kind").inc()
    return len(events)


async def _tell_themes(
    tx: AsyncSession, themes: tuple[Theme, ...], *, today: date, now: datetime, zone: ZoneInfo
) -> int:
    await store.slots(tx, alone=True)  # as above
    rows = {row.theme: row for row in await surges.recent(tx, today - _REMEMBERED) if row.theme is not None}
    said = {term: row for row in rows.values() for term in row.terms.split("\n")}
    going: set[str] = set()
    new = 0
    for theme in themes:
        expected = theme.base * theme.recent_of / theme.base_of
        row = next((said[term] for term in theme.terms if term in said), None)
        if row is None:
            row = SurgeRow(
                id=uuid7(),
                category=None,
                product=None,
                branch=None,
                channel=None,
                theme=theme.term[:80],
                terms="\n".join(theme.terms),
                since=today - RECENT + timedelta(days=1),
                until=today,
                observed=theme.recent,
                expected=expected,
                limit=0,
                p=theme.p,
                tentative=False,
                daily="[]",
                part_of=None,
                detected_at=now,
            )
            surges.add(tx, [row])
            _publish(tx, row.id, {"theme": row.theme}, row, now, zone)
            surges_total.labels("theme").inc()
            new += 1
        elif row.until < today or row.over:
            row.until, row.observed, row.expected, row.over = today, theme.recent, expected, False
        going.add(row.id)
    for row in rows.values():
        if row.id not in going and not row.over:
            row.over = True
    return new


def _publish(
    tx: AsyncSession, id: str, kind: dict[str, str | None], surge: Surge | SurgeRow, now: datetime, zone: ZoneInfo
) -> None:
    """`until` of the event is the end of the last day, or now where that day is not over."""
    since = datetime.combine(surge.since, time(), zone)
    end = datetime.combine(surge.until + timedelta(days=1), time(), zone) - timedelta(microseconds=1)
    event = SurgeDetected(
        complaint_id=id,
        **kind,
        observed=surge.observed,
        expected=round(surge.expected, 2),
        since=since,
        until=min(end, now),
        detected_at=now,
    )
    outbox.add(tx, event, now=now)
