"""What the page shows, from what was seen. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.health.alarms import lag_by_partition
from deploy.health.kinds import KINDS, Kind
from deploy.health.samples import Rate, Series
from deploy.health.survey import Source
from deploy.health.watch import Over, Seen, Standing
from shared.clock import rfc3339
from shared.i18n import Translator
from shared.web.health import REASONS

_WIDTH, _HEIGHT = 120, 28
_SPANS = ((86_400 * 2, 86_400), (3600 * 2, 3600), (120, 60), (0, 1))


@dataclass(frozen=True, slots=True)
class Card:
    """An alarm with all the services that have it."""

    kind: Kind
    since: datetime
    at_least: bool
    standing: list[Standing]

    @property
    def waits(self) -> list[tuple[str | None, str]]:
        """What it keeps waiting: by service where that differs, else once."""
        if self.kind.waits_of:
            return [(s.alarm.service, self.kind.waits_of.get(s.alarm.service, self.kind.waits)) for s in self.standing]
        return [(None, self.kind.waits)]


def cards(standing: Sequence[Standing]) -> list[Card]:
    """The alarms by kind: what must be acted on first, then in the order of KINDS."""
    by_kind: dict[str, list[Standing]] = {}
    for one in standing:
        by_kind.setdefault(one.alarm.kind.code, []).append(one)
    found = []
    for code, kind in KINDS.items():
        if some := by_kind.get(code):
            first = min(some, key=lambda s: s.since)
            found.append(Card(kind, first.since, first.at_least, some))
    return sorted(found, key=lambda card: not card.kind.critical)


def span(t: Translator, seconds: float | None) -> str:
    """A length of time for people, in the one unit that tells enough: 45 s, 12 min, 3 h, 16 days."""
    whole = max(0, round(seconds or 0))
    unit = next(unit for least, unit in _SPANS if whole >= least)
    n = whole // unit
    if unit == 86_400:
        return t.ngettext("{n} day", "{n} days", n)
    if unit == 3600:
        return t.gettext("{n} h", n=n)
    return t.gettext("{n} min", n=n) if unit == 60 else t.gettext("{n} s", n=n)


def detail(t: Translator, standing: Standing) -> str:
    """What an alarm says of its service."""
    alarm = standing.alarm
    if alarm.kind.code == "no_worker" and alarm.values["span"] is None:
        return t.gettext(REASONS["no_worker"])
    values = dict(alarm.values)
    for name, value in values.items():
        if name == "span":
            values[name] = span(t, value)
        elif name == "share":
            values[name] = t.percent(value, 1)
        elif name == "database":
            values[name] = t.label("dependency", value)
        elif isinstance(value, int | float):
            values[name] = t.number(value)
    return t.gettext(alarm.kind.detail, **values)


def dependencies(seen: Seen) -> list[dict[str, Any]]:
    """Of each database and bus that the services say they stand on: whether it answers, since when not, to whom not."""
    found: dict[str, dict[str, Any]] = {}
    for report in seen.survey["services"].values():
        for role, which in report.get("dependencies", {}).items():
            one = found.setdefault(which, {"name": which, "role": role, "away": [], "known": False, "since": None})
            if "database" in report["checks"] and (role == "database" or report["checks"]["database"]["ok"]):
                one["known"] = True
    for standing in seen.standing:
        report = seen.survey["services"][standing.alarm.service]
        role = _ROLE.get(standing.alarm.kind.code)
        if role is None or role not in report.get("dependencies", {}):
            continue
        one = found[report["dependencies"][role]]
        one["away"].append(standing.alarm.service)
        if one["since"] is None or standing.since < one["since"]:
            one["since"], one["at_least"] = standing.since, standing.at_least
    return sorted(found.values(), key=lambda one: str(one["role"]))


_ROLE = {"database_away": "database", "kafka_away": "bus", "delivery_failing": "bus"}


def row(
    name: str, report: Mapping[str, Any], source: Source, series: Series, standing: Iterable[Standing]
) -> dict[str, Any]:
    """All about one service."""
    checks = report["checks"]
    machine = report.get("machine", {})
    disk = machine.get("disk")
    return {
        "name": name,
        "address": source.address,
        "status": report["status"],
        "version": report.get("version"),
        "causes": [(REASONS[c["code"]], {k: v for k, v in c.items() if k != "code"}) for c in report["causes"]],
        "since": min((s for s in standing if s.alarm.service == name), key=lambda s: s.since, default=None),
        "outbox": checks.get("outbox"),
        "parked": checks.get("parked", {}).get("total"),
        "lag": _lag(checks),
        "partitions": sorted((t, sorted(of.items(), key=_number)) for t, of in lag_by_partition(checks).items()),
        "embedded": report.get("dependencies", {}).get("bus") == "in-process",
        "workers": checks.get("workers"),
        "deadlines": checks.get("deadlines", {}).get("behind_seconds"),
        "notices": checks.get("notices", {}).get("behind_seconds"),
        "key_ages": checks.get("keys", {}),
        "disk": disk and {**disk, "share": disk["free_bytes"] / disk["total_bytes"]},
        "certificates": machine.get("certificates", {}),
        "rate": series.lately(),
        "lines": lines(series.course()),
    }


def _number(item: tuple[str, int]) -> int:
    return int(item[0])


def _lag(checks: Mapping[str, Any]) -> int | None:
    """Messages that a service has still to handle, over its workers and topics; None while nobody has measured."""
    lags = [sum(w.get("lag", {}).values()) for w in checks.get("workers", {}).values()]
    return sum(lags) if lags else None


def lines(course: Sequence[Rate]) -> dict[str, str]:
    """The points of a line in a picture of 120 by 28: `requests` a second, and `p95`; a line is at least two points."""
    drawn = {
        "requests": [rate.per_second for rate in course],
        "p95": [rate.p95 or 0.0 for rate in course],
    }
    return {name: _points(values) for name, values in drawn.items()} if len(course) > 1 else {}


def _points(values: Sequence[float]) -> str:
    most = max(values) or 1.0
    step = _WIDTH / (len(values) - 1)
    return " ".join(f"{i * step:.1f},{_HEIGHT - 2 - v / most * (_HEIGHT - 4):.1f}" for i, v in enumerate(values))


def over(t: Translator, ones: Sequence[Over]) -> list[dict[str, Any]]:
    """What stands no more, latest first."""
    return [
        {
            "title": one.kind.title,
            "services": one.services,
            "since": one.since,
            "until": one.until,
            "span": span(t, (one.until - one.since).total_seconds()),
        }
        for one in ones
    ]


def told(seen: Seen) -> dict[str, Any]:
    """The same for machines: the survey, and the alarms with their runbook pages."""
    return {
        **seen.survey,
        "alarms": [
            {
                "code": one.alarm.kind.code,
                "service": one.alarm.service,
                "since": rfc3339(one.since),
                "at_least": one.at_least,
                "critical": one.alarm.kind.critical,
                "runbook": one.alarm.kind.page,
            }
            for one in seen.standing
        ],
    }
