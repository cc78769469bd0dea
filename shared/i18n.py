"""Languages: message catalogues, the choice of a language, and numbers and times as people of that language write them.

The English text is the msgid, so code and templates read as they appear. Codes (`phone`, `service_quality`) are
messages with a context, the kind of code: `label("channel", "phone")`. So `en.po` holds the labels of codes and nothing
else, and a code without a label is shown as it is. Placeholders are named: `_("{n} of {total}", n=3, total=5)`.

Catalogues are `.po` files, read at start: `shared/locale/<language>.po` for what services have in common, and
`services/<name>/locale/<language>.po` for one service's own texts, which go first.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import dates, numbers
from babel.messages import mofile, pofile
from babel.messages.catalog import Catalog
from babel.support import NullTranslations, Translations

LANGUAGES = {"zh-Hant": "繁體中文", "zh-Hans": "简体中文", "en": "English"}  # each by its own name
COOKIE = "redress_lang"
SHARED = Path(__file__).parent / "locale"
_LOCALES = {"zh-Hant": "zh_Hant_HK", "zh-Hans": "zh_Hans_CN", "en": "en_GB"}
_TRADITIONAL = frozenset(("hant", "tw", "hk", "mo"))
# Inside `Translator` the names `date` and `datetime` are its methods.
_Day = date
_Moment = datetime


def mark(text: str) -> str:
    """`text`, unchanged: says to the catalogues that it will be translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Translator:
    """Texts, numbers and times in one `language`; times are shown in `zone`, the bank's."""

    language: str
    catalogue: NullTranslations
    zone: ZoneInfo

    def gettext(self, text: str, **values: object) -> str:
        """`text` in this language, its `{placeholders}` filled from `values`."""
        found: str = self.catalogue.gettext(text)
        return found.format(**values) if values else found

    def ngettext(self, one: str, many: str, count: int, **values: object) -> str:
        """The form that fits `count`, which the text names `{n}`."""
        return str(self.catalogue.ngettext(one, many, count)).format(n=self.number(count), **values)

    def label(self, kind: str, code: str) -> str:
        """How people call a code; the code itself where the catalogues do not know it."""
        return str(self.catalogue.pgettext(kind, code))

    def number(self, value: int | float) -> str:
        if isinstance(value, int) and 0 <= value < 1000:  # the same in all our languages, and tables are full of them
            return str(int(value))
        return _decimal(value, self._locale)

    def amount(self, value: Decimal) -> str:
        """An amount of money, its currency told elsewhere: 1,200.50."""
        return numbers.format_decimal(value, format="#,##0.00", locale=self._locale)

    def percent(self, share: float, digits: int = 0) -> str:
        """`share` of one as a percentage: 0.256 is 26%."""
        places = "." + "0" * digits if digits else ""
        return numbers.format_percent(share, format=f"#,##0{places}%", locale=self._locale)

    def date(self, value: _Day | _Moment) -> str:
        return _medium_date(self._local(value), self._locale)

    def day(self, value: _Day) -> str:
        """A day without its year, for axes: 4 Mar."""
        return _skeleton("MMMd", value, self._locale)

    def month(self, value: _Day) -> str:
        return _skeleton("yMMM", value, self._locale)

    def time(self, moment: _Moment) -> str:
        """The time of day, which all of our languages write alike: 07:05."""
        return f"{self._here(moment):%H:%M}"

    def datetime(self, moment: _Moment) -> str:
        return f"{self.date(moment)} {self.time(moment)}"

    def _local(self, value: _Day | _Moment) -> _Day:
        return self._here(value).date() if isinstance(value, datetime) else value

    def _here(self, moment: _Moment) -> _Moment:
        if moment.tzinfo is None:
            raise ValueError("a time without an offset")
        return moment.astimezone(self.zone)

    @property
    def _locale(self) -> str:
        return _LOCALES[self.language]


# Kept, because a page writes the same few days and figures over and over, at up to a quarter of a millisecond each.


@lru_cache(maxsize=4096)
def _medium_date(day: _Day, locale: str) -> str:
    return dates.format_date(day, "medium", locale=locale)


@lru_cache(maxsize=4096)
def _skeleton(skeleton: str, day: _Day, locale: str) -> str:
    return dates.format_skeleton(skeleton, day, locale=locale)


@lru_cache(maxsize=8192, typed=True)
def _decimal(value: int | float, locale: str) -> str:
    return numbers.format_decimal(value, locale=locale)


def long_date(day: _Day, language: str) -> str:
    """A day as it stands in a letter: 5 November 2026, 2026年11月5日."""
    return dates.format_date(day, "long", locale=_LOCALES[language])


def money(amount: Decimal, currency: str, language: str) -> str:
    """An amount with the sign of its currency, an ISO 4217 code: HK$1,200.00."""
    return numbers.format_currency(amount, currency, locale=_LOCALES[language])


def translator(language: str, zone: ZoneInfo, own: Path | None = None) -> Translator:
    """The translator for `language`, one of LANGUAGES. `own` is the folder of a service's own catalogues."""
    return Translator(language, catalogue(language, own), zone)


@lru_cache(maxsize=64)
def catalogue(language: str, own: Path | None = None) -> NullTranslations:
    """The messages of `language`: a service's `own`, then the shared ones. Read once."""
    shared = _read(SHARED / f"{language}.po")
    path = own / f"{language}.po" if own else None
    if path is None or not path.is_file():
        return shared
    found = _read(path)
    found.add_fallback(shared)
    return found


def _read(path: Path) -> Translations:
    """A `.po` file as `gettext` reads it, compiled in memory: nothing generated lies about to go stale."""
    compiled = io.BytesIO()
    mofile.write_mo(compiled, _parse(path))
    compiled.seek(0)
    return Translations(compiled)


def _parse(path: Path) -> Catalog:
    with path.open("rb") as file:
        return pofile.read_po(file, locale=_LOCALES[path.stem], abort_invalid=True)


@lru_cache(maxsize=64)
def codes(kind: str) -> tuple[str, ...]:
    """The codes of a kind that have shared labels, in the order of the catalogue: for people to choose from."""
    return tuple(str(message.id) for message in _parse(SHARED / "en.po") if message.context == kind)


def choose(asked: str | None, remembered: str | None, accept: str, offered: Sequence[str]) -> str:
    """The language to answer in, one of `offered`: what the address asks for (`?lang=`), else what the cookie
    remembers, else the best of Accept-Language (RFC 9110, 12.5.4), else the first that the bank offers."""
    for wish in (asked, remembered):
        if wish and (found := match(wish, offered)):
            return found
    for wish in _ranked(accept):
        if found := match(wish, offered):
            return found
    return offered[0]


def match(tag: str, offered: Sequence[str]) -> str | None:
    """The offered language that a BCP 47 tag means. Chinese by script, else by region; `zh` alone is simplified."""
    parts = tag.strip().lower().replace("_", "-").split("-")
    if parts[0] in ("zh", "yue"):
        traditional = "hans" not in parts and (parts[0] == "yue" or not _TRADITIONAL.isdisjoint(parts))
        order: tuple[str, ...] = ("zh-Hant", "zh-Hans") if traditional else ("zh-Hans", "zh-Hant")
    else:
        order = (parts[0],)
    return next((language for language in order if language in offered), None)


def _ranked(accept: str) -> list[str]:
    """The tags of an Accept-Language header, best first; those refused (`q=0`) and those unreadable left out."""
    found: list[tuple[float, str]] = []
    for item in accept[:500].split(","):
        tag, _, weight = item.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=")) if weight.strip() else 1.0
        except ValueError:
            continue
        if quality > 0:
            found.append((-quality, tag))
    return [tag for _, tag in sorted(found, key=lambda pair: pair[0])]
