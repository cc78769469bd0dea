"""A report as spreadsheet: a sheet for the summary, one for each section with its tables, one for what figures mean."""

from datetime import date
from io import BytesIO

from services.reporting.reports.document import Document
from services.reporting.views.block import Cell
from shared.i18n import Translator

_FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", " "))
_LONGEST_NAME = 31  # letters of a sheet's name, which Excel allows


def render(document: Document, t: Translator) -> bytes:
    """The report as .xlsx. Numbers are numbers, so that they can be reckoned with."""
    import xlsxwriter

    file = BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": document.title, "company": document.bank})
    title = book.add_format({"bold": True, "font_size": 16})
    heading = book.add_format({"bold": True, "font_size": 12})
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    soft = book.add_format({"italic": True, "font_color": "#515c68", "text_wrap": False})
    formats = {
        "number": book.add_format({"num_format": "#,##0.##"}),
        "percent": book.add_format({"num_format": "0.0%"}),
        "date": book.add_format({"num_format": "yyyy-mm-dd"}),
    }
    sheet = book.add_worksheet(_name(t.gettext("Summary"), set()))
    sheet.set_column(0, 0, 100)
    sheet.write_string(0, 0, document.title, title)
    sheet.write_string(1, 0, f"{document.bank} · {document.made}", soft)
    for n, sentence in enumerate(document.summary):
        sheet.write_string(3 + n, 0, sentence, wrapped)
    taken: set[str] = {sheet.get_name()}
    for section in document.sections:
        sheet = book.add_worksheet(_name(section.title, taken))
        taken.add(sheet.get_name())
        sheet.set_column(0, 0, 44)
        sheet.set_column(1, 9, 16)
        at = 0
        sheet.write_string(at, 0, section.title, title)
        at += 2
        for block in section.blocks:
            sheet.write_string(at, 0, block.title, heading)
            at += 1
            if block.said:
                sheet.write_string(at, 0, block.said, soft)
                at += 1
            for i, column in enumerate(block.columns):
                sheet.write_string(at, i, column, head)
            first = at + 1
            for row in block.rows:
                at += 1
                for i, cell in enumerate(row):
                    _write(sheet, at, i, cell, formats)
            if not block.rows:
                at += 1
                sheet.write_string(at, 0, t.gettext("None in this period"), soft)
            elif block.chart is not None and len(block.rows) > 1:
                drawn = book.add_chart({"type": "bar" if block.chart.kind == "bars" else "column"})
                last = min(at, first + 19)
                drawn.add_series(
                    {
                        "name": block.columns[1],
                        "categories": [sheet.get_name(), first, 0, last, 0],
                        "values": [sheet.get_name(), first, 1, last, 1],
                        "fill": {"color": "#1f6f8f"},
                    }
                )
                drawn.set_title({"name": block.title, "name_font": {"size": 11}})
                drawn.set_legend({"none": True})
                if block.chart.kind == "bars":
                    drawn.set_y_axis({"reverse": True})
                drawn.set_size({"width": 560, "height": 300})
                sheet.insert_chart(first - 1, len(block.columns) + 1, drawn, {"description": block.said or block.title})
                at = max(at, first + 15)
            if block.note:
                at += 1
                sheet.write_string(at, 0, block.note, soft)
            at += 2
    sheet = book.add_worksheet(_name(t.gettext("What the figures mean"), taken))
    sheet.set_column(0, 0, 32)
    sheet.set_column(1, 1, 110)
    for n, (name, meaning) in enumerate(document.definitions):
        sheet.write_string(n, 0, name, head)
        sheet.write_string(n, 1, meaning, wrapped)
    book.close()
    return file.getvalue()


def _write(sheet: "object", row: int, column: int, cell: Cell, formats: "dict[str, object]") -> None:
    value, place = cell.value, sheet
    if column == 0 or value is None or isinstance(value, str | bool):
        place.write_string(row, column, cell.text)  # type: ignore[attr-defined]
    elif isinstance(value, date):
        place.write_datetime(row, column, value, formats["date"])  # type: ignore[attr-defined]
    elif cell.text.endswith("%"):
        place.write_number(row, column, value, formats["percent"])  # type: ignore[attr-defined]
    elif cell.text[:1].isdigit() and cell.text.replace(",", "").replace(".", "").isdigit():
        place.write_number(row, column, value, formats["number"])  # type: ignore[attr-defined]
    else:
        place.write_string(row, column, cell.text)  # type: ignore[attr-defined]


def _name(title: str, taken: set[str]) -> str:
    """A name for a sheet: short enough, without what Excel forbids, and of its own."""
    found = title.translate(_FORBIDDEN).strip("' ")[:_LONGEST_NAME] or "-"
    n = 2
    while found.lower() in {one.lower() for one in taken}:
        found = f"{found[: _LONGEST_NAME - 3]} {n}"
        n += 1
    return found
