"""Working the demonstration's cases through routing's public face, as the officers of a desk would have."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import httpx

from deploy.demo.casework import Move
from deploy.importers.calling import Caller, DeskError, DeskUnreachable, NotAccepted, Patience, said

_STOP = {
    401: "Routing does not accept this key.",
    403: "The key is not allowed to work cases; it needs the role officer or supervisor.",
    405: "There is no case desk at this address.",
}
_DONE_BEFORE = "verb_not_allowed"
_LOOK_AGAIN = 1.0
"""Seconds between two looks for a case, at most."""


@dataclass(frozen=True, slots=True)
class Job:
    """A complaint that the desk has taken, and what is to be done about it."""

    complaint_id: str
    moves: tuple[Move, ...]


@dataclass(slots=True)
class CaseworkReport:
    """What became of the cases. `closed`, `under_way` and `untouched` as they stand now, whoever brought them there.

    `moves` counts the steps taken by this run; `refused` those that routing would not take, by code: such a case is
    left as it is. `trouble` says in plain words why the work could not go on.
    """

    closed: int = 0
    under_way: int = 0
    untouched: int = 0
    moves: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    trouble: str | None = None

    @property
    def worked(self) -> int:
        return self.closed + self.under_way

    def note(self, job: Job, taken: int, refused: str | None) -> None:
        """Count what became of one case."""
        self.moves += taken
        if refused is not None:
            self.refused[refused] += 1
        elif not job.moves:
            self.untouched += 1
        elif job.moves[-1].verb == "close":
            self.closed += 1
        else:
            self.under_way += 1


async def work(
    jobs: Iterable[Job],
    routing_url: str,
    key: str,
    *,
    concurrency: int,
    patience: Patience,
    show: Callable[[], Any],
    transport: httpx.AsyncBaseTransport | None = None,
) -> CaseworkReport:
    """Do `jobs` through the routing service at `routing_url` with an officer's or supervisor's `key`.

    Done again, it finds everything done and changes nothing. `show` is called after each job. Trouble is told in the
    report, not raised.
    """
    report = CaseworkReport()
    left = iter(jobs)
    try:
        async with CaseDesk(
            routing_url, key, concurrency=concurrency, patience=patience, transport=transport
        ) as desk:
            await desk.greet()

            async def one_after_another() -> None:
                for job in left:
                    report.note(job, *await desk.follow(job))
                    show()

            async with asyncio.TaskGroup() as tasks:
                for _ in range(concurrency):
                    tasks.create_task(one_after_another())
    except* DeskError as group:
        report.trouble = str(first(group))
    return report


class CaseDesk(Caller):
    """A routing service."""

    _last_appeared: float | None = None

    async def follow(self, job: Job) -> tuple[int, str | None]:
        """Take the job's moves in order: how many were new, and the code of the first that was refused, if any.

        Raises DeskUnreachable, NotAccepted, or Stopped.
        """
        taken = 0
        if job.moves:
            await self._appear(job.complaint_id)
        for move in job.moves:
            response = await self.ask("POST", f"/v1/cases/{job.complaint_id}/{move.verb}", body=move.body())
            if response.is_success:
                taken += 1
                continue
            code = str(said(response).get("code") or f"http_{response.status_code}")
            if response.status_code == 409 and code == _DONE_BEFORE:
                continue
            self._stop_if_hopeless(response)
            return taken, code
        return taken, None

    async def _appear(self, complaint_id: str) -> None:
        """Wait for the case: routing hears of a complaint a little after intake has taken it."""
        if self._last_appeared is None:
            self._last_appeared = time.monotonic()
        pause = self.patience.first / 4
        while (response := await self.ask("GET", f"/v1/cases/{complaint_id}")).status_code == 404:
            # As long as other cases come, this one is only further back in the line.
            if time.monotonic() - self._last_appeared > self.patience.total:
                raise DeskUnreachable(
                    f"Routing at {self.base_url} has opened no case for {self.patience.total:.0f} s; "
                    "does its worker run?"
                )
            await self.wait(pause)
            pause = min(pause * 2, _LOOK_AGAIN)
        self._last_appeared = time.monotonic()
        if not response.is_success:
            self._stop_if_hopeless(response)
            raise DeskUnreachable(f"Routing at {self.base_url} can't show a case (status {response.status_code}).")

    def _stop_if_hopeless(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in _STOP or 300 <= status < 400:
            told = _STOP.get(status, "The address leads elsewhere; give the one of the routing service itself.")
            detail = said(response).get("detail")
            raise NotAccepted(f"{told} ({self.base_url}, status {status}{f': {detail}' if detail else ''})")


def first(group: BaseExceptionGroup[DeskError]) -> BaseException:
    """The first error itself: several senders may have met the same one."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
