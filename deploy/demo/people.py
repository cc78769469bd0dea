"""People who do not exist, for demonstration complaints.

Names are composed from invented family names and lists of given names. Telephone numbers come only from ranges that are
kept free for fiction, since neither Hong Kong nor mainland China keeps one: Ofcom's drama range of British mobile
numbers (07700 900000 to 900999) and the North American line numbers 555-0100 to 555-0199. E-mail addresses use the
domains that RFC 2606 reserves: example.com, example.org and .example.
"""

from dataclasses import dataclass
from random import Random

from deploy.demo.wording import wording

_AREA_CODES = ("212", "310", "415", "416", "604", "617", "702", "808")
_HANDLES = (
    "bluefinch", "harbour", "teahouse", "paperkite", "longtable", "nightferry", "greenlamp", "stonesteps", "oldtram",
    "cloudbank", "quietpine", "redbean", "threecats", "rainyday", "slowboat", "firstlight", "mooncake", "eastwind",
)  # fmt: skip
_DOMAINS = ("example.com", "example.org", "mail.example", "post.example")


@dataclass(frozen=True, slots=True)
class Person:
    """A complainant. `language` is the one that the person writes in."""

    name: str
    language: str
    phone: str | None = None
    email: str | None = None
    customer_no: str | None = None

    def body(self) -> dict[str, str]:
        facts = {"name": self.name, "phone": self.phone, "email": self.email, "customer_no": self.customer_no}
        return {key: value for key, value in facts.items() if value is not None}


def invent(rng: Random, language: str) -> Person:
    """Somebody new: always with a name, mostly with a way to be reached."""
    words = wording(language)
    given = rng.choice(words.lists["given"]) + rng.choice(words.lists.get("given_second", ("",)))
    name = words.name_form.format(surname=rng.choice(words.lists["surnames"]), given=given)
    phone = _phone(rng) if rng.random() < 0.85 else None
    email = _email(rng) if phone is None or rng.random() < 0.55 else None
    customer_no = f"DEMO{rng.randrange(10**8):08d}" if rng.random() < 0.7 else None
    return Person(name, language, phone, email, customer_no)


def _phone(rng: Random) -> str:
    if rng.random() < 0.5:
        return f"+447700900{rng.randrange(1000):03d}"
    return f"+1{rng.choice(_AREA_CODES)}55501{rng.randrange(100):02d}"


def _email(rng: Random) -> str:
    return f"{rng.choice(_HANDLES)}{rng.randrange(10, 9999)}@{rng.choice(_DOMAINS)}"
