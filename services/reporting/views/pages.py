"""Which blocks stand together on a page."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.reporting.views import causes, deadlines, people, places, trends
from services.reporting.views.block import Make
from services.reporting.views.causes import distribution
from shared.i18n import mark


@dataclass(frozen=True, slots=True)
class Page:
    """`name` is its address below `/dashboard`; `blocks` by the names of their pictures, in order."""

    name: str
    title: str
    lead: str
    blocks: Mapping[str, Make]


PAGES = {
    p.name: p
    for p in (
        Page(
            "trends",
            mark("Trends"),
            mark("How many complaints come and go, and what has changed."),
            {
                "by-month": trends.by_month,
                "by-day": trends.by_day,
                "compared": trends.compared,
                "backlog": trends.backlog_by_month,
                "ages": trends.ages,
            },
        ),
        Page(
            "causes",
            mark("Types and causes"),
            mark("What people complain of, and what lay behind it."),
            {
                "type": distribution("received", "category", mark("By type"), mark("Type")),
                "root-causes": causes.causes,
                "types-by-month": causes.types_by_month,
                "product": distribution("received", "product", mark("By product"), mark("Product")),
                "channel": distribution("received", "channel", mark("By channel"), mark("Channel")),
                "severity": distribution("received", "severity", mark("By severity"), mark("Severity")),
                "language": distribution("received", "language", mark("By language"), mark("Language")),
                "outcome": distribution("resolved", "outcome", mark("Decisions by outcome"), mark("Outcome")),
                "redress": causes.redress,
            },
        ),
        Page(
            "deadlines",
            mark("Deadlines and times"),
            mark("Whether deadlines are kept, and how long people wait."),
            {
                "kept-by-step": deadlines.kept_by("step", mark("Deadlines kept by step"), mark("Step")),
                "kept-by-department": deadlines.kept_by(
                    "department", mark("Deadlines kept by department"), mark("Department")
                ),
                "kept-by-rule": deadlines.kept_by("rule", mark("Deadlines kept by rule"), mark("Rule")),
                "times": deadlines.times,
                "closing": deadlines.closing_by_month,
            },
        ),
        Page(
            "places",
            mark("Departments and branches"),
            mark("Where the work lies, and where complaints arise."),
            {
                "department": distribution("received", "department", mark("By department"), mark("Department")),
                "load": places.work_in_hand,
                "closing-by-department": places.closing_by(
                    "department", mark("Time to close by department"), mark("Department")
                ),
                "branch": distribution("received", "branch", mark("By branch"), mark("Branch")),
                "per-thousand": places.per_thousand,
            },
        ),
        Page(
            "people",
            mark("Satisfaction and fairness"),
            mark("What complainants say, and whether all are treated alike."),
            {
                "satisfaction": people.satisfaction,
                "by-department": people.satisfaction_by_department,
                "shares": people.shares,
                "fairness": people.fairness,
            },
        ),
    )
}
