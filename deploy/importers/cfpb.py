"""`redress import cfpb FILE`: the complaints that the US CFPB publishes. Rows without a complaint id are told apart by
what they say."""

import csv
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from deploy.importers.cfpb_rows import Row, SeenIds, mapped, opened
from deploy.importers.running import Found, Mapped, Opened, Unfit, WrongFile


class Cfpb:
    """The bureau's CSV, plain or gzip."""

    @contextmanager
    def open(self, path: Path, *, now: datetime) -> Iterator[Opened]:
        with opened(path) as (raw, rows):
            yield Opened(path.stat().st_size, raw.tell, _found(rows, now))


def _found(rows: Iterator[Row], now: datetime) -> Iterator[Found]:
    seen = SeenIds()
    try:
        for row in rows:
            what = mapped(row, now=now)
            if isinstance(what, Mapped) and what.row_id and not seen.add(what.row_id):
                reason = "an earlier row of this file has the same complaint id"
                what = Unfit(what.row_id, "complaint_id_duplicate", "/Complaint ID", reason)
            yield Found(row.number, what)
    except (csv.Error, EOFError, OSError, zlib.error) as error:
        raise WrongFile(f"The file is damaged or ends too soon: {error}") from error
