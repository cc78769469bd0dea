"""`make demo`: send made-up complaints through every channel of a desk, and say where to look at them."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
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

from deploy.demo.complaints import DemoComplaint, generate
from deploy.demo.timing import surge_day
from deploy.importers.posting import Desk, DeskError, DeskUnreachable, Patience, Refused, Taken

_PATIENCE = Patience(total=60.0)
_SURGE_SHOWS_FROM = 100
"""Complaints; with fewer, the day of the surge has too few of them to stand out."""


@dataclass(slots=True)
class DemoReport:
    """What was sent. `already_there`: known to the desk by its key. `tracking` is one complaint's link and token."""

    already_there: int = 0
    by_channel: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    surge: date | None = None
    tracking: tuple[str, str] | None = None
    seconds: float = 0.0
    trouble: str | None = None

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
        """0 when the desk took every complaint, else 1."""
        return 1 if self.trouble or self.refused else 0


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
) -> DemoReport:
    """Post `count` complaints to the intake service at `base_url` with a key of scope complaints:import.

    `until` (aware; the full hour just past if not given) ends the eighteen months that they come from: the same seed,
    count and hour give the same complaints, which the desk takes once. `desk_url` is where the pages are, if not one
    level above a `base_url` that ends in `/intake`. A desk that can't be reached is told in the
    console and by `exit_code` 1, not raised.
    """
    until = until or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    report = DemoReport(surge=surge_day(until, seed=seed) if count >= _SURGE_SHOWS_FROM else None)
    began = time.monotonic()
    try:
        async with Desk(
            base_url, key, concurrency=concurrency, patience=patience or _PATIENCE, transport=transport
        ) as desk:
            await desk.greet()
            with _bar(console) as bar:
                task = bar.add_task("Sending complaints", total=count, rate="")
                left = generate(count, seed=seed, until=until)

                async def send() -> None:
                    # All senders draw from the one iterator, so that complaints arrive more or less in their order.
                    for complaint in left:
                        report.note(complaint, await desk.post(complaint.body(), complaint.key))
                        rate = report.settled / max(time.monotonic() - began, 0.001)
                        bar.update(task, advance=1, rate=f"{rate:,.0f}/s")

                async with asyncio.TaskGroup() as tasks:
                    for _ in range(concurrency):
                        tasks.create_task(send())
    except* DeskError as group:
        error = _first(group)
        hint = " Is it running? `make up` starts it." if isinstance(error, DeskUnreachable) else ""
        report.trouble = f"{error}{hint}"
    report.seconds = time.monotonic() - began
    _tell(console, report, base_url.rstrip("/"), desk_url)
    return report


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


def _first(group: BaseExceptionGroup[DeskError]) -> BaseException:
    """The first error itself: several senders may have met the same one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _tell(console: Console, report: DemoReport, base_url: str, desk_url: str | None) -> None:
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
    if report.taken:
        said += ["", "Where to look:", *_where(report, base_url, desk_url)]
    console.print("\n".join(said), markup=False, highlight=False, soft_wrap=True)


def _where(report: DemoReport, base_url: str, desk_url: str | None) -> list[str]:
    root = desk_url or (base_url.removesuffix("/intake") if base_url.endswith("/intake") else None)
    lines = []
    if root:
        root = root.rstrip("/")
        lines += [
            f"  everything    {root}/",
            f"  dashboard     {root}/reporting/dashboard",
            f"  cases         {root}/routing/v1/cases",
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
