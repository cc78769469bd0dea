"""The letters' data: templates by language, and what the law wants in them by jurisdiction."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.routing.letters.errors import BadLetters
from shared.events import Outcome

Kind = Literal["acknowledgement", "holding", "final", "summary_resolution", "other"]
Language = Literal["zh-Hant", "zh-Hans", "en"]
Name = Literal["outcome", "explanation", "reply_by", "rights", "adr_body"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LANGUAGES: tuple[Language, ...] = get_args(Language)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

COMPLAINANT = "complainant"
FACTS = frozenset(("reference", "received_on", "department", "explanation", "reply_by"))
SLOTS = frozenset(("outcome_text", "redress_text", "reply_by_text", "rights"))
PLACEHOLDER = re.compile(r"\{(\w+)\}")
_HOLDS: Mapping[Kind, frozenset[str]] = {
    "acknowledgement": frozenset(("received_on", "reply_by_text")),
    "holding": frozenset(("explanation", "reply_by", "rights")),
    "final": frozenset(("explanation", "outcome_text", "redress_text", "rights")),
    "summary_resolution": frozenset(("explanation", "redress_text", "rights")),
    "other": frozenset(("explanation",)),
}
Words = Annotated[str, Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


def _names(text: str) -> frozenset[str]:
    return frozenset(PLACEHOLDER.findall(text))


def _only(text: str | None, where: str, allowed: frozenset[str] = frozenset()) -> None:
    if unknown := _names(text or "") - allowed:
        raise ValueError(f"{where} has unknown placeholders: {', '.join(sorted(unknown))}")


class Template(_Entry):
    """One kind of letter in one language; en.toml says what each field means."""

    subject: Words
    body: Words
    reply_by: str | None = None
    rights: str | None = None
    paid: str | None = None
    unpaid: str | None = None

    @model_validator(mode="after")
    def _sound(self) -> "Template":
        _only(self.subject, "subject", frozenset(("reference",)))
        _only(self.body, "body", FACTS | SLOTS | {COMPLAINANT})
        _only(self.reply_by, "reply_by", frozenset(("reply_by",)))
        _only(self.rights, "rights")
        _only(self.paid, "paid", frozenset(("amount",)))
        _only(self.unpaid, "unpaid")
        if (self.paid is None) != (self.unpaid is None):
            raise ValueError("paid and unpaid go together")
        return self


class OutcomeTexts(_Entry):
    """What an outcome and its redress are told with."""

    text: Words
    paid: Words
    unpaid: Words

    @model_validator(mode="after")
    def _sound(self) -> "OutcomeTexts":
        _only(self.text, "text")
        _only(self.paid, "paid", frozenset(("amount",)))
        _only(self.unpaid, "unpaid")
        if "amount" not in _names(self.paid):
            raise ValueError("paid does not name the {amount}")
        return self


class Templates(_Entry):
    """All letters of a language."""

    version: Words
    acknowledgement: Template
    holding: Template
    final: Template
    summary_resolution: Template
    other: Template
    outcome: dict[Outcome, OutcomeTexts]

    def of(self, kind: Kind) -> Template:
        found: Template = getattr(self, kind)
        return found

    @model_validator(mode="after")
    def _whole(self) -> "Templates":
        if silent := set(OUTCOMES) - set(self.outcome):
            raise ValueError(f"no words for {', '.join(sorted(silent))}")
        for kind, names in _HOLDS.items():
            template = self.of(kind)
            wanted = names | {COMPLAINANT, "reference", "department"}
            if missing := wanted - _names(template.body) - _names(template.subject):
                raise ValueError(f"{kind} lacks {', '.join(sorted(missing))}")
            if "rights" in names and template.rights is None:
                raise ValueError(f"{kind} lacks the words before the rights")
            if "reply_by_text" in names and "reply_by" not in _names(template.reply_by or ""):
                raise ValueError(f"{kind} lacks the words for the day of the reply")
        return self


class Right(_Entry):
    """Where somebody may turn who does not accept an outcome; rights.toml says what each field means."""

    code: Words
    jurisdictions: Annotated[tuple[Words, ...], Field(min_length=1)]
    opens: Literal["decision", "decision_or_silence", "at_once"]
    text: dict[Language, Words]
    silence: dict[Language, Words] | None = None
    url: str | None = Field(None, pattern=r"^https://\S+$")
    source: Words
    article: str | None = None
    confirmed: bool

    @model_validator(mode="after")
    def _sound(self) -> "Right":
        for texts in filter(None, (self.text, self.silence)):
            if set(texts) != set(LANGUAGES):
                raise ValueError(f"{self.code} is needed in each language")
            for text in texts.values():
                _only(text, self.code, frozenset(("url", "adr_body")))
                if ("url" in _names(text)) != (self.url is not None):
                    raise ValueError(f"{self.code}: the address belongs into the text, where there is one")
        if self.silence and self.opens == "decision":
            raise ValueError(f"{self.code} opens with a decision, so it has no words for silence")
        return self


class Requirement(_Entry):
    """What a kind of letter may not go without."""

    jurisdictions: Annotated[tuple[Words, ...], Field(min_length=1)]
    kind: Kind
    parts: Annotated[tuple[Name, ...], Field(min_length=1)]
    source: Words


class Law(_Entry):
    """Everything in rights.toml."""

    version: Words
    rights: tuple[Right, ...]
    requires: tuple[Requirement, ...]

    @model_validator(mode="after")
    def _whole(self) -> "Law":
        seen = [(place, right.code) for right in self.rights for place in right.jurisdictions]
        if len(seen) != len(set(seen)):
            raise ValueError("a right stands twice for one jurisdiction")
        if not any(place == "*" for place, _ in seen):
            raise ValueError("no right for jurisdictions that are not named")
        return self

    def place(self, *wanted: str | None) -> str:
        """The nearest jurisdiction that has rights: `uk` for `uk-disp`; of the first of `wanted` that has, else `*`."""
        known = {place for right in self.rights for place in right.jurisdictions}
        for jurisdiction in wanted:
            parts = (jurisdiction or "").split("-")
            for length in range(len(parts), 0, -1):
                if (found := "-".join(parts[:length])) in known:
                    return found
        return "*"

    def of(self, place: str) -> Sequence[Right]:
        return [right for right in self.rights if place in right.jurisdictions]

    def parts(self, kind: Kind, place: str) -> frozenset[Name]:
        """What a letter of this kind needs there."""
        mine = (one for one in self.requires if one.kind == kind and not {place, "*"}.isdisjoint(one.jurisdictions))
        return frozenset(part for one in mine for part in one.parts)


class Book(_Entry):
    """What letters are composed from."""

    templates: dict[Language, Templates]
    law: Law

    def version(self, language: Language) -> str:
        """The templates' version and that of the rights: `2026-11+2026-11`."""
        return f"{self.templates[language].version}+{self.law.version}"


def read(folder: Path) -> Book:
    """The letters in `folder`: `templates/<language>.toml` and `rights.toml`. Raises BadLetters."""
    found = {language: _read(folder / "templates" / f"{language}.toml", Templates) for language in LANGUAGES}
    return Book(templates=found, law=_read(folder / "rights.toml", Law))


M = TypeVar("M", bound=_Entry)


def _read(path: Path, model: type[M]) -> M:
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return model.model_validate(data)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadLetters(f"{path.name}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadLetters(f"{path.name}: {where}: {first['msg']}") from None
