"""Working the demonstration's cases through routing's public face, as the officers of a desk would have."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from deploy.demo.casework import Move
from deploy.importers.calling import Caller, DeskError, DeskUnreachable, NotAccepted, Patience, first, said

_NO_DESK = "There is no case desk at this address."
_STOP = {401: "Routing does not accept this key.", 405: _NO_DESK}
_FORBIDDEN = "The key is not allowed to work cases; it needs the role officer or supervisor."
_NEEDS_APPROVAL = "approval_needed"
_LOOK_AGAIN = 1.0
"""Seconds between two looks for a case, at most."""

_CHANGES = 5
"""How often a case may have changed under one's hands before its step counts as refused."""


@dataclass(frozen=True, slots=True)
class Job:
    """A complaint that the desk has taken, and what is to be done about it."""

    complaint_id: str
    moves: tuple[Move, ...]


@dataclass(slots=True)
class CaseworkReport:
    """What became of the cases. `closed`, `under_way` and `untouched` as they stand now, whoever brought them there.

    `steps` counts those taken by this run; `refused` the cases in which routing would not take one, by its code: they
    are left as they are. `trouble` says in plain words why the work could not go on.
    """

    closed: int = 0
    under_way: int = 0
    untouched: int = 0
    steps: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    trouble: str | None = None

    @property
    def settled(self) -> int:
        return self.closed + self.under_way + self.untouched + self.refused.total()

    def note(self, job: Job, case: Mapping[str, Any], refused: str | None) -> None:
        """Count what became of one case."""
        if refused is not None:
            self.refused[refused] += 1
        elif case.get("closed_at"):
            self.closed += 1
        elif job.moves:
            self.under_way += 1
        else:
            self.untouched += 1


async def work(
    jobs: Iterable[Job],
    routing_url: str,
    key: str,
    *,
    approver_keys: Sequence[str] = (),
    concurrency: int,
    patience: Patience,
    show: Callable[[CaseworkReport], None],
    transport: httpx.AsyncBaseTransport | None = None,
) -> CaseworkReport:
    """Do `jobs` through the routing service at `routing_url` with the `key` of a supervisor or officer; what needs a
    second person is approved with one of `approver_keys`.

    Done again, it finds everything done and changes nothing. `show` is called after each job. Trouble is told in the
    report, not raised.
    """
    report = CaseworkReport()
    left = iter(jobs)
    try:
        async with CaseDesk(routing_url, key, concurrency=concurrency, patience=patience, transport=transport) as desk:
            if (await desk.greet()).status_code == 404:
                raise NotAccepted(f"{_NO_DESK} ({desk.base_url})")

            async def one_after_another() -> None:
                for job in left:
                    case: Mapping[str, Any] = await desk.case(job.complaint_id) if job.moves else {}
                    refused = None
                    for move in job.moves:
                        case, taken, refused = await desk.take(job.complaint_id, case, move)
                        if refused == _NEEDS_APPROVAL and await desk.approve(job.complaint_id, move, approver_keys):
                            case, taken, refused = await desk.take(job.complaint_id, case, move)
                        report.steps += taken
                        if refused is not None:
                            break
                    report.note(job, case, refused)
                    show(report)

            async with asyncio.TaskGroup() as tasks:
                for _ in range(concurrency):
                    tasks.create_task(one_after_another())
    except* DeskError as group:
        report.trouble = str(first(group))
    return report


class CaseDesk(Caller):
    """A routing service."""

    _last_opened: float | None = None

    async def case(self, complaint_id: str) -> Mapping[str, Any]:
        """The case, waited for: routing hears of a complaint a little after intake has taken it.

        Raises DeskUnreachable, NotAccepted, or Stopped.
        """
        if self._last_opened is None:
            self._last_opened = time.monotonic()
        pause = self.patience.first / 4
        while (response := await self.ask("GET", f"/v1/cases/{complaint_id}")).status_code == 404:
            # As long as other cases come, this one is only further back in the line.
            if time.monotonic() - self._last_opened > self.patience.total:
                told = f"has opened no case for {self.patience.total:.0f} s; is its worker running?"
                raise DeskUnreachable(f"Routing at {self.base_url} {told}")
            await self.wait(pause)
            pause = min(pause * 2, _LOOK_AGAIN)
        self._last_opened = time.monotonic()
        self._stop_if_hopeless(response)
        if not response.is_success:
            raise DeskUnreachable(f"Routing at {self.base_url} can't show a case (status {response.status_code}).")
        return said(response)

    async def take(
        self, complaint_id: str, case: Mapping[str, Any], move: Move
    ) -> tuple[Mapping[str, Any], bool, str | None]:
        """Take one step with `case` unless it is behind it: the case then, whether it was taken just now, and the code
        if it was refused.

        Raises DeskUnreachable, NotAccepted, or Stopped.
        """
        code: str | None = None
        for _ in range(_CHANGES):
            if move.done(case):
                return case, False, None
            # Bound to the version that was seen: a step whose answer got lost is not taken a second time.
            response = await self.ask(
                "POST",
                f"/v1/cases/{complaint_id}/{move.verb}",
                body=move.body(),
                headers={"If-Match": f'"{case.get("version")}"'},
            )
            if response.is_success:
                return said(response), True, None
            self._stop_if_hopeless(response)
            code = str(said(response).get("code") or f"http_{response.status_code}")
            if response.status_code not in (409, 412):
                break
            case = await self.case(complaint_id)
        return case, False, None if move.done(case) else code

    async def approve(self, complaint_id: str, move: Move, approver_keys: Sequence[str]) -> bool:
        """Propose the decision of `move` and let the first of `approver_keys` approve it that may."""
        path = f"/v1/cases/{complaint_id}"
        proposed = await self.ask("POST", f"{path}/propose", body=move.body(), headers={})
        for key in approver_keys if proposed.is_success else ():
            headers = {"Authorization": f"Bearer {key}"}
            answer = await self.ask("POST", f"{path}/approve", body={"at": move.at.isoformat()}, headers=headers)
            if answer.is_success:
                return True
        return False

    def _stop_if_hopeless(self, response: httpx.Response) -> None:
        status, problem = response.status_code, said(response)
        told = _STOP.get(status)
        if status == 403 and problem.get("code", "forbidden") == "forbidden":
            told = _FORBIDDEN  # other codes of 403 concern the one case only
        if 300 <= status < 400:
            told = "The address leads elsewhere; give the one of the routing service itself."
        if told:
            detail = problem.get("detail")
            raise NotAccepted(f"{told} ({self.base_url}, status {status}{f': {detail}' if detail else ''})")
