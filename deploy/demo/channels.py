"""The facts that each channel adds to a demonstration complaint: a flat object of strings, as the API takes it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

SHARES = {
    "phone": 0.29,
    "mobile": 0.18,
    "web_chat": 0.12,
    "web_form": 0.11,
    "email": 0.10,
    "branch": 0.09,
    "letter": 0.05,
    "social": 0.04,
    "regulator": 0.02,
}
ANONYMOUS = {
    "phone": 0.05,
    "mobile": 0.04,
    "web_chat": 0.15,
    "web_form": 0.25,
    "email": 0.05,
    "branch": 0.08,
    "letter": 0.20,
    "social": 0.40,
    "regulator": 0.0,
}
"""How many leave no name, by channel; about a tenth over all."""

Facts = dict[str, str]


def facts(channel: str, rng: Random, *, received_at: datetime, product: str, subject: str) -> Facts:
    """The channel's own facts; `subject` is the subject line that an e-mail would bear."""
    if channel == "email":
        return _email(rng, subject)
    return _FACTS[channel](rng, received_at, product)


def _phone(rng: Random, received_at: datetime, product: str) -> Facts:
    return {
        "queue": product,
        "agent": f"A{rng.randrange(10, 70)}",
        "wait_seconds": str(rng.randrange(20, 1500)),
        "duration_seconds": str(rng.randrange(90, 1900)),
        "callback_wanted": _yes(rng, 0.6),
    }


def _mobile(rng: Random, received_at: datetime, product: str) -> Facts:
    return {
        "platform": rng.choice(("ios", "android", "android", "harmony")),
        "app_version": f"7.{received_at.month}.{rng.randrange(6)}",
        "screen": rng.choice(("transfer", "cards", "accounts", "funds", "loans", "settings", "help")),
        "network": rng.choice(("wifi", "5g", "4g")),
    }


def _web_chat(rng: Random, received_at: datetime, product: str) -> Facts:
    return {
        "session": f"chat-{rng.getrandbits(40):010x}",
        "messages": str(rng.randrange(4, 45)),
        "handed_over_by_bot": _yes(rng, 0.7),
        "page": rng.choice(("/cards", "/accounts", "/help", "/loans", "/contact", "/rates")),
    }


def _web_form(rng: Random, received_at: datetime, product: str) -> Facts:
    return {
        "page": "/complaints",
        "browser": rng.choice(("chrome", "safari", "edge", "firefox")),
        "form_version": rng.choice(("3", "4")),
    }


def _email(rng: Random, subject: str) -> Facts:
    return {"mailbox": "complaints", "subject": subject, "attachments": str(rng.choice((0, 0, 0, 1, 1, 2, 3)))}


def _letter(rng: Random, received_at: datetime, product: str) -> Facts:
    posted = received_at.date() - timedelta(days=rng.randrange(1, 6))
    return {
        "medium": rng.choice(("post", "post", "post", "fax", "by_hand")),
        "dated": posted.isoformat(),
        "pages": str(rng.randrange(1, 6)),
        "scanned_by": f"M{rng.randrange(1, 9)}",
    }


def _branch(rng: Random, received_at: datetime, product: str) -> Facts:
    return {
        "counter": str(rng.randrange(1, 9)),
        "ticket": f"{rng.choice('ABCD')}{rng.randrange(1, 200):03d}",
        "taken_by": f"B{rng.randrange(100, 300)}",
        "means": rng.choice(("form", "spoken", "suggestion_box")),
    }


def _social(rng: Random, received_at: datetime, product: str) -> Facts:
    return {
        "platform": rng.choice(("forum", "microblog", "video", "photo")),
        "public": _yes(rng, 0.8),
        "reactions": str(int(rng.paretovariate(0.9))),
    }


def _regulator(rng: Random, received_at: datetime, product: str) -> Facts:
    return {
        "authority_reference": f"REF/{received_at.year}/{rng.randrange(100, 9999)}",
        "authority_received": (received_at.date() - timedelta(days=rng.randrange(2, 12))).isoformat(),
        "reply_by": (received_at.date() + timedelta(days=rng.choice((10, 14, 21, 28)))).isoformat(),
    }


def _yes(rng: Random, share: float) -> str:
    return "yes" if rng.random() < share else "no"


_FACTS: dict[str, Callable[[Random, datetime, str], Facts]] = {
    "phone": _phone,
    "mobile": _mobile,
    "web_chat": _web_chat,
    "web_form": _web_form,
    "letter": _letter,
    "branch": _branch,
    "social": _social,
    "regulator": _regulator,
}
