"""Sending things to complainants: each once, tried for a day, then before a person.

A dispatch is one sender's for `LEASE`. A sender that dies after the other side has taken it and before that is written
down leaves it to be sent again, under the same Message-ID or Idempotency-Key, by which the other side can tell; no
protocol of mail closes that gap. In every other case it is sent once.
"""

import asyncio
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.intake.domain.dispatch import DispatchSettled, Way
from services.intake.domain.retry import next_attempt
from services.intake.store import complaint as complaints
from services.intake.store import correspondence as store
from services.intake.usecases.complaint import Desk
from services.intake.usecases.letter import Printable, printable
from shared import audit, outbox
from shared.clock import Clock, rfc3339
from shared.db import Database
from shared.errors import NotFound
from shared.events import ComplaintNotified
from shared.ids import uuid7
from shared.smtp import Never, NotNow, Outgoing, Pdf, Send

LEASE = timedelta(seconds=120)
AT_ONCE = 10
_LETTERS = Path(__file__).parents[1] / "letters"
log = structlog.get_logger()


@cache
def letters(language: str) -> Mapping[str, Any]:
    """The texts of a language: `{kind: {subject, body, sms}, version}`."""
    return tomllib.loads((_LETTERS / f"{language}.toml").read_text(encoding="utf-8"))


def add(
    tx: AsyncSession,
    desk: Desk,
    complaint: complaints.Complaint,
    *,
    kind: str,
    way: Way,
    language: str,
    dedupe_key: str,
    values: Mapping[str, str],
    origin: str | None,
    answers: str | None,
    now: datetime,
    letter: Mapping[str, Any] | None = None,
) -> store.Dispatch:
    """Write something down to be sent, in the words of `language` with `values` filled in. `letter` is kept with it, to
    be printed (`usecases.letter`)."""
    text = letters(language)[kind]
    filled = {name: _fill(text[name], values).strip() for name in ("subject", "body", "sms")}
    id = uuid7()
    key = desk.data_key(complaint)
    content = {
        "subject": " ".join(filled["subject"].split()),
        "text": filled["sms"] if way.via == "sms" else filled["body"],
        "answers": answers,
        "letter": letter,
    }
    one = store.Dispatch(
        id=id,
        complaint_id=complaint.id,
        kind=kind,
        via=way.via,
        language=language,
        dedupe_key=dedupe_key,
        origin=origin,
        sealed_to=key.seal(f"dispatch-to:{id}", way.address.encode()),
        sealed_content=key.seal(f"dispatch:{id}", orjson.dumps(content)),
        state="waiting",
        created_at=now,
        next_at=now,
    )
    tx.add(one)
    if way.trouble is not None:
        _fail(tx, one, way.trouble, now)
    return one


def _fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its `{placeholders}`; what is filled in is never read as one."""
    parts = text.split("{")
    found = [parts[0]]
    for part in parts[1:]:
        name, closed, rest = part.partition("}")
        found.append(values[name] + rest if closed and name in values else "{" + part)
    return "".join(found)


@dataclass(frozen=True, slots=True)
class _Sending:
    id: str
    via: str
    what: Outgoing | None
    letter: Printable | None = None


class Dispatcher:
    """Sends what is due. `ways` are those that are set up; what goes by another waits."""

    def __init__(self, db: Database, desk: Desk, ways: Mapping[str, Send], clock: Clock, *, bank_name: str) -> None:
        self._db, self._desk, self._ways, self._clock = db, desk, ways, clock
        self._bank_name = bank_name

    async def run(self) -> None:
        """Send until nothing is due."""
        while self._ways and (taken := await self._take()):
            answers = await asyncio.gather(*(self._send(one) for one in taken))
            await self._settle(list(zip(taken, answers, strict=True)))

    async def _take(self) -> list[_Sending]:
        async with self._db.transaction() as tx:
            now = self._clock()
            due = await store.due(tx, now, AT_ONCE, list(self._ways))
            for one in due:
                one.next_at, one.attempts = now + LEASE, one.attempts + 1
            return [await self._opened(tx, one) for one in due]

    async def _opened(self, tx: AsyncSession, one: store.Dispatch) -> _Sending:
        complaint = await complaints.complaint(tx, one.complaint_id)
        if complaint is None or not complaint.wrapped_key:
            return _Sending(one.id, one.via, None)
        key = self._desk.data_key(complaint)
        to = key.open(f"dispatch-to:{one.id}", one.sealed_to).decode()
        content = orjson.loads(key.open(f"dispatch:{one.id}", one.sealed_content))
        what = Outgoing(one.id, to, content["subject"], content["text"], one.language, content["answers"])
        letter = printable(complaint, one, content) if one.via == "email" else None
        return _Sending(one.id, one.via, what, letter)

    async def _send(self, one: _Sending) -> tuple[bool, str | None]:
        """Whether that is final, and why it did not go."""
        if one.what is None:
            return True, "erased"
        try:
            what = one.what
            if one.letter is not None:
                pdf = await asyncio.to_thread(one.letter.pdf, self._bank_name)
                what = replace(what, pdf=Pdf(one.letter.file_name, pdf))
            await self._ways[one.via](what)
        except Never as error:
            return True, str(error)
        except NotNow as error:
            return False, str(error)
        except Exception as error:  # whatever it is, nothing is lost by trying again
            log.warning("dispatch.unforeseen", service="intake", error=type(error).__name__)
            return False, type(error).__name__
        return True, None

    async def _settle(self, done: Sequence[tuple[_Sending, tuple[bool, str | None]]]) -> None:
        async with self._db.transaction() as tx:
            now = self._clock()
            for sending, (final, trouble) in done:
                one = await store.dispatch(tx, sending.id)
                if one is None or one.state != "waiting":
                    continue
                one.error = trouble
                if trouble is None:
                    one.state, one.next_at, one.settled_at = "sent", None, now
                    _tell(tx, one, now)
                    continue
                again = next_attempt(one.attempts, since=one.created_at, now=now, chance=random.random())  # noqa: S311
                if final or again is None:
                    _fail(tx, one, trouble, now)
                else:
                    one.next_at = again


def _fail(tx: AsyncSession, one: store.Dispatch, trouble: str, now: datetime) -> None:
    one.state, one.next_at, one.settled_at, one.error = "failed", None, now, trouble
    _tell(tx, one, now)


def _tell(tx: AsyncSession, one: store.Dispatch, now: datetime) -> None:
    told = ComplaintNotified.model_validate(
        {
            "complaint_id": one.complaint_id,
            "notice_id": one.id,
            "kind": one.kind,
            "via": one.via,
            "state": "failed" if one.state == "failed" else "sent",
            "reason": one.error,
            "origin": one.origin,
            "settled_at": now,
        }
    )
    outbox.add(tx, told, now=now)
    detail = {"dispatch": one.id, "kind": one.kind, "via": one.via}
    audit.add(tx, "system", f"dispatch.{told.state}", one.complaint_id, now=now, detail=detail)


async def retry(tx: AsyncSession, id: str, *, actor: str, now: datetime) -> store.Dispatch:
    """Try a failed dispatch again for another day. Raises NotFound, DispatchSettled."""
    one = await _failed(tx, id)
    one.state, one.next_at, one.settled_at, one.attempts, one.created_at = "waiting", now, None, 0, now
    audit.add(tx, actor, "dispatch.retried", one.complaint_id, now=now, detail={"dispatch": id})
    return one


async def settle(tx: AsyncSession, id: str, *, actor: str, now: datetime) -> store.Dispatch:
    """A person has seen to a failed dispatch another way. Raises NotFound, DispatchSettled."""
    one = await _failed(tx, id)
    one.state, one.settled_at = "settled", now
    _tell(tx, one, now)
    audit.add(tx, actor, "dispatch.settled", one.complaint_id, now=now, detail={"dispatch": id})
    return one


async def _failed(tx: AsyncSession, id: str) -> store.Dispatch:
    one = await store.dispatch(tx, id)
    if one is None:
        raise NotFound("No dispatch has this id.")
    if one.state != "failed":
        raise DispatchSettled(f"This dispatch is {one.state}.")
    return one


def opened(desk: Desk, complaint: complaints.Complaint, one: store.Dispatch) -> dict[str, Any]:
    """What a dispatch says and to whom, for whoever must print or mend it. Raises Erased."""
    key = desk.data_key(complaint)
    content = orjson.loads(key.open(f"dispatch:{one.id}", one.sealed_content))
    to = key.open(f"dispatch-to:{one.id}", one.sealed_to).decode()
    return {"to": to or None, "subject": content["subject"], "text": content["text"]}


def dispatch_view(one: store.Dispatch) -> dict[str, Any]:
    return {
        "id": one.id,
        "complaint_id": one.complaint_id,
        "kind": one.kind,
        "via": one.via,
        "language": one.language,
        "origin": one.origin,
        "state": one.state,
        "attempts": one.attempts,
        "created_at": rfc3339(one.created_at),
        "next_at": rfc3339(one.next_at) if one.next_at else None,
        "settled_at": rfc3339(one.settled_at) if one.settled_at else None,
        "reason": one.error,
    }
