"""Reads `rights.toml`: where a complainant may turn who does not accept an outcome."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from services.intake.domain.voice import Right

FILE = Path(__file__).with_name("rights.toml")
LANGUAGES = frozenset(("zh-Hant", "zh-Hans", "en"))
_KNOWN = {"code", "jurisdictions", "internal", "opens", "silence_days", "months", "days"} | {
    "body",
    "explanation",
    "url",
    "source",
    "confirmed",
}


@cache
def known() -> Mapping[str, Sequence[Right]]:
    """The rights of each jurisdiction, in the order of the file. Read once. Raises ValueError."""
    return parse(FILE.read_text(encoding="utf-8"))


def parse(text: str) -> Mapping[str, Sequence[Right]]:
    """Raises ValueError where the data is not sound: a bank must not promise what nobody meant."""
    found: dict[str, list[Right]] = {}
    for entry in tomllib.loads(text)["rights"]:
        right = _right(entry)
        for jurisdiction in entry["jurisdictions"]:
            there = found.setdefault(jurisdiction, [])
            if right.code in {one.code for one in there}:
                raise ValueError(f"{right.code}: twice for {jurisdiction}")
            there.append(right)
    if "*" not in found:
        raise ValueError("no rights for jurisdictions that are not named")
    for jurisdiction, rights in found.items():
        if sum(one.internal for one in rights) != 1:
            raise ValueError(f"{jurisdiction}: exactly one right must be the bank's own review")
    return {jurisdiction: tuple(rights) for jurisdiction, rights in found.items()}


def _right(entry: dict[str, Any]) -> Right:
    code = entry["code"]
    if unknown := set(entry) - _KNOWN:
        raise ValueError(f"{code}: unknown {', '.join(sorted(unknown))}")
    for name in ("body", "explanation"):
        if set(entry[name]) != LANGUAGES:
            raise ValueError(f"{code}: {name} is needed in each language")
    if entry["opens"] not in ("decision", "decision_or_silence", "at_once"):
        raise ValueError(f"{code}: opens")
    if (entry["opens"] == "decision_or_silence") != ("silence_days" in entry):
        raise ValueError(f"{code}: silence_days belongs to decision_or_silence")
    if "months" in entry and "days" in entry:
        raise ValueError(f"{code}: months or days, not both")
    return Right(
        code=code,
        internal=entry["internal"],
        opens=entry["opens"],
        silence_days=entry.get("silence_days"),
        months=entry.get("months"),
        days=entry.get("days"),
        body=entry["body"],
        explanation=entry["explanation"],
        url=entry.get("url"),
        source=entry["source"],
        confirmed=entry["confirmed"],
    )
