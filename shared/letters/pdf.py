"""A letter as PDF: A4, tagged, PDF/UA-1, the same bytes for the same letter.

Typst sets it from `template/letter.typ`, which is all of the disk that it can read. What the letter says is given to it
as data and shown letter by letter, so nothing in it can be markup or a command.
"""

from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any, Literal

import orjson
import structlog
import typst
from noto_cjk_sans_otc import FONT_PATH

from shared.i18n import catalogue, long_date, mark
from shared.letters.person import addressed
from shared.letters.text import clean, parts

_FOLDER = Path(__file__).parent / "template"
_DATE, _REFERENCE, _PAGE = mark("Date"), mark("Our reference"), mark("Page {n} of {total}")
log = structlog.get_logger()

# Each place draws the same character its own way, and quotation marks are wide in Chinese but not in English.
LOOKS = {
    "zh-Hant": {"font": "Noto Sans CJK HK", "latin": "Noto Sans CJK HK", "lang": "zh", "region": "HK"},
    "zh-Hans": {"font": "Noto Sans CJK SC", "latin": "Noto Sans CJK SC", "lang": "zh", "region": "CN"},
    "en": {"font": "Noto Sans CJK HK", "latin": "Noto Sans CJK KR", "lang": "en", "region": "GB"},
}


def render(
    subject: str,
    body: str,
    *,
    language: str,
    reference: str,
    date: date,
    bank_name: str,
    complainant: str | None,
    address: str | None = None,
) -> bytes:
    """The letter in `language`, one of `i18n.LANGUAGES`, dated `date`. Without `complainant` it addresses a customer.
    `address`, its lines as on an envelope, stands on top with the name.

    Takes some 10 ms, and blocks. A character that no font holds is printed as a box, and the PDF is then no PDF/UA.
    """
    data = _data(subject, body, language, reference, date, bank_name, complainant)
    if address:
        data["to"] = [line for line in map(_line, (complainant or "", *address.splitlines())) if line]
    try:
        return _typeset(data, date, standard="ua-1")
    except typst.TypstError:
        log.warning("letter.not_accessible", reference=reference)
        return _typeset(data, date, standard=None)


def _data(
    subject: str, body: str, language: str, reference: str, day: date, bank_name: str, complainant: str | None
) -> dict[str, Any]:
    words = catalogue(language)
    return LOOKS[language] | {
        "bank": _line(bank_name),
        "to": (),
        "reference": reference,
        "subject": _line(addressed(subject, complainant, language)),
        "parts": [
            {"lines": part.lines, "list": part.is_list} for part in parts(addressed(body, complainant, language))
        ],
        "facts": [
            (words.gettext(_DATE), long_date(day, language)),
            (words.gettext(_REFERENCE), reference),
        ],
        "page": words.gettext(_PAGE),
        "date": (day.year, day.month, day.day),
    }


def _line(text: str) -> str:
    return " ".join(clean(text).split())


def _typeset(data: dict[str, Any], day: date, *, standard: Literal["ua-1"] | None) -> bytes:
    compiler = typst.Compiler(
        input=_FOLDER / "letter.typ",
        root=_FOLDER,
        font_paths=fonts(),
        sys_inputs={"letter": orjson.dumps(data).decode()},
        package_path=_FOLDER,
        package_cache_path=_FOLDER,
    )
    made = compiler.compile(
        format="pdf",
        pdf_standards=[standard] if standard else [],
        timestamp=datetime.combine(day, time(), UTC),
    )
    assert isinstance(made, bytes), "one PDF holds all pages"
    return made


@cache
def fonts() -> typst.Fonts:
    """Those of the package and, for letters that they lack, those of typst; never the machine's, which differ."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=[str(FONT_PATH.parent)])
