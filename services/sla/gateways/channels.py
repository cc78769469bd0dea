"""Sending one message to one recipient: by mail, signed webhook, or into a chat room."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import orjson
from standardwebhooks import Webhook as Signer

from services.sla.gateways.subscribers import Subscriber
from shared.mail import Never, NotNow, Outgoing, Send
from shared.outbound import NotAllowed, NotReached, Outbound
from shared.retry import next_attempt

__all__ = ["Message", "Never", "NotNow", "Sender", "mail", "next_attempt", "post"]

_LATER = frozenset((401, 403, 404, 408, 409, 425, 429))
"""Answers after which trying again may help: much of it is somebody mending what is wrong over there."""


class Message:
    """What goes out. `id` names it to the receiving side, the same at every attempt; `data`: for machines."""

    __slots__ = ("data", "id", "language", "lines", "subject")

    def __init__(self, id: str, subject: str, lines: list[str], language: str, data: dict[str, Any]) -> None:
        self.id, self.subject, self.lines, self.language, self.data = id, subject, lines, language, data

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


Sender = Callable[[Message, datetime], Awaitable[None]]
"""Sends a message now. Raises NotNow, Never."""


def mail(send: Send, address: str) -> Sender:
    """By mail to a person in a post."""

    async def go(message: Message, _now: datetime) -> None:
        await send(Outgoing(message.id, address, message.subject, message.text, message.language))

    return go


def post(outbound: Outbound, to: Subscriber) -> Sender:
    """By HTTP to a subscriber, in its format."""

    async def go(message: Message, now: datetime) -> None:
        body = orjson.dumps(_BODIES[to.format](message))
        headers = {"Content-Type": "application/json", "User-Agent": "Redress"}
        if to.secrets:
            signed = [Signer(secret).sign(message.id, now, body.decode()) for secret in to.secrets]
            headers |= {
                "webhook-id": message.id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": " ".join(signed),
            }
        try:
            status = await outbound.post(to.url, body, headers)
        except NotAllowed as error:
            raise Never(str(error)) from None
        except NotReached as error:
            raise NotNow(str(error)) from None
        if 200 <= status < 300:
            return
        if status in _LATER or status >= 500:
            raise NotNow(f"answered {status}")
        raise Never(f"answered {status}")

    return go


def _webhook(message: Message) -> dict[str, Any]:
    return message.data


def _wecom(message: Message) -> dict[str, Any]:
    """A WeCom group robot's markdown."""
    content = "\n".join([f"**{message.subject}**", *message.lines])
    return {"msgtype": "markdown", "markdown": {"content": content[:4000]}}


def _teams(message: Message) -> dict[str, Any]:
    """A Teams workflow's Adaptive Card."""
    body = [{"type": "TextBlock", "text": message.subject, "weight": "Bolder", "wrap": True}]
    body += [{"type": "TextBlock", "text": line, "wrap": True} for line in message.lines if line]
    card = {"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4"}
    content = card | {"body": body, "lang": message.language}
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": content}]}


def _slack(message: Message) -> dict[str, Any]:
    """A Slack incoming webhook's blocks; `text` is what screen readers and notifications say."""
    header = {"type": "header", "text": {"type": "plain_text", "text": message.subject[:150]}}
    section = {"type": "section", "text": {"type": "plain_text", "text": message.text[:3000]}}
    return {"text": message.subject, "blocks": [header, section]}


_BODIES: dict[str, Callable[[Message], dict[str, Any]]] = {
    "webhook": _webhook,
    "wecom": _wecom,
    "teams": _teams,
    "slack": _slack,
}
