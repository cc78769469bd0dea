"""Labelled texts in a file: CSV with a header, also compressed (`.csv.gz`)."""

import csv
import gzip
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MOST_CHARACTERS = 20_000


class BadFile(ValueError):
    """The file cannot be used; the text says which line or column and why."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Texts and their labels, row by row. `left_out`: rows without a text or without a label."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    left_out: int


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def read(path: Path, *, text: Sequence[str], label: str) -> Labelled:
    """The rows of `path`; of several `text` columns each becomes a sentence. Raises BadFile."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    texts: list[str] = []
    labels: list[str] = []
    left_out = 0
    number = 1
    try:
        with _opened(path) as lines:
            rows = csv.DictReader(lines)
            there = rows.fieldnames or ()
            for column in (*text, label):
                if column not in there:
                    raise BadFile(f"{path.name}: there is no column '{column}'; there are: {', '.join(there)}")
            for row in rows:
                number += 1
                words = "。\n".join(found for c in text if (found := (row[c] or "").strip()))
                given = (row[label] or "").strip()
                if words and given:
                    texts.append(words[:MOST_CHARACTERS])
                    labels.append(given)
                else:
                    left_out += 1
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise BadFile(f"{path.name}: cannot be read ({error})") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadFile(f"{path.name}: after row {number}: {error}") from None
    return Labelled(tuple(texts), tuple(labels), left_out)
