"""`redress import file FILE --mapping MAP`: an office's own list of complaints."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.table import Table as Shown

from deploy.importers.cfpb_rows import StandIns
from deploy.importers.mapping import CellError, Mapping
from deploy.importers.running import Found, Mapped, Opened, Unfit, WrongFile, bar, show
from deploy.importers.tables import Line, format_of, opened
from services.intake.domain.complaint import check_times
from services.intake.schemas.complaint import COMPLAINT
from shared.errors import Invalid
from shared.web.problems import fields_of

_ID_LIMIT = 120  # characters; longer is no number of a complaint


class Listed:
    """A list read by `mapping`. Each row is checked as intake will, so that a dry run tells all that a run would."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping

    @contextmanager
    def open(self, path: Path, *, now: datetime) -> Iterator[Opened]:
        table = self._mapping.table(self._mapping.file.format or format_of(path))
        with opened(path, table) as lines:
            if lines.headings and (missing := sorted(self._mapping.columns() - set(lines.headings))):
                raise WrongFile(f"The file has no column {', '.join(missing)}; it has {', '.join(lines.headings)}.")
            yield Opened(
                lines.total, lines.done, self._found(lines.rows, now), lines.headings or sorted(self._mapping.columns())
            )

    def _found(self, rows: Iterator[Line], now: datetime) -> Iterator[Found]:
        seen: set[str] = set()
        stand_ins = StandIns()
        for line in rows:
            what = self._fit(line, stand_ins, now)
            if isinstance(what, Mapped):
                if what.key in seen:
                    reason = "an earlier row of this file has the same id"
                    what = Unfit(what.row_id, "id_duplicate", f"/{self._mapping.id}", reason)
                else:
                    seen.add(what.key)
            yield Found(line.number, what, line.cells)

    def _fit(self, line: Line, stand_ins: StandIns, now: datetime) -> Mapped | Unfit:
        if line.trouble:
            return Unfit("", "row_damaged", "", line.trouble)
        column = self._mapping.id
        row_id = line.cells.get(column, "").strip() if column else ""
        if len(row_id) > _ID_LIMIT or not row_id.isprintable():
            return Unfit("", "id_bad", f"/{column}", "is no number of a complaint")
        key = f"{self._mapping.name}:{row_id or stand_ins.name(list(line.cells.values()))}"
        try:
            body = self._mapping.body(line.cells) | {"channel_ref": key}
            check_times(COMPLAINT.validate_python(body).to_domain(), now=now)
        except CellError as error:
            return Unfit(row_id, error.code, f"/{error.column}", error.reason)
        except ValidationError as error:
            raised = error.errors(include_url=False, include_context=False, include_input=False)
            return _unfit(row_id, Invalid(errors=fields_of(raised)))
        except Invalid as error:
            return _unfit(row_id, error)
        return Mapped(row_id, _ascii(key), body)


def _unfit(row_id: str, error: Invalid) -> Unfit:
    pointers = " ".join(one.pointer for one in error.errors)
    return Unfit(row_id, error.errors[0].code, pointers, "; ".join(one.detail for one in error.errors))


def _ascii(key: str) -> str:
    """An Idempotency-Key is ASCII; what is not is written as its code points."""
    return key.encode("ascii", "backslashreplace").decode()


def dry(source: Listed, path: Path, *, console: Console, limit: int | None = None, now: datetime | None = None) -> int:
    """Read and check `path`, send nothing; print what would come of it. 0 when every row fits, 1 otherwise."""
    began, rows = time.monotonic(), 0
    channels: Counter[str] = Counter()
    filled: Counter[str] = Counter()
    wrong: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], list[int]] = {}
    try:
        with source.open(path, now=now or datetime.now(UTC)) as opened, bar(console) as progress:
            task = progress.add_task(path.name, total=opened.total, rate="")
            for found in opened.rows:
                if limit is not None and found.number > limit:
                    break
                rows += 1
                if isinstance(found.what, Unfit):
                    kind = (found.what.code, found.what.pointer)
                    wrong[kind] += 1
                    where.setdefault(kind, []).append(found.number)
                else:
                    channels[found.what.body["channel"]] += 1
                    filled.update(_names(found.what.body))
                if rows % 200 == 0:
                    show(progress, task, opened, rows, began)
            show(progress, task, opened, rows, began)
    except (WrongFile, OSError) as error:
        console.print(str(error), markup=False, highlight=False)
        return 1
    fit = channels.total()
    console.print(f"{rows:,} rows read: {fit:,} would be sent, {wrong.total():,} rejected. Nothing was sent.")
    if fit:
        fields = Shown("Field", "Filled", title="What would be sent")
        for name, count in sorted(filled.items()):
            fields.add_row(name, f"{count:,} ({count / fit:.0%})")
        for name, count in channels.most_common():
            fields.add_row(f"channel: {name}", f"{count:,}")
        console.print(fields)
    if wrong:
        reasons = Shown("Reason", "Where", "Rows", "The first of them", title="What would be rejected")
        for (code, pointer), count in wrong.most_common():
            numbers = ", ".join(str(n) for n in where[code, pointer][:5])
            reasons.add_row(code, pointer, f"{count:,}", numbers)
        console.print(reasons)
    return 1 if wrong or not rows else 0


def _names(body: dict[str, object], before: str = "") -> Iterator[str]:
    for name, value in body.items():
        if isinstance(value, dict):
            yield from _names(value, f"{before}{name}.")
        elif name != "channel":
            yield before + name
