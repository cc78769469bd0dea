"""Posting complaints to a desk so that each arrives exactly once: retries with the same key, refusals told apart.

"This row is wrong" (`Refused`) is told apart from "not now" (retried, see `calling`) and from "this will never work"
(`DeskError`), on which the sender stops.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from deploy.importers.calling import Caller, DeskError, DeskUnreachable, NotAccepted, Patience, Stopped, said

__all__ = ["Desk", "DeskError", "DeskUnreachable", "NotAccepted", "Patience", "Refused", "Stopped", "Taken"]

_STOP = {
    401: "The desk does not accept this key.",
    403: "The key is not allowed to do this; it needs the scope complaints:import.",
    404: "There is no complaint desk at this address.",
    405: "There is no complaint desk at this address.",
}
_CONFLICT_OF_CONTENT = "channel_ref_conflict"


@dataclass(frozen=True, slots=True)
class Taken:
    """The desk has the complaint. `replayed` where it says that it had it already."""

    answer: Mapping[str, Any]
    replayed: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The desk will not have this complaint, however often it is sent. `reasons` are pairs of pointer and detail."""

    status: int
    code: str
    detail: str
    reasons: tuple[tuple[str, str], ...] = ()


class Desk(Caller):
    """An intake service."""

    async def post(self, body: Mapping[str, Any], key: str) -> Taken | Refused:
        """Post one complaint under its idempotency key, as often as it takes.

        Raises DeskUnreachable, NotAccepted, or Stopped.
        """
        response = await self.ask(
            "POST", "/v1/complaints", body=body, headers={"Idempotency-Key": key}, doubtful=_in_doubt
        )
        if response.status_code in (200, 201):
            return _taken(response)
        return self._refused(response.status_code, said(response))

    def _refused(self, status: int, problem: Mapping[str, Any]) -> Refused:
        detail = str(problem.get("detail") or problem.get("title") or "")
        if status in _STOP or 300 <= status < 400:
            told = _STOP.get(status, "The address leads elsewhere; give the one of the intake service itself.")
            raise NotAccepted(f"{told} ({self.base_url}, status {status}{': ' + detail if detail else ''})")
        errors = problem.get("errors")
        reasons = tuple(
            (str(error.get("pointer") or ""), str(error.get("detail") or ""))
            for error in (errors if isinstance(errors, list) else [])
            if isinstance(error, Mapping)
        )
        return Refused(status, str(problem.get("code") or f"http_{status}"), detail, reasons)


def _taken(response: httpx.Response) -> Taken:
    # Intake tells a repeat by this header; a plain 200 in place of 201 is how others would.
    told = response.headers.get("Idempotency-Replayed", "").lower() == "true"
    return Taken(said(response), replayed=told or response.status_code == 200)


def _in_doubt(response: httpx.Response) -> bool:
    """Whether another try may mend it: a server's own error, or a twin of this very request still under way."""
    if response.status_code == 409:
        return said(response).get("code") != _CONFLICT_OF_CONTENT
    return response.status_code >= 500
