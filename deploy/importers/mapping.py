"""Which column of an office's list is which field of a complaint, as a file in TOML.

```toml
name = "branch-register"          # names the list: with the row's id it tells complaints apart
id = "No."                        # the column that numbers them; without it a row is told by what it says
[file]                            # all optional
format = "xlsx"                   # csv, xlsx, ndjson; else by the name's ending
sheet = "2025"
header_row = 2
zone = "Asia/Hong_Kong"           # of dates without an offset
[fields]
channel = { column = "Source", values = { "Hotline" = "phone", "Counter" = "branch" }, default = "letter" }
narrative = "Content"
received_at = { column = "Date", format = "%d/%m/%Y" }
"complainant.name" = "Customer"   # rows where it is empty are anonymous
"amount.value" = "Amount"
"amount.currency" = { value = "HKD" }
"detail.officer" = "Handled by"
```
"""

import re
import tomllib
from collections.abc import Mapping as Cells
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.importers.tables import FORMATS, Table

_TIMES = ("received_at", "occurred_at")
_PLAIN = ("channel", "narrative", "branch", "product", "desired_outcome", "language", "jurisdiction", *_TIMES)
_INNER = {
    "complainant": ("name", "phone", "email", "customer_no", "preferred_channel"),
    "amount": ("value", "currency"),
}
_DETAIL = re.compile(r"detail\.\w{1,60}")
_MONEY = re.compile(r"[^\d.\-]")


class WrongMapping(ValueError):
    """The mapping cannot be used; the message says where."""


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    column: str | None = None
    value: str | None = None
    values: dict[str, str] | None = None
    default: str | None = None
    format: str | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: str | None = None
    encoding: str = "utf-8-sig"
    delimiter: str = Field(",", min_length=1, max_length=1)
    sheet: str | None = None
    header_row: int = Field(1, ge=1)
    zone: str = "Asia/Hong_Kong"


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,60}$")
    id: str | None = None
    file: _File = _File()
    fields: dict[str, str | _Rule]


class CellError(ValueError):
    """A cell that cannot be taken. The message does not repeat what is in it."""

    def __init__(self, column: str, code: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.code, self.reason = column, code, reason


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping that has been checked. `rules` go by field."""

    name: str
    id: str | None
    file: _File
    rules: Cells[str, _Rule]

    @classmethod
    def load(cls, path: Path) -> "Mapping":
        """Raises WrongMapping."""
        try:
            document = _Document.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise WrongMapping(f"is no TOML: {error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise WrongMapping(f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from error
        rules = {name: _Rule(column=r) if isinstance(r, str) else r for name, r in document.fields.items()}
        _check(document, rules)
        return cls(document.name, document.id, document.file, rules)

    def table(self, format: str) -> Table:
        file = self.file
        return Table(file.format or format, file.encoding, file.delimiter, file.sheet, file.header_row)

    def columns(self) -> set[str]:
        """Those that the file must have."""
        own = {rule.column for rule in self.rules.values() if rule.column}
        return own | ({self.id} if self.id else set())

    def body(self, cells: Cells[str, str]) -> dict[str, Any]:
        """The complaint in a row, without its channel reference. Raises CellError."""
        found: dict[str, Any] = {}
        for name, rule in self.rules.items():
            value = self._value(name, rule, cells)
            if value is None:
                continue
            group, _, inner = name.partition(".")
            if inner:
                found.setdefault(group, {})[inner] = value
            else:
                found[name] = value
        if not found.get("complainant", {}).get("name"):
            kept = {k: v for k, v in found.pop("complainant", {}).items() if k != "preferred_channel"}
            if kept:  # who it was is known by a number only: that is worth keeping, and a name is needed for it
                found["complainant"] = kept | {"name": next(iter(kept.values()))}
            else:
                found["complainant"] = {"anonymous": True}
        if "value" not in found.get("amount", {}):
            found.pop("amount", None)
        return found

    def _value(self, name: str, rule: _Rule, cells: Cells[str, str]) -> str | None:
        text = rule.value if rule.value is not None else (cells.get(rule.column or "") or "").strip()
        if rule.values is not None and text:
            if text not in rule.values and rule.default is None:
                raise CellError(rule.column or "", "value_unknown", "is none of the values that the mapping knows")
            text = rule.values.get(text, rule.default or "")
        text = text or rule.default or ""
        if not text:
            return None
        if name in _TIMES:
            return self._moment(rule, text)
        if name == "amount.value":
            return _MONEY.sub("", text) or None
        return text

    def _moment(self, rule: _Rule, text: str) -> str:
        """A day without a time stands for noon, so that no count by day shifts with the zone."""
        try:
            moment = datetime.strptime(text, rule.format) if rule.format else datetime.fromisoformat(text)  # noqa: DTZ007
        except ValueError:
            expected = rule.format or "ISO 8601"
            raise CellError(rule.column or "", "date_bad", f"is no date of the form {expected}") from None
        if moment.time() == time(0) and not _tells_time(rule.format, text):
            moment = moment.replace(hour=12)
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(self.file.zone))).isoformat()


def _tells_time(format: str | None, text: str) -> bool:
    return "%H" in format or "%I" in format if format else ":" in text


def _check(document: _Document, rules: Cells[str, _Rule]) -> None:
    for name, rule in rules.items():
        group, _, inner = name.partition(".")
        known = name in _PLAIN or inner in _INNER.get(group, ()) or _DETAIL.fullmatch(name)
        if not known:
            raise WrongMapping(f"fields.{name}: there is no such field")
        if (rule.column is None) == (rule.value is None):
            raise WrongMapping(f"fields.{name}: give either a column or a value")
    for needed in ("channel", "narrative"):
        if needed not in rules:
            raise WrongMapping(f"fields.{needed}: is needed")
    if "amount.value" in rules and "amount.currency" not in rules:
        raise WrongMapping("fields.amount.currency: is needed with amount.value")
    if document.file.format is not None and document.file.format not in FORMATS:
        raise WrongMapping(f"file.format: one of {', '.join(FORMATS)}")
    try:
        ZoneInfo(document.file.zone)
    except (KeyError, ValueError, OSError):
        raise WrongMapping(f"file.zone: {document.file.zone} is no IANA time zone") from None
