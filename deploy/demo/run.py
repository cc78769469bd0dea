"""`make demo`: send made-up complaints through every channel of a desk, work most of them, and say where to look."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from deploy.demo.casework import plan
from deploy.demo.caseworker import CaseworkReport, Job, work
from deploy.demo.complaints import DemoComplaint, generate
from deploy.demo.timing import surge_day
from deploy.importers.calling import first
from deploy.importers.posting import Desk, DeskError, DeskUnreachable, Patience, Refused, Taken

_PATIENCE = Patience(total=60.0)
_SURGE_SHOWS_FROM = 100
"""Complaints; with fewer, the day of the surge has too few of them to stand out."""


@dataclass(slots=True)
class DemoReport:
    """What was sent. `already_there`: known to the desk by its key. `tracking` is one complaint's link and token.

    `casework` is what became of the cases; None where nobody was asked to work them, or sending had not ended well.
    """

    already_there: int = 0
    by_channel: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    surge: date | None = None
    tracking: tuple[str, str] | None = None
    seconds: float = 0.0
    trouble: str | None = None
    casework: CaseworkReport | None = None

    @property
    def taken(self) -> int:
        """How many complaints of this run the desk has now, sent just now or there already."""
        return self.by_channel.total()

    @property
    def settled(self) -> int:
        return self.taken + self.refused.total()

    def note(self, complaint: DemoComplaint, answer: Taken | Refused) -> None:
        """Count what became of one complaint."""
        if isinstance(answer, Refused):
            self.refused[answer.code] += 1
            return
        self.by_channel[complaint.channel] += 1
        self.already_there += answer.replayed
        tracking = answer.answer.get("tracking")
        if isinstance(tracking, Mapping) and tracking.get("url"):
            self.tracking = str(tracking["url"]), str(tracking.get("token") or "")

    @property
    def exit_code(self) -> int:
        """0 when the desk took every complaint and every step of the casework, else 1."""
        casework = self.casework
        failed = self.trouble or self.refused or (casework and (casework.trouble or casework.refused))
        return 1 if failed else 0


async def run(
    base_url: str,
    key: str,
    *,
    count: int = 300,
    seed: int = 1,
    concurrency: int = 8,
    console: Console,
    until: datetime | None = None,
    desk_url: str | None = None,
    patience: Patience | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    staff_key: str | None = None,
    approver_keys: Sequence[str] = (),
    routing_url: str | None = None,
) -> DemoReport:
    """Post `count` complaints to the intake service at `base_url` with a key of scope complaints:import.

    `until` (aware; the full hour just past if not given) ends the eighteen months that they come from: the same seed,
    count and hour give the same complaints, which the desk takes once. `desk_url` is where the pages are, if not one
    level above a `base_url` that ends in `/intake`. A desk that can't be reached is told in the
    console and by `exit_code` 1, not raised.

    With a `staff_key` (of a supervisor or officer) the cases are then worked through the routing service at
    `routing_url`, or `/routing` of the desk: most older ones are closed, younger ones under way; what needs a second
    person is approved with one of `approver_keys`. Should that fail, the complaints stay as they are.
    """
    until = until or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    report = DemoReport(surge=surge_day(until, seed=seed) if count >= _SURGE_SHOWS_FROM else None)
    began = time.monotonic()
    patience = patience or _PATIENCE
    jobs: list[Job] = []
    try:
        async with Desk(base_url, key, concurrency=concurrency, patience=patience, transport=transport) as desk:
            await desk.greet()
            with _bar(console) as bar:
                task = bar.add_task("Sending complaints", total=count, rate="")
                left = generate(count, seed=seed, until=until)

                async def send() -> None:
                    # All senders draw from the one iterator, so that complaints arrive more or less in their order.
                    for complaint in left:
                        answer = await desk.post(complaint.body(), complaint.key)
                        report.note(complaint, answer)
                        if isinstance(answer, Taken) and (id := answer.answer.get("id")):
                            jobs.append(Job(str(id), plan(complaint, until=until)))
                        rate = report.settled / max(time.monotonic() - began, 0.001)
                        bar.update(task, advance=1, rate=f"{rate:,.0f}/s")

                async with asyncio.TaskGroup() as tasks:
                    for _ in range(concurrency):
                        tasks.create_task(send())
    except* DeskError as group:
        error = first(group)
        hint = " Is it running? `make up` starts it." if isinstance(error, DeskUnreachable) else ""
        report.trouble = f"{error}{hint}"
    report.seconds = time.monotonic() - began
    root = _root(base_url, desk_url)
    if staff_key and not report.trouble:
        routing = routing_url or (f"{root}/routing" if root else None)
        report.casework = await _work(
            jobs, routing, staff_key, approver_keys, concurrency, console, patience, transport
        )
    _tell(console, report, base_url.rstrip("/"), root)
    return report


async def _work(
    jobs: Sequence[Job],
    routing_url: str | None,
    key: str,
    approver_keys: Sequence[str],
    concurrency: int,
    console: Console,
    patience: Patience,
    transport: httpx.AsyncBaseTransport | None,
) -> CaseworkReport:
    if routing_url is None:
        return CaseworkReport(trouble="Where routing is can't be told from the address of intake; give it too.")
    began = time.monotonic()
    with _bar(console) as bar:
        task = bar.add_task("Working the cases ", total=len(jobs), rate="")

        def show(report: CaseworkReport) -> None:
            rate = report.settled / max(time.monotonic() - began, 0.001)
            bar.update(task, completed=report.settled, rate=f"{rate:,.0f}/s")

        return await work(
            jobs,
            routing_url,
            key,
            approver_keys=approver_keys,
            concurrency=concurrency,
            patience=patience,
            show=show,
            transport=transport,
        )


def _root(base_url: str, desk_url: str | None) -> str | None:
    base_url = base_url.rstrip("/")
    root = desk_url or (base_url.removesuffix("/intake") if base_url.endswith("/intake") else None)
    return root.rstrip("/") if root else None


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
    )


def _tell(console: Console, report: DemoReport, base_url: str, root: str | None) -> None:
    if report.taken:
        table = Table("Channel", "Complaints", title="What was sent")
        table.columns[1].justify = "right"
        for channel, number in report.by_channel.most_common():
            table.add_row(channel, f"{number:,}")
        console.print(table)
    said = []
    if report.taken:
        before = f" ({report.already_there:,} of them were there from an earlier run)" if report.already_there else ""
        said.append(f"The desk took {report.taken:,} made-up complaints in {report.seconds:.1f} s{before}.")
    if report.refused:
        codes = ", ".join(f"{number:,} {code}" for code, number in report.refused.most_common())
        said.append(f"It refused {report.refused.total():,}: {codes}.")
    if report.trouble:
        said.append(f"{'Stopped' if report.taken else 'Nothing was sent'}: {report.trouble}")
    if report.casework:
        said += _worked(report.casework)
    if report.taken:
        said += ["", "Where to look:", *_where(report, base_url, root)]
    console.print("\n".join(said), markup=False, highlight=False, soft_wrap=True)


def _worked(casework: CaseworkReport) -> list[str]:
    said = []
    if casework.settled:
        stand = f"{casework.closed:,} closed, {casework.under_way:,} under way, {casework.untouched:,} untouched"
        said.append(f"Of their cases, {stand}; {casework.steps:,} steps were recorded just now.")
    if casework.refused:
        codes = ", ".join(f"{number:,} {code}" for code, number in casework.refused.most_common())
        said.append(f"Routing would not take a step in {casework.refused.total():,}, which stay as they are: {codes}.")
    if casework.trouble:
        said.append(f"The complaints are there, but the cases could not be worked: {casework.trouble}")
    return said


def _where(report: DemoReport, base_url: str, root: str | None) -> list[str]:
    lines = []
    if root:
        lines += [
            f"  everything    {root}/",
            f"  health        {root}/health",
            f"  dashboard     {root}/reporting/dashboard",
            f"  work queue    {root}/routing/queue?tab=all",
        ]
    if report.tracking:
        url, token = report.tracking
        link = str(httpx.URL(f"{base_url}/").join(url))
        lines.append(f"  one complaint as its complainant sees it: {link}")
        if token not in link:
            lines.append(f"                (its token: {token})")
    if report.surge:
        lines.append(f"  The mobile bank failed on {report.surge:%d %B %Y}: the dashboard should show a surge.")
    return lines
