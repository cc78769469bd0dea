"""Reads policy packs and ladders and refuses what is not sound, naming the file, the line, the key and the reason."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from services.sla.calendars import load as load_calendars
from services.sla.calendars.located import DataError, Problem, line_of, parsed
from services.sla.domain.calendar import Calendar
from services.sla.domain.policy import Ladder, Pack, Policies
from services.sla.packs import checks
from services.sla.packs.schema import LadderFile, PackFile

FOLDER = Path(__file__).parent
LADDERS = "ladders.toml"
_LADDERS = TypeAdapter(dict[str, LadderFile])


class PackError(DataError):
    """The policy packs cannot be used. Every problem found is in `problems` and, a line each, in the text."""


class _File:
    """One file that was read: turns places in its data into problems."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.raw, self.text = parsed(path)

    def problem(self, key: Iterable[int | str], reason: str) -> Problem:
        key = tuple(part for part in key if part != "[key]")
        return Problem(self.name, self._shown(key), reason.removeprefix("Value error, "), line_of(self.text, key))

    def problems(self, error: ValidationError) -> list[Problem]:
        return [self.problem(e["loc"], str(e["msg"])) for e in error.errors()]

    def _shown(self, key: Sequence[int | str]) -> str:
        """`key` with steps named instead of numbered: `steps.final.limit`."""
        parts = list(key)
        if len(parts) > 1 and parts[0] == "steps" and isinstance(parts[1], int):
            step = self.raw["steps"][parts[1]]
            name = step.get("name") if isinstance(step, dict) else None
            parts[1] = name if isinstance(name, str) else f"number {parts[1] + 1}"
        return ".".join(str(part + 1) if isinstance(part, int) else part for part in parts)


def load(default: str, folder: Path = FOLDER, *, calendars: Mapping[str, Calendar] | None = None) -> Policies:
    """Every pack in `folder`, with `default` as the bank's own; its ladders, or the shipped ones where it has none;
    and the `calendars`, by default those without overrides. Raises PackError, CalendarError."""
    known = load_calendars() if calendars is None else calendars
    problems: list[Problem] = []
    ladders: Mapping[str, Ladder] = {}
    path = folder / LADDERS
    try:
        ladders = read_ladders(path if path.exists() else FOLDER / LADDERS)
    except PackError as error:
        problems.extend(error.problems)
    found: list[tuple[_File, Pack]] = []
    for path in sorted(folder.glob("*.toml")):
        if path.name == LADDERS:
            continue
        try:
            found.append(_read(path, known, ladders))
        except PackError as error:
            problems.extend(error.problems)
    problems.extend(_clashes(found))
    packs = tuple(pack for _, pack in found)
    if not problems:
        problems.extend(_default(default, packs))
        problems.extend(_replaced(found))
    if problems:
        raise PackError(problems)
    return Policies(packs, default, dict(known), ladders)


def read(path: Path, calendars: Mapping[str, Calendar], ladders: Mapping[str, Ladder]) -> Pack:
    """The pack in one file. Raises PackError."""
    return _read(path, calendars, ladders)[1]


def read_ladders(path: Path) -> Mapping[str, Ladder]:
    """The ladders in a file, by id. Raises PackError."""
    file = _opened(path)
    try:
        found = _LADDERS.validate_python(file.raw)
    except ValidationError as error:
        raise PackError(file.problems(error)) from None
    findings = [finding for id, entry in found.items() for finding in checks.ladder(id, entry)]
    if findings:
        raise PackError([file.problem(key, reason) for key, reason in findings])
    return {id: entry.ladder(id) for id, entry in found.items()}


def _read(path: Path, calendars: Mapping[str, Calendar], ladders: Mapping[str, Ladder]) -> tuple[_File, Pack]:
    file = _opened(path)
    try:
        found = PackFile.model_validate(file.raw)
    except ValidationError as error:
        raise PackError(file.problems(error)) from None
    findings = list(checks.pack(found, calendars=calendars.keys(), ladders=ladders.keys()))
    if findings:
        raise PackError([file.problem(key, reason) for key, reason in findings])
    return file, found.pack(ladders)


def _opened(path: Path) -> _File:
    try:
        return _File(path)
    except DataError as error:
        raise PackError(error.problems) from None


def _default(default: str, packs: Sequence[Pack]) -> Iterator[Problem]:
    regulatory = sorted({p.id for p in packs if p.kind == "regulatory"})
    if default not in regulatory:
        there_are = ", ".join(regulatory) or "none"
        yield Problem("REDRESS_DEFAULT_PACK", "", f"there is no regulatory pack '{default}'; there are: {there_are}")


def _replaced(found: Sequence[tuple[_File, Pack]]) -> Iterator[Problem]:
    kinds = {pack.id: pack.kind for _, pack in found}
    for file, pack in found:
        for n, id in enumerate(pack.replaces):
            if id not in kinds:
                yield file.problem(("replaces", n), f"there is no pack '{id}'")
            elif kinds[id] != pack.kind:
                yield file.problem(("replaces", n), f"{id} is no {pack.kind} pack")


def _clashes(found: Sequence[tuple[_File, Pack]]) -> Iterator[Problem]:
    """Versions of one pack that cannot stand beside one another."""
    for n, (file, pack) in enumerate(found):
        for other_file, other in found[:n]:
            if pack.id != other.id:
                continue
            if pack.version == other.version:
                yield file.problem(("version",), f"{pack.version} is the version of {other_file.name} too")
            elif pack.kind != other.kind:
                yield file.problem(("kind",), f"{other_file.name} has another")
            elif _overlap(pack, other):
                yield file.problem(("effective_from",), f"is in force on some days together with {other_file.name}")


def _overlap(one: Pack, other: Pack) -> bool:
    first, second = sorted((one, other), key=lambda p: p.effective_from)
    return first.effective_to is None or first.effective_to >= second.effective_from
