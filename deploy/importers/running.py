"""Bringing the complaints of a file to a desk, each exactly once, whatever kind of file it is.

Reads the file as a stream, keeps some complaints under way at a time, and remembers which rows the desk has taken, so
that it can be interrupted and run again. A row is done only after the desk's answer; whatever was under way is sent
again under the same key, which the desk knows.
"""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from deploy.importers.checkpoint import Checkpoint, Rejects
from deploy.importers.posting import Desk, DeskError, Patience, Refused, Stopped

_GRACE = 10.0
"""Seconds that requests under way get to finish once asked to stop."""

_SAVE_EVERY = 2.0
_BREATHE_EVERY = 200
"""After so many rows that need no sending, signals and the progress bar get their turn."""


class WrongFile(ValueError):
    """The file is not of this kind, or damaged; the message says in what way."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A complaint ready to post. `row_id` is what the file calls it, empty where it has no name for it.

    `key` is the idempotency key. It depends neither on the file's name nor on the row's place in it, so that it holds
    across files and lost checkpoints.
    """

    row_id: str
    key: str
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unfit:
    """A row that cannot become a complaint. `row_id` is empty unless it is a proper one."""

    row_id: str
    code: str
    pointer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """One row: its number, counted from 1 without headings, what is to be made of it, and its cells as they stand."""

    number: int
    what: Mapped | Unfit
    cells: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    """A file being read: `total` and `done()` in one unit, whichever the kind of file has at hand."""

    total: int
    done: Callable[[], int]
    rows: Iterator[Found]
    columns: Sequence[str] = ()


class Source(Protocol):
    """A kind of file. Opening and reading raise WrongFile, or OSError; what becomes of a row depends on nothing but its
    cells (and, for what lies in the future, on `now`), so that a repeat has the same body."""

    def open(self, path: Path, *, now: datetime) -> AbstractContextManager[Opened]: ...


@dataclass(slots=True)
class ImportReport:
    """What became of the rows. `already_there`: taken by an earlier run, or known to the desk by its key.

    `codes` counts the rejected rows by the reason's code. `trouble` says in plain words why the import could not go on.
    """

    file: Path
    checkpoint: Path | None = None
    rejects: Path | None = None
    rows: int = 0
    sent: int = 0
    already_there: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    interrupted: bool = False
    trouble: str | None = None

    @property
    def rejected(self) -> int:
        return self.codes.total()

    @property
    def exit_code(self) -> int:
        """0 when the whole file was gone through (rejected rows or not), 130 when interrupted, 1 when it failed."""
        if self.trouble:
            return 1
        return 130 if self.interrupted else 0


async def run_import(
    source: Source,
    path: Path,
    base_url: str,
    key: str,
    *,
    home: Path,
    concurrency: int = 16,
    console: Console,
    limit: int | None = None,
    now: datetime | None = None,
    patience: Patience | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    keep_rows: bool = False,
) -> ImportReport:
    """Bring the complaints in `path` to the intake service at `base_url`; never raises for what it meets.

    `key` needs the scope complaints:import. `home` is `$REDRESS_HOME`; the checkpoint goes to `imports/` in it, the
    rejected rows beside it (`keep_rows`: with their cells, to be mended). `limit` looks at the first rows only. SIGINT
    and SIGTERM stop it with the checkpoint saved; a second one does not wait for what is under way. Prints progress and
    a summary.
    """
    began = time.monotonic()
    report = ImportReport(path)
    stop = asyncio.Event()
    try:
        checkpoint = Checkpoint.of(path, home=home, desk=base_url.rstrip("/"))
        report.checkpoint = checkpoint.path
        async with Desk(
            base_url, key, concurrency=concurrency, patience=patience, stop=stop, transport=transport
        ) as desk:
            await desk.greet()
            reading = source.open(path, now=now or datetime.now(UTC))
            with (
                Rejects(checkpoint.rejects, keep_rows=keep_rows) as rejects,
                reading as opened,
                bar(console) as progress,
            ):
                rejects.columns = opened.columns
                run = _Run(desk, checkpoint, rejects, report, stop, concurrency)
                task = progress.add_task(path.name, total=opened.total, rate="")
                with _signals(run.ask_to_stop):
                    await run.all(opened.rows, limit, lambda: show(progress, task, opened, report.rows, began))
                if not stop.is_set():
                    progress.update(task, total=opened.done())
                report.rejects = rejects.path if rejects.count else None
    except (DeskError, WrongFile) as error:
        report.trouble = str(error)
    except OSError as error:
        report.trouble = f"{path}: {error.strerror or error}"
    report.seconds = time.monotonic() - began
    _tell(console, report)
    return report


class _Run:
    """One pass over the file."""

    def __init__(
        self,
        desk: Desk,
        checkpoint: Checkpoint,
        rejects: Rejects,
        report: ImportReport,
        stop: asyncio.Event,
        concurrency: int,
    ) -> None:
        self._desk = desk
        self._checkpoint = checkpoint
        self._rejects = rejects
        self._report = report
        self._stop = stop
        self._slots = asyncio.Semaphore(concurrency)
        self._under_way: set[asyncio.Task[None]] = set()
        self._next_save = time.monotonic() + _SAVE_EVERY

    def ask_to_stop(self) -> None:
        if self._stop.is_set():
            self._drop()
            return
        self._report.interrupted = True
        self._stop.set()
        asyncio.get_running_loop().call_later(_GRACE, self._drop)

    def _drop(self) -> None:
        for task in self._under_way:
            task.cancel()

    async def all(self, rows: Iterator[Found], limit: int | None, show: Callable[[], None]) -> None:
        """Go through `rows` until the end, the limit, a signal or trouble; the checkpoint is saved in each case."""
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    await self._feed(tasks, rows, limit, show)
                except WrongFile as error:
                    after = f" (after row {self._report.rows:,})" if self._report.rows else ""
                    self._report.trouble = f"{error}{after}"
        finally:
            self._save()
            show()

    async def _feed(
        self, tasks: asyncio.TaskGroup, rows: Iterator[Found], limit: int | None, show: Callable[[], None]
    ) -> None:
        idle = 0
        for row in rows:
            if self._stop.is_set() or (limit is not None and row.number > limit):
                return
            self._report.rows = row.number
            complaint = self._fit(row)
            if complaint is None:
                idle += 1
                if idle % _BREATHE_EVERY == 0:
                    self._save_now_and_then()
                    show()
                    await asyncio.sleep(0)
                continue
            await self._slots.acquire()
            task = tasks.create_task(self._send(row, complaint))
            self._under_way.add(task)
            task.add_done_callback(self._end)
            show()

    def _end(self, task: asyncio.Task[None]) -> None:
        # Not in the task itself: one that is cancelled before its first step runs none of its own code.
        self._under_way.discard(task)
        self._slots.release()

    def _fit(self, row: Found) -> Mapped | None:
        """What is to be sent for `row`; None where it is rejected or already done."""
        if isinstance(row.what, Unfit):
            self._reject(row, row.what)
            return None
        if row.number in self._checkpoint.done:
            self._report.already_there += 1
            return None
        return row.what

    async def _send(self, row: Found, complaint: Mapped) -> None:
        try:
            answer = await self._desk.post(complaint.body, complaint.key)
        except Stopped:
            return
        except DeskError as error:
            self._report.trouble = str(error)
            self._stop.set()
            return
        if isinstance(answer, Refused):
            pointers = " ".join(pointer for pointer, _ in answer.reasons)
            reason = "; ".join(detail for _, detail in answer.reasons) or answer.detail
            unfit = Unfit(complaint.row_id, answer.code, pointers, reason)
            self._reject(row, unfit, narrative=str(complaint.body["narrative"]))
            return
        self._checkpoint.done.add(row.number)
        if answer.replayed:
            self._report.already_there += 1
        else:
            self._report.sent += 1
        self._save_now_and_then()

    def _reject(self, row: Found, unfit: Unfit, *, narrative: str = "") -> None:
        reason = (unfit.row_id, unfit.code, unfit.pointer, unfit.reason)
        self._rejects.add(row.number, *reason, narrative=narrative, cells=row.cells)
        self._report.codes[unfit.code] += 1

    def _save_now_and_then(self) -> None:
        if time.monotonic() >= self._next_save:
            self._save()

    def _save(self) -> None:
        began = time.monotonic()
        self._rejects.flush()
        self._checkpoint.save()
        # A checkpoint full of gaps is slow to write; saving must stay a small part of the work.
        self._next_save = time.monotonic() + max(_SAVE_EVERY, 20 * (time.monotonic() - began))


@contextlib.contextmanager
def _signals(ask_to_stop: Callable[[], None]) -> Iterator[None]:
    """SIGINT and SIGTERM ask to stop; where platform or thread know no such handlers, they do what they always do."""
    loop = asyncio.get_running_loop()
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, ask_to_stop)
            before[number] = handler
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)


def bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
    )


def show(progress: Progress, task: TaskID, opened: Opened, rows: int, began: float) -> None:
    rate = rows / max(time.monotonic() - began, 0.001)
    progress.update(task, completed=opened.done(), rate=f"{rows:,} rows, {rate:,.0f}/s")


def _tell(console: Console, report: ImportReport) -> None:
    took = timedelta(seconds=round(report.seconds))
    said = [
        f"{report.file.name}: {report.rows:,} rows read in {took} (h:mm:ss).",
        f"{report.sent:,} sent, {report.already_there:,} already there, {report.rejected:,} rejected.",
    ]
    if report.codes:
        said.append("Rejected: " + ", ".join(f"{count:,} {code}" for code, count in report.codes.most_common()) + ".")
    if report.rejects:
        said.append(f"Which rows, and why: {report.rejects}")
    if report.trouble:
        said.append(f"Stopped: {report.trouble}")
    if report.interrupted:
        said.append("Interrupted.")
    if (report.trouble or report.interrupted) and report.checkpoint:
        said.append("Nothing is lost or sent twice: the same command goes on from here.")
    console.print("\n".join(said), markup=False, highlight=False, soft_wrap=True)
