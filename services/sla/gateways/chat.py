"""Messages as chats take them: WeCom group robots, Microsoft Teams workflows, Slack incoming webhooks.

Each has a limit of its own; what does not fit is left out line by line from the end, never in the middle of a word or
link, and an ellipsis says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from services.sla.domain.notice import SENT, Format, Outcome, judge
from services.sla.gateways.words import Line, Told
from shared.outbound import Answer

_WECOM_MOST = 4096  # bytes of UTF-8 in a markdown message
_TEAMS_MOST = 25_000  # bytes; the card as a whole may have 28 KB
_SLACK_MOST = 3000  # characters of a section's text
_SLACK_HEADER = 150  # characters
_WECOM_BUSY = frozenset((-1, 45009, 45033))
"""Error codes of WeCom that pass: busy, called too often, too many at once."""
_WECOM_REMOVED = 93000
"""Its error code for a webhook that is not there (any more)."""
_WECOM_SIGNS = str.maketrans("[]<>*`", "［］＜＞＊＇")  # its markdown knows no way to escape


def body(told: Told, format: Format) -> bytes:
    return orjson.dumps(_FORMATS[format](told))


def judge_answer(format: Format, answer: Answer) -> Outcome:
    """How a message fared. WeCom answers 200 whatever happens and says in the body how it went."""
    found = judge(answer.status, retry_after=answer.retry_after)
    if answer.status == 404:  # how Slack and Teams say that the webhook was removed
        return replace(found, gone=True)
    if format != "wecom" or found != SENT:
        return found
    try:
        code = int(orjson.loads(answer.body)["errcode"])
    except (ValueError, KeyError, TypeError):
        return Outcome("later", "answered what nobody can read", down=True)
    if code == 0:
        return SENT
    busy = code in _WECOM_BUSY
    return Outcome("later" if busy else "never", f"answered errcode {code}", down=busy, gone=code == _WECOM_REMOVED)


def _wecom(told: Told) -> dict[str, Any]:
    def line(one: Line) -> str:
        text = one.text.translate(_WECOM_SIGNS)
        return f"[{text}]({one.link})" if one.link else text

    head = f"**{told.subject.translate(_WECOM_SIGNS)}**"
    kept = _fitting(head, [line(one) for one in told.lines], _WECOM_MOST, lambda text: len(text.encode()))
    return {"msgtype": "markdown", "markdown": {"content": kept}}


def _teams(told: Told) -> dict[str, Any]:
    def line(one: Line) -> str:
        text = _plain(one.text)
        return f"[{text}]({one.link})" if one.link else text

    lines, size = [], 0
    for one in map(line, told.lines):
        size += len(one.encode()) + 80  # what the block around it takes
        if size > _TEAMS_MOST:
            lines.append("…")
            break
        lines.append(one)
    blocks = [{"type": "TextBlock", "text": text, "wrap": True, "spacing": "Small"} for text in lines]
    title = {"type": "TextBlock", "text": _plain(told.subject), "weight": "Bolder", "size": "Medium", "wrap": True}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [title, *blocks],
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def _slack(told: Told) -> dict[str, Any]:
    def line(one: Line) -> str:
        text = _entities(one.text)
        return f"<{one.link}|{text.replace('|', '/')}>" if one.link else text

    header = told.subject if len(told.subject) <= _SLACK_HEADER else told.subject[: _SLACK_HEADER - 1] + "…"
    kept = _fitting("", [line(one) for one in told.lines], _SLACK_MOST, len)
    return {
        "text": _entities(told.subject),  # what a phone shows before the message is opened
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": header}},
            {"type": "section", "text": {"type": "mrkdwn", "text": kept}},
        ],
    }


def _fitting(head: str, lines: Sequence[str], most: int, size: Callable[[str], int]) -> str:
    """`head` and as many `lines` as fit, with an ellipsis where some do not."""
    kept = [head] if head else []
    used = sum(size(part) + 1 for part in kept)
    for at, line in enumerate(lines):
        needed = size(line) + 1
        last = at == len(lines) - 1
        if used + needed + (0 if last else size("…") + 1) > most:
            kept.append("…")
            break
        kept.append(line)
        used += needed
    return "\n".join(kept)


def _plain(text: str) -> str:
    """`text` with nothing in it that markdown would take for its own."""
    return "".join(f"\\{sign}" if sign in "[]*_`>#" else sign for sign in text)


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_FORMATS: dict[Format, Callable[[Told], dict[str, Any]]] = {"wecom": _wecom, "teams": _teams, "slack": _slack}
