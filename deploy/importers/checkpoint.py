"""What an import remembers of a file: which rows are done, and why others were rejected."""

import csv
import hashlib
import json
import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

_HEAD = 1 << 20
_VERSION = 1
_REASON_LENGTH = 300
_QUOTED = 20


class RowSet:
    """A set of row numbers, kept as ranges: small as long as most rows come without gaps."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(ranges):
            self._starts.append(start)
            self._ends.append(end)

    def add(self, row: int) -> None:
        at = bisect_right(self._starts, row)
        if at and row <= self._ends[at - 1]:
            return
        joins_left = at > 0 and self._ends[at - 1] == row - 1
        joins_right = at < len(self._starts) and self._starts[at] == row + 1
        if joins_left and joins_right:
            self._ends[at - 1] = self._ends.pop(at)
            del self._starts[at]
        elif joins_left:
            self._ends[at - 1] = row
        elif joins_right:
            self._starts[at] = row
        else:
            self._starts.insert(at, row)
            self._ends.insert(at, row)

    def __contains__(self, row: int) -> bool:
        at = bisect_right(self._starts, row)
        return at > 0 and row <= self._ends[at - 1]

    def __len__(self) -> int:
        return sum(end - start + 1 for start, end in self.ranges())

    def ranges(self) -> Iterator[tuple[int, int]]:
        """First and last row of each unbroken run."""
        return zip(self._starts, self._ends, strict=True)


@dataclass(slots=True)
class Checkpoint:
    """Which rows of one file one desk has taken. Losing it does no harm: the idempotency keys still hold."""

    path: Path
    facts: dict[str, Any]
    done: RowSet

    @classmethod
    def of(cls, file: Path, *, home: Path, desk: str) -> Self:
        """The checkpoint of `file`, known by its name, its size and its first megabyte; empty if there is none to use.

        One that was made with another desk does not count: that one has the rows, this one may not.
        """
        size = file.stat().st_size
        with file.open("rb") as opened:
            head = hashlib.sha256(opened.read(_HEAD) + str(size).encode()).hexdigest()
        name = re.sub(r"[^\w.-]", "_", file.name)
        path = home / "imports" / f"{name}-{head[:16]}.json"
        facts = {"version": _VERSION, "file": file.name, "size": size, "head_and_size_sha256": head, "desk": desk}
        return cls(path, facts, RowSet(_ranges(path, facts)))

    @property
    def rejects(self) -> Path:
        """Where the rejected rows are reported."""
        return self.path.with_name(f"{self.path.stem}-rejected.csv")

    def save(self) -> None:
        """Write it whole or not at all: a crash while saving leaves the one before."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        saved = self.facts | {"saved_at": datetime.now(UTC).isoformat(timespec="seconds")}
        text = json.dumps(saved | {"done": list(self.done.ranges())}, indent=1)
        part = self.path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        part.replace(self.path)


class Rejects:
    """The report of rejected rows, begun anew by each run: a rejected row is not done, so each run meets it again.

    Made only once there is something to report, readable by its owner alone. The narrative never gets in, even if the
    desk should quote it, unless `keep_rows` asks for the rows themselves, so that they can be mended and sent again:
    then each line is the row as it stood (its `columns`), and behind it why it was rejected, under the headings `_row`,
    `_id`, `_code`, `_pointer` and `_reason`.
    """

    def __init__(self, path: Path, *, keep_rows: bool = False) -> None:
        self.path = path
        self.columns: Sequence[str] = ()
        self._keep_rows = keep_rows
        self.count = 0
        self._opened: TextIO | None = None

    def __enter__(self) -> Self:
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened:
            self._opened.close()

    def add(
        self,
        row: int,
        row_id: str,
        code: str,
        pointer: str,
        reason: str,
        *,
        narrative: str = "",
        cells: Mapping[str, str] | None = None,
    ) -> None:
        if self._opened is None:
            self._opened = self._begin()
        said = reason[:_REASON_LENGTH]
        if not self._keep_rows and _quotes(said, narrative):
            said = "(the reason quotes the narrative and was left out)"
        own = [(cells or {}).get(name, "") for name in self.columns] if self._keep_rows else []
        csv.writer(self._opened).writerow([*own, row, row_id, code, pointer, said])
        self.count += 1

    def _begin(self) -> TextIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # utf-8-sig where people will open it in a spreadsheet, which takes it for another encoding otherwise
        encoding = "utf-8-sig" if self._keep_rows else "utf-8"
        private = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        opened = os.fdopen(private, "w", encoding=encoding, newline="")
        headings = ["row", "complaint_id", "code", "pointer", "reason"]
        if self._keep_rows:
            headings = [*self.columns, "_row", "_id", "_code", "_pointer", "_reason"]
        csv.writer(opened).writerow(headings)
        return opened

    def flush(self) -> None:
        if self._opened:
            self._opened.flush()


def _ranges(path: Path, facts: dict[str, Any]) -> list[tuple[int, int]]:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        if any(saved.get(name) != value for name, value in facts.items()):
            return []
        return [(int(start), int(end)) for start, end in saved["done"]]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []  # none yet, or damaged: begin anew, which the keys make harmless


def _quotes(reason: str, narrative: str) -> bool:
    """Whether a run of characters of `narrative` stands in `reason`."""
    if len(narrative) <= _QUOTED:
        return len(narrative) >= _QUOTED // 2 and narrative in reason
    return any(reason[at : at + _QUOTED] in narrative for at in range(len(reason) - _QUOTED + 1))
