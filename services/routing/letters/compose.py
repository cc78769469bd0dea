"""Writes a letter from its template and the facts of a case; refuses one that lacks what it must hold. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.routing.letters.book import COMPLAINANT, FACTS, PLACEHOLDER, SLOTS, Book, Kind, Language, Right
from services.routing.letters.errors import LetterIncomplete, MandatoryTextMissing
from shared.errors import FieldError
from shared.events import Outcome
from shared.i18n import long_date, money

_MISSING = {
    "outcome": "say what was decided",
    "explanation": "say why, in words for the complainant",
    "reply_by": "name the day by which the complainant can expect the reply",
    "rights": "no right to go further is known for this jurisdiction",
    "adr_body": "name the out-of-court body in charge, with its address",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a letter says. Days are those of the bank's zone; `department` is its label in the letter's language.

    `explanation` is the officer's own text; in an acknowledgement it may be left out. `redress_amount` is what the
    bank pays, None where it pays nothing; `redress_currency` an ISO 4217 code. `term_passed`: the time for a final
    response is over, so a holding letter names the rights that this opens. `adr_body`: the out-of-court body in charge
    and its address, where the jurisdiction leaves that to the bank. `home` is the bank's own jurisdiction, which counts
    where the complaint has none, or one that has no entry.
    """

    reference: str
    received_on: date
    department: str
    explanation: str | None = None
    outcome: Outcome | None = None
    redress_amount: Decimal | None = None
    redress_currency: str | None = None
    reply_by: date | None = None
    term_passed: bool = False
    adr_body: str | None = None
    jurisdiction: str | None = None
    home: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as `complaint.letter_issued` carries it: plain text, `{complainant}` where the name goes.

    `template_version` names the templates and the rights it was written by.
    """

    kind: Kind
    language: Language
    subject: str
    body: str
    template_version: str


@dataclass(frozen=True, slots=True)
class Passage:
    """Words that a letter must hold. `name`: reference, reply_by, redress, or the code of a right."""

    name: str
    text: str


def compose(book: Book, kind: Kind, language: Language, facts: Facts) -> Letter:
    """The letter. Raises LetterIncomplete, which names every part that is missing."""
    _check(book, kind, facts)
    templates = book.templates[language]
    template = templates.of(kind)
    known = {
        COMPLAINANT: "{" + COMPLAINANT + "}",
        "reference": facts.reference,
        "received_on": long_date(facts.received_on, language),
        "department": facts.department.strip(),
        "explanation": _text(facts.explanation),
        "reply_by": long_date(facts.reply_by, language) if facts.reply_by else "",
        "outcome_text": templates.outcome[facts.outcome].text if facts.outcome else "",
        "redress_text": _redress(book, kind, language, facts),
        "rights": _rights_paragraph(book, kind, language, facts),
    }
    known["reply_by_text"] = _fill(template.reply_by or "", known) if facts.reply_by else ""
    paragraphs = (_fill(one, known).strip() for one in re.split(r"\n\s*\n", template.body))
    body = "\n\n".join(filter(None, paragraphs))
    return Letter(kind, language, _fill(template.subject, known), body, book.version(language))


def mandatory(book: Book, kind: Kind, language: Language, facts: Facts) -> Sequence[Passage]:
    """What an officer may not edit out of a letter: the rights word for word, the reference, and the day or the amount
    that it promises. Raises LetterIncomplete."""
    _check(book, kind, facts)
    found = [Passage("reference", facts.reference)]
    if facts.reply_by and (kind == "holding" or "reply_by" in book.law.parts(kind, _place(book, facts))):
        found.append(Passage("reply_by", long_date(facts.reply_by, language)))
    if kind in ("final", "summary_resolution") and facts.redress_amount and facts.redress_currency:
        found.append(Passage("redress", money(facts.redress_amount, facts.redress_currency, language)))
    return [*found, *_rights(book, kind, language, facts)]


def contains_mandatory(book: Book, kind: Kind, language: Language, facts: Facts, body: str) -> bool:
    """Whether `body` holds every passage that it must; line ends and spaces do not count."""
    return not list(_lacking(book, kind, language, facts, body))


def check_edited(book: Book, kind: Kind, language: Language, facts: Facts, body: str) -> None:
    """Raises MandatoryTextMissing with each passage that an edited `body` lacks, and each placeholder that is left in
    it; LetterIncomplete."""
    errors = [
        FieldError("/body", f"must hold, word for word: {passage.text}", passage.name)
        for passage in _lacking(book, kind, language, facts, body)
    ]
    left = sorted({name for name in PLACEHOLDER.findall(body) if name in FACTS | SLOTS})
    errors += [FieldError("/body", f"{{{name}}} was not filled in", "placeholder_left") for name in left]
    if errors:
        raise MandatoryTextMissing(errors=tuple(errors))


def _lacking(book: Book, kind: Kind, language: Language, facts: Facts, body: str) -> Iterator[Passage]:
    there = _squeezed(body)
    return (one for one in mandatory(book, kind, language, facts) if _squeezed(one.text) not in there)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _check(book: Book, kind: Kind, facts: Facts) -> None:
    place = _place(book, facts)
    there = {
        "outcome": facts.outcome is not None,
        "explanation": bool(_text(facts.explanation)),
        "reply_by": facts.reply_by is not None,
        "rights": bool(book.law.of(place)),
        "adr_body": bool(_text(facts.adr_body)),
    }
    missing = [name for name in _MISSING if name in book.law.parts(kind, place) and not there[name]]
    errors = [FieldError(f"/{name}", _MISSING[name], "missing") for name in missing]
    if (facts.redress_amount is None) != (facts.redress_currency is None):
        errors.append(FieldError("/redress", "an amount and its currency go together", "redress"))
    elif facts.redress_amount is not None and not (facts.redress_amount.is_finite() and facts.redress_amount > 0):
        errors.append(FieldError("/redress", "what is paid is more than nothing", "redress"))
    if errors:
        raise LetterIncomplete(f"This letter needs: {', '.join(e.pointer[1:] for e in errors)}.", errors=tuple(errors))


def _redress(book: Book, kind: Kind, language: Language, facts: Facts) -> str:
    templates = book.templates[language]
    own = templates.of(kind)
    paid, unpaid = own.paid, own.unpaid
    if paid is None or unpaid is None:
        if facts.outcome is None:
            return ""
        paid, unpaid = templates.outcome[facts.outcome].paid, templates.outcome[facts.outcome].unpaid
    if facts.redress_amount is None or facts.redress_currency is None:
        return unpaid
    return _fill(paid, {"amount": money(facts.redress_amount, facts.redress_currency, language)})


def _rights_paragraph(book: Book, kind: Kind, language: Language, facts: Facts) -> str:
    rights = _rights(book, kind, language, facts)
    lead = book.templates[language].of(kind).rights
    return "\n".join([lead or "", *(f"• {one.text}" for one in rights)]) if rights else ""


def _rights(book: Book, kind: Kind, language: Language, facts: Facts) -> Sequence[Passage]:
    there = book.law.of(_place(book, facts))
    if kind in ("final", "summary_resolution"):
        return [Passage(one.code, _right(one, one.text, language, facts)) for one in there]
    if kind == "holding" and facts.term_passed:
        return [
            Passage(one.code, _right(one, one.silence or one.text, language, facts))
            for one in there
            if one.opens != "decision"
        ]
    return []


def _right(right: Right, texts: Mapping[Language, str], language: Language, facts: Facts) -> str:
    body = " ".join((facts.adr_body or "").split())
    return _fill(texts[language], {"url": right.url or "", "adr_body": body})


def _place(book: Book, facts: Facts) -> str:
    return book.law.place(facts.jurisdiction, facts.home)


def _text(text: str | None) -> str:
    return (text or "").replace("\r\n", "\n").strip()


def _fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with its placeholders; what is filled in is never read as one."""
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)
