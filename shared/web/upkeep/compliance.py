"""`/audit/compliance`: what broke the rules in a period, check by check (`shared.compliance`), with the cases."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Any

from fastapi import Path, Query, Request
from starlette.responses import HTMLResponse, Response

from shared import audit
from shared.clock import rfc3339
from shared.compliance import Check, Fact, Finding, Period, Place
from shared.db import Database
from shared.errors import Invalid, NotFound
from shared.i18n import Translator
from shared.web import pages
from shared.web.app import ClockDep, Reading
from shared.web.router import Router
from shared.web.upkeep.common import PAGE, Reader, case_url, csv_line, database, day, download, frame, wrong

DEFAULT_DAYS = 30
MOST_DAYS = 366
BATCH = 500  # findings that a download reads at once
COUNTED = 200
"""The overview counts so far and then says that there are more."""
_LABELLED = frozenset(("step", "outcome", "missing", "needs", "action", "language"))
"""Facts whose values are codes; several are separated by spaces."""
Code = Annotated[str, Path(max_length=40, pattern=r"^[a-z_]+$")]
Since = Annotated[str, Query(max_length=10, alias="from")]
Until = Annotated[str, Query(max_length=10, alias="to")]


def router() -> Router:
    found = Router(include_in_schema=False)
    found.add_api_route("/audit/compliance", overview, methods=["GET"], response_class=HTMLResponse)
    found.add_api_route("/audit/compliance/{code}", listed, methods=["GET"], response_class=HTMLResponse)
    found.add_api_route("/audit/compliance/{code}/csv", table, methods=["GET"], response_class=Response)
    return found


@dataclass(frozen=True, slots=True)
class _Asked:
    """The period that was asked for, or the default one and why not, in words."""

    period: Period
    wrong: str = ""


def _asked(request: Request, now: datetime, since: str, until: str) -> _Asked:
    zone = request.app.state.settings.zone
    today = now.astimezone(zone).date()
    try:
        last = day(until, "to") or today
        first = day(since, "from") or last - timedelta(days=DEFAULT_DAYS - 1)
        if last > today:
            raise wrong("to", "in_the_future")
        if last < first:
            raise wrong("to", "ended_before_start")
        if (last - first).days >= MOST_DAYS:
            raise wrong("from", "period_too_long")
        if first < date(1970, 1, 2):
            raise wrong("from", "day")
    except (Invalid, OverflowError) as error:
        code = error.errors[0].code if isinstance(error, Invalid) else "day"
        default = Period(today - timedelta(days=DEFAULT_DAYS - 1), today, zone, now)
        return _Asked(default, pages.translator(request).label("flaw", code))
    return _Asked(Period(first, last, zone, now))


async def overview(
    request: Request, _: Reader, session: Reading, clock: ClockDep, since: Since = "", until: Until = ""
) -> Response:
    """Each check with its rule and how many broke it."""
    asked = _asked(request, clock(), since, until)
    checks = []
    for check in request.app.state.compliance:
        found = await check.find(session, asked.period, None, COUNTED + 1)
        checks.append(_words(request, check) | {"count": min(len(found), COUNTED), "more": len(found) > COUNTED})
    return pages.render(
        request,
        "upkeep/compliance.html",
        422 if asked.wrong else 200,
        **frame(request, "compliance"),
        checks=checks,
        **_form(asked, since, until),
    )


def _form(asked: _Asked, since: str, until: str) -> dict[str, Any]:
    period = asked.period
    return {
        "period": period,
        "wrong": asked.wrong,
        "since": since if asked.wrong else period.since.isoformat(),
        "until": until if asked.wrong else period.until.isoformat(),
    }


def _words(request: Request, check: Check) -> dict[str, Any]:
    t = pages.translator(request)
    return {"code": check.code, "title": t.gettext(check.title), "rule": t.gettext(check.rule, **check.values)}


def _named(request: Request, code: str) -> Check:
    checks: tuple[Check, ...] = request.app.state.compliance
    check = next((c for c in checks if c.code == code), None)
    if check is None:
        raise NotFound("There is no such check.")
    return check


async def listed(
    request: Request,
    code: Code,
    _: Reader,
    session: Reading,
    clock: ClockDep,
    since: Since = "",
    until: Until = "",
    after: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """What broke one rule, newest first."""
    check = _named(request, code)
    asked = _asked(request, clock(), since, until)
    try:
        place = Place.read(after) if after else None
    except ValueError:
        raise wrong("after", "invalid") from None
    found = await check.find(session, asked.period, place, PAGE + 1)
    t = pages.translator(request)
    return pages.render(
        request,
        "upkeep/compliance_list.html",
        422 if asked.wrong else 200,
        **frame(request, "compliance"),
        check=_words(request, check),
        findings=[_shown(request, t, finding) for finding in found[:PAGE]],
        further=str(found[PAGE - 1].place) if len(found) > PAGE else None,
        after=after,
        **_form(asked, since, until),
    )


def _shown(request: Request, t: Translator, finding: Finding) -> dict[str, Any]:
    return {
        "at": finding.at,
        "complaint": finding.complaint,
        "case": case_url(request, finding.complaint),
        "facts": [(t.label("fact", name), _said(t, name, value)) for name, value in finding.facts.items()],
    }


def _said(t: Translator, name: str, value: Fact) -> str:
    if isinstance(value, datetime):
        return t.datetime(value)
    if isinstance(value, date):
        return t.date(value)
    if isinstance(value, int):
        return t.number(value)
    return " · ".join(t.label(name, code) for code in value.split()) if name in _LABELLED else value


async def table(
    request: Request, code: Code, principal: Reader, clock: ClockDep, since: Since = "", until: Until = ""
) -> Response:
    """All that broke one rule as CSV; the download is in the audit trail. Raises Invalid, NotFound."""
    check = _named(request, code)
    asked = _asked(request, clock(), since, until)
    if asked.wrong:
        raise wrong("from", "day")
    db, period = database(request), asked.period
    detail = {"check": code, "from": period.since.isoformat(), "to": period.until.isoformat()}
    async with db.transaction() as tx:
        audit.add(tx, principal.id, "compliance.exported", code, now=clock(), detail=detail)
    async with db.reading() as session:  # before anything is sent: what fails must not look like an empty list
        first = await check.find(session, period, None, BATCH)
    name = f"{request.app.state.service}-{code}-{period.since}-{period.until}.csv"
    return download(_lines(db, check, period, first), name, "text/csv; charset=utf-8")


async def _lines(db: Database, check: Check, period: Period, found: Sequence[Finding]) -> AsyncIterator[bytes]:
    """For programs: times in RFC 3339, codes as they are; the columns are those of the first row. `found`: the first
    BATCH."""
    names = list(found[0].facts) if found else []
    yield csv_line(["at", "complaint_id", *names])
    while found:
        yield b"".join(csv_line([rfc3339(f.at), f.complaint, *_plain(f.facts, names)]) for f in found)
        if len(found) < BATCH:
            return
        async with db.reading() as session:
            found = await check.find(session, period, found[-1].place, BATCH)


def _plain(facts: Mapping[str, Fact], names: list[str]) -> list[object]:
    found = [facts.get(name) for name in names]
    return [rfc3339(one) if isinstance(one, datetime) else one for one in found]
