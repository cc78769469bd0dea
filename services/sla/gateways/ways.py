"""The ways by which a message leaves: mail, chat, signed webhook. Each says how it fared and raises nothing."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import orjson
import structlog
from standardwebhooks import Webhook as Signer

from services.sla.domain.notice import SENT, Format, Outcome, judge
from services.sla.gateways import chat
from services.sla.gateways.words import Told
from services.sla.store.notices import NoticeRow
from shared.clock import rfc3339
from shared.outbound import NotAllowed, NotReached, Outbound
from shared.smtp import Never, NotNow, Outgoing, Send

MAIL_HOST = "mail"
"""Stands for the bank's own mail server where hosts are told apart."""
LONGEST = 25.0  # seconds for one attempt by any way
_ANSWER = 1024  # bytes of a chat's answer that are looked at
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Means:
    """What is set up to send with. `mail` None: what would go by mail waits."""

    mail: Send | None
    outbound: Outbound


@dataclass(frozen=True, slots=True)
class Route:
    """How one recipient is reached. `subscription` is the one whose address it is; `secrets` sign for a webhook, the
    newest first."""

    way: Literal["email", "chat", "webhook"]
    address: str
    language: str
    zone: ZoneInfo
    subscription: str | None = None
    format: Format | None = None
    secrets: tuple[bytes, ...] = ()

    @property
    def host(self) -> str:
        return MAIL_HOST if self.way == "email" else urlsplit(self.address).netloc


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message, ready to go. `id` names it to the receiving side; `facts` are for machines."""

    id: str
    told: Told
    facts: Mapping[str, Any]


async def send(means: Means, route: Route, parcel: Parcel, *, now: datetime) -> Outcome:
    """Send one message, in `LONGEST` seconds at most. `now` dates the signature of a webhook."""
    try:
        async with asyncio.timeout(LONGEST):
            match route.way:
                case "email":
                    return await _mail(means, route, parcel)
                case "chat":
                    return await _chat(means, route, parcel)
                case "webhook":
                    return await _webhook(means, route, parcel, now)
    except NotAllowed as error:
        return Outcome("never", str(error))
    except NotReached as error:
        return Outcome("later", str(error), down=True)
    except TimeoutError:
        return Outcome("later", "TimeoutError", down=True)
    except Exception as error:  # whatever it is, nothing is lost by trying again
        log.warning("notice.unforeseen", service="sla", error=type(error).__name__)
        return Outcome("later", type(error).__name__)


async def _mail(means: Means, route: Route, parcel: Parcel) -> Outcome:
    if means.mail is None:
        return Outcome("later", "no mail server is set up", down=True)
    mail = Outgoing(parcel.id, route.address, parcel.told.subject, parcel.told.plain(), route.language)
    try:
        await means.mail(mail)
    except Never as error:
        return Outcome("never", str(error))
    except NotNow as error:
        return Outcome("later", str(error), down=True)
    return SENT


async def _chat(means: Means, route: Route, parcel: Parcel) -> Outcome:
    assert route.format is not None
    headers = {"Content-Type": "application/json", "User-Agent": "Redress", "Idempotency-Key": parcel.id}
    body = chat.body(parcel.told, route.format)
    return chat.judge_answer(route.format, await means.outbound.ask(route.address, body, headers, most=_ANSWER))


async def _webhook(means: Means, route: Route, parcel: Parcel, now: datetime) -> Outcome:
    """As Standard Webhooks has it: with several secrets there are several signatures, one of which will do."""
    body = orjson.dumps(parcel.facts)
    signers = [Signer(base64.b64encode(secret).decode()) for secret in route.secrets]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Redress",
        "webhook-id": parcel.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signer.sign(parcel.id, now, body.decode()) for signer in signers),
    }
    answer = await means.outbound.ask(route.address, body, headers, most=0)
    return judge(answer.status, retry_after=answer.retry_after)


def facts(row: NoticeRow, told: Told, *, language: str, link: str | None) -> dict[str, Any]:
    """The body of a webhook: `{type, timestamp, data}`, the same at every attempt."""
    data = {
        "id": row.id,
        "complaint_id": row.complaint_id,
        "reference": row.reference,
        "step": row.step,
        "level": row.level,
        "role": row.role,
        "due_at": rfc3339(row.due_at) if row.due_at else None,
        "was_due_at": rfc3339(row.was_due_at) if row.was_due_at else None,
        "granted": row.granted,
        "department": row.department,
        "branch": row.branch,
        "urgent": row.urgent,
        "link": link,
        "language": language,
        "subject": told.subject,
        "text": told.plain(),
    }
    known = {name: value for name, value in data.items() if value is not None}
    return {"type": f"notice.{row.kind}", "timestamp": rfc3339(row.at), "data": known}
