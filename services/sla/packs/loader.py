"""Reads policy packs and refuses what is not sound, naming the file, the line, the rule and the reason."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from services.sla import calendars
from services.sla.domain.calendar import Calendar
from services.sla.domain.policy import Ladder, Pack, Policies
from services.sla.packs.lines import line_of
from services.sla.packs.schema import LadderData, PackData

FOLDER = Path(__file__).parent / "data"
LADDERS = Path(__file__).parent / "ladders.toml"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong: in which `file`, on which `line` (None where it is about the whole), with which `rule` (a path
    into the file, empty for all of it), and why."""

    file: str
    rule: str
    reason: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (place, self.rule, self.reason) if part)


class PackError(ValueError):
    """The policy packs cannot be used. Every problem found is in `problems` and, a line each, in the text."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def load(default: str, folder: Path = FOLDER, *, overrides: Path | None = None, own: Path | None = None) -> Policies:
    """Every pack in `folder`, and the bank's `own`, with `default` as the bank's default and the calendars with the
    bank's `overrides`. Raises PackError, CalendarError."""
    known = calendars.load(overrides)
    problems: list[Problem] = []
    ladders = _ladders(problems)
    found: list[tuple[str, Pack]] = []
    paths: list[Path] = []
    for path in sorted((*folder.glob("*.toml"), *(own.glob("*.toml") if own else ()))):
        try:
            found.append((path.name, read(path, ladders, known)))
            paths.append(path)
        except PackError as error:
            problems.extend(error.problems)
    if own is not None:  # the bank's own pack takes the place of one that is shipped under the same id
        mine = {pack.id for (_, pack), path in zip(found, paths, strict=True) if path.parent == own}
        kept = [
            (one, path) for one, path in zip(found, paths, strict=True) if path.parent == own or one[1].id not in mine
        ]
        found = [one for one, _ in kept]
    problems.extend(_clashes(found))
    packs = tuple(pack for _, pack in found)
    regulatory = {p.id for p in packs if p.kind == "regulatory"}
    if not problems and default not in regulatory:
        names = ", ".join(sorted(regulatory)) or "none"
        problems.append(Problem("REDRESS_DEFAULT_PACK", "", f"there is no pack '{default}'; there are: {names}"))
    if problems:
        raise PackError(problems)
    return Policies(packs, default, known, {c.version: c for c in known.values()})


def read(path: Path, ladders: Mapping[str, Ladder], known: Mapping[str, Calendar]) -> Pack:
    """The pack in one file. Raises PackError."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PackError([Problem(path.name, "", f"is no TOML: {error}")]) from None
    try:
        data = PackData.model_validate(raw)
    except ValidationError as error:
        found = [Problem(path.name, _place(raw, e["loc"]), _reason(e), line_of(text, e["loc"])) for e in error.errors()]
        raise PackError(found) from None
    problems = list(_unknown(path.name, text, data, ladders, known))
    if problems:
        raise PackError(problems)
    return data.pack(ladders)


def _unknown(
    file: str, text: str, data: PackData, ladders: Mapping[str, Ladder], known: Mapping[str, Calendar]
) -> Iterator[Problem]:
    if data.calendar not in known:
        names = ", ".join(sorted(known))
        yield Problem(
            file,
            "calendar",
            f"there is no calendar '{data.calendar}'; there are: {names}",
            line_of(text, ("calendar",)),
        )
    for i, step in enumerate(data.steps):
        if step.ladder is not None and step.ladder not in ladders:
            names = ", ".join(sorted(ladders))
            reason = f"there is no ladder '{step.ladder}'; there are: {names}"
            yield Problem(file, f"steps.{step.name}.ladder", reason, line_of(text, ("steps", i, "ladder")))


def _ladders(problems: list[Problem]) -> dict[str, Ladder]:
    text = LADDERS.read_text(encoding="utf-8")
    found: dict[str, Ladder] = {}
    for i, raw in enumerate(tomllib.loads(text)["ladder"]):
        try:
            ladder = LadderData.model_validate(raw).ladder()
            found[ladder.id] = ladder
        except ValidationError as error:
            for e in error.errors():
                loc = ("ladder", i, *e["loc"])
                problems.append(Problem(LADDERS.name, ".".join(map(str, loc)), _reason(e), line_of(text, loc)))
    return found


def _place(raw: dict[str, Any], loc: Iterable[int | str]) -> str:
    """`loc` with steps named instead of numbered: `steps.final.limit`."""
    parts = list(loc)
    if len(parts) > 1 and parts[0] == "steps" and isinstance(parts[1], int):
        step = raw["steps"][parts[1]]
        name = step.get("name") if isinstance(step, dict) else None
        parts[1] = name if isinstance(name, str) else f"number {parts[1] + 1}"
    return ".".join(map(str, parts))


def _reason(error: Any) -> str:
    return str(error["msg"]).removeprefix("Value error, ")


def _clashes(found: Sequence[tuple[str, Pack]]) -> Iterator[Problem]:
    """Packs that cannot stand beside one another."""
    ids = {pack.id for _, pack in found}
    for i, (file, pack) in enumerate(found):
        for wanted in pack.replaces:
            if wanted not in ids:
                yield Problem(file, "replaces", f"there is no pack '{wanted}'")
        for other_file, other in found[:i]:
            if pack.id != other.id:
                continue
            if pack.version == other.version:
                yield Problem(file, "version", f"{pack.version} is the version of {other_file} too")
            elif _overlap(pack, other):
                yield Problem(file, "effective_from", f"is in force on some days together with {other_file}")


def _overlap(one: Pack, other: Pack) -> bool:
    first, second = sorted((one, other), key=lambda p: p.effective_from)
    return first.effective_to is None or first.effective_to >= second.effective_from
