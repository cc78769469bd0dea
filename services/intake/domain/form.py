"""The form in other sites' pages: where it may stand, how it may look, and how it tells people from programs. Pure."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from shared.errors import FieldError, Forbidden, Invalid, Refused

CHANNELS = ("web_form", "mobile")
SESSION_FOR = timedelta(hours=2)
LEAST_TIME = timedelta(seconds=3)
"""Nobody has read the form and told a story in less."""
IDENTITY_FOR = timedelta(minutes=10)
CONTRAST = 4.5
"""Between text and ground, at least (WCAG 2.2, 1.4.3)."""
_LOCAL = frozenset(("localhost", "127.0.0.1", "::1"))


class OriginNotAllowed(Forbidden):
    """The form may not stand in this site's pages."""

    code = "origin_not_allowed"


class SessionEnded(Forbidden):
    """The form's session is unknown or over; begin another."""

    code = "form_session_ended"


class ProofMissing(Refused):
    """The proof of work is missing or does not fit this session and Idempotency-Key."""

    code = "proof_of_work_missing"


class LooksAutomatic(Refused):
    """This was sent faster than a person can write, or fills a field that people do not see."""

    code = "looks_automatic"


class IdentityRefused(Forbidden):
    """The signed identity is not from the bank, is for another form, or is over."""

    code = "identity_refused"


class OriginInvalid(Invalid):
    """An origin is https:// and a host, without path; http:// only for this machine."""

    code = "origin_invalid"


class LookInvalid(Invalid):
    """The form would not be readable, or its logo not shown."""

    code = "look_invalid"


@dataclass(frozen=True, slots=True)
class Look:
    """The bank's own: its name, a logo's https address, and the colour (`#rrggbb`) of buttons and links."""

    name: str
    logo: str | None = None
    colour: str = "#0b5c7a"


@dataclass(frozen=True, slots=True)
class Session:
    """One opening of a form. `seed` is what the proof of work is about; `person` are the claims of a verified identity
    (`customer_no`, `name`, `email`, `phone`), None when nobody is signed in."""

    form: str
    seed: str
    opened_at: datetime
    person: dict[str, str] | None = None

    def check(self, *, now: datetime) -> None:
        """Raises SessionEnded."""
        if not self.opened_at <= now <= self.opened_at + SESSION_FOR:
            raise SessionEnded


def check_origin(text: str, pointer: str) -> str:
    """`text` as browsers write an origin. Raises OriginInvalid."""
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOCAL)
    bare = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username or parts.password)
    if not secure or not bare or not re.fullmatch(r"[a-z0-9.-]+|::1", host):
        raise OriginInvalid(errors=(FieldError(pointer, OriginInvalid.__doc__ or "", OriginInvalid.code),))
    name = f"[{host}]" if ":" in host else host
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{name}" + (f":{port}" if port not in (None, usual) else "")


def check_look(look: Look) -> None:
    """Raises LookInvalid when white text on the colour, or the colour on white, cannot be read by everybody."""
    wrong = []
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", look.colour):
        wrong.append(FieldError("/look/colour", "is no #rrggbb", LookInvalid.code))
    elif (found := contrast(look.colour, "#ffffff")) < CONTRAST:
        why = f"has a contrast of {found:.2f} to white; at least {CONTRAST} is needed"
        wrong.append(FieldError("/look/colour", why, LookInvalid.code))
    if look.logo is not None:
        try:
            check_origin("/".join(look.logo.split("/")[:3]), "/look/logo")
        except OriginInvalid:
            wrong.append(FieldError("/look/logo", "is no https address", LookInvalid.code))
    if wrong:
        raise LookInvalid(errors=tuple(wrong))


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (`#rrggbb`), 1 to 21, as WCAG 2.2 defines it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def is_solved(seed: str, key: str, nonce: str, bits: int) -> bool:
    """Whether `nonce` makes SHA-256 of `seed:key:nonce` begin with `bits` zeros. `key` is the complaint's
    Idempotency-Key, so that one proof is good for one complaint, however often it is sent."""
    digest = hashlib.sha256(f"{seed}:{key}:{nonce}".encode()).digest()
    return int.from_bytes(digest) >> (256 - bits) == 0


def check_human(session: Session, trap: str, *, now: datetime) -> None:
    """Raises LooksAutomatic. `trap` is a field that people are not shown."""
    if trap or now < session.opened_at + LEAST_TIME:
        raise LooksAutomatic
