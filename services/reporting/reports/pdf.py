"""A report as PDF: A4, typeset by Typst from data alone, charts as vector pictures with their tables beside them."""

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import orjson
import typst

from services.reporting.reports.document import Document
from services.reporting.views import charts
from services.reporting.views.block import Block
from shared.i18n import Translator
from shared.letters.pdf import LOOKS, fonts

_FOLDER = Path(__file__).parent / "template"
_MOST_ROWS = 26


def render(document: Document, t: Translator) -> bytes:
    """The report as PDF. Takes a second or two, and blocks."""
    look = LOOKS[document.language]
    data = {
        **look,
        "title": document.title,
        "bank": document.bank,
        "made": document.made,
        "date": (document.month.year, document.month.month, document.month.day),
        "summary_title": t.gettext("Summary"),
        "summary": document.summary,
        "contents": t.gettext("Contents"),
        "page": t.gettext("Page {n} of {total}"),
        "meaning": t.gettext("What the figures mean"),
        "definitions": document.definitions,
        "sections": [
            {
                "title": section.title,
                "lead": section.lead,
                "blocks": [_block(block, t, look["font"]) for block in section.blocks],
            }
            for section in document.sections
        ],
    }
    compiler = typst.Compiler(
        input=_FOLDER / "report.typ",
        root=_FOLDER,
        font_paths=fonts(),
        sys_inputs={"report": orjson.dumps(data).decode()},
        package_path=_FOLDER,
        package_cache_path=_FOLDER,
    )
    made = compiler.compile(format="pdf", timestamp=datetime.combine(document.month, time(), UTC))
    assert isinstance(made, bytes), "one PDF holds all pages"
    return made


def _block(block: Block, t: Translator, font: str) -> dict[str, Any]:
    picture = None
    if block.chart is not None:
        picture = charts.drawn(block.chart, t.language, font=font)
    rows = [[cell.text for cell in row] for row in block.rows[:_MOST_ROWS]]
    left = len(block.rows) - len(rows)
    numbers = [i > 0 and any(row[i].value is not None for row in block.rows) for i in range(len(block.columns))]
    return {
        "title": block.title,
        "said": block.said,
        "note": block.note,
        "picture": picture,
        "columns": block.columns,
        "numbers": numbers,
        "rows": rows,
        "more": t.gettext("and {n} more, in the spreadsheet", n=t.number(left)) if left else "",
        "none": "" if block.rows else t.gettext("None in this period"),
    }
