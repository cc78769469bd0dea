"""What goes out to a complainant, by which way, and what becomes of it. Pure.

A dispatch waits until it is sent or has failed. A failed one is before a person, who tries it again or settles it
another way. What is to be posted fails at once, for that reason: printing and posting is a person's work.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.errors import Conflict

Kind = Literal["acknowledgement", "information_request", "survey", "message", "letter"]
Via = Literal["email", "sms", "post"]
NEEDED = frozenset(("information_request", "message", "letter"))
"""What must reach the complainant; a person sees to it where there is no address. The others are left out then."""
BY_HAND = "to be printed and posted"
NO_ADDRESS = "neither e-mail nor mobile number is known"


class DispatchSettled(Conflict):
    """This was sent or settled already."""

    code = "dispatch_settled"


@dataclass(frozen=True, slots=True)
class Way:
    """By what, and to whom. `trouble`: why a person must see to it at once."""

    via: Via
    address: str = ""
    trouble: str | None = None


def choose(person: Mapping[str, Any] | None, kind: str) -> Way | None:
    """How to reach a complainant: as they prefer where that is possible, else by e-mail, else by SMS. None where there
    is no way and no need."""
    person = person or {}
    spokesman = person.get("representative") or {}
    email = spokesman.get("email") or person.get("email")
    phone = spokesman.get("phone") or person.get("phone")
    preferred = person.get("preferred_channel")
    if preferred in ("post", "phone"):
        return Way("post", trouble=BY_HAND) if kind in NEEDED else None
    if phone and (preferred == "sms" or not email):
        return Way("sms", phone)
    if email:
        return Way("email", email)
    return Way("post", trouble=NO_ADDRESS) if kind in NEEDED and person else None
