"""A report as an Excel workbook: a sheet a table, formulas where a reader would check a sum, ready to print.

Rows are written as they come and leave memory with the next one. A cell holds the double nearest to our exact
number; beside a formula stands what we computed, so that the workbook reads the same before and after a
spreadsheet has computed it. Times are local, without a zone: the first sheet names it.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from config.problems import Phrase
from gateway.reports.content import Cell, Computed, Content, Moment, Row, Table, Wording, words
from gateway.reports.cover import Made, cover, made_line
from gateway.reports.refused import Refused

HEADER: Final = 3
"""Row of the column titles, from 0; data begin below."""
MOST_ROWS: Final = 1_000_000
HIDDEN: Final = "content"
_CHUNK: Final = 30_000
"""Characters in a cell of the hidden sheet; Excel takes 32 767."""
_REFERENCE: Final = re.compile(r"\{(?:(\w+)\.)?(\w+)(:?)(?:@(\d+))?\}")
_UNSAFE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_INK: Final = "#1F2933"
_HEAD: Final = "#E8ECEF"
_LINE: Final = "#B8C2CC"


def write_excel(content: Content, target: Path, made: Made, tick: Callable[[], None] = lambda: None) -> None:
    """Write the workbook; `tick` is called once a row.

    Raises:
        Refused: E-RP-0003, a table has more rows than a sheet.
        OSError: it can't be written.
    """
    totals, wording = _totals(content), made.wording
    book = xlsxwriter.Workbook(
        str(target),
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": False},
    )
    # The file's own dates are those of the report, so that the same report is the same file.
    stamp = datetime.fromtimestamp(made.at // 1_000_000_000, UTC).replace(tzinfo=None)
    title = words(Phrase(f"report.title.{content.head().kind}"), wording)
    book.set_properties({"title": title, "created": stamp, "comments": f"SHA-256 {content.hash}"})
    sheets = _Sheets(book, content, wording, totals)
    sheets.cover(cover(content, made), title)
    for table in content.tables():
        sheets.table(table, tick)
    sheets.hide(made)
    try:
        book.close()
    except xlsxwriter.exceptions.FileCreateError as error:
        raise OSError(str(error)) from error


def _totals(content: Content) -> dict[tuple[str, int], int]:
    """Return in which row each total of each table stands, from 1 as formulas count."""
    found: dict[tuple[str, int], int] = {}
    for table in content.tables():
        count = n = 0
        for row in table.rows:
            count += 1
            if row.kind == "total":
                found[table.name, n] = HEADER + 1 + count
                n += 1
        if count > MOST_ROWS:
            raise Refused("E-RP-0003", rows=count, most=MOST_ROWS)
    return found


class _Sheets:
    """The sheets of one workbook as they are written."""

    def __init__(
        self,
        book: xlsxwriter.Workbook,
        content: Content,
        wording: Wording,
        totals: Mapping[tuple[str, int], int],
    ) -> None:
        self._book = book
        self._content = content
        self._wording = wording
        self._totals = totals
        self._head = content.head()
        self._zone = ZoneInfo(self._head.zone)
        self._columns = {
            table.name: {column.key: n for n, column in enumerate(table.columns)}
            for table in content.tables()
        }
        self._formats: dict[tuple[object, ...], Format] = {}

    def cover(self, lines: list[tuple[Cell, Cell]], title: str) -> None:
        """Write what identifies the report."""
        sheet = self._sheet(Phrase("report.cover"))
        sheet.set_column(0, 0, 30)
        sheet.set_column(1, 1, 90)
        sheet.write_string(0, 0, title, self._format("title"))
        for row, (name, value) in enumerate(lines, 2):
            sheet.write_string(row, 0, self._words(name), self._format("name"))
            sheet.write_string(row, 1, self._text(value), self._format("wrapped"))

    def table(self, table: Table, tick: Callable[[], None]) -> None:
        """Write one table, row by row."""
        sheet = self._sheet(Phrase(f"report.table.{table.name}"))
        title = self._words(Phrase(f"report.table.{table.name}"))
        sheet.write_string(0, 0, title, self._format("title"))
        sheet.write_string(1, 0, f"{self._head.site} · {self._head.period} · {self._head.zone}")
        for n, column in enumerate(table.columns):
            sheet.set_column(n, n, max(column.width, 8 if self._wording == "en" else 6) + 2)
            text = self._words(Phrase(f"report.column.{column.key}")).replace(" / ", "\n")
            sheet.write_string(HEADER, n, text, self._format("head"))
        sheet.set_row(HEADER, 45 if self._wording == "both" else 30)
        sheet.freeze_panes(HEADER + 1, 1)
        sheet.repeat_rows(HEADER)
        begin, at = HEADER + 1, HEADER + 1
        for row in table.rows:
            tick()
            self._row(sheet, table, row, at, begin)
            at += 1
            if row.kind != "row":
                begin = at

    def hide(self, made: Made) -> None:
        """Write the lines the hash is of into a sheet nobody sees, so that the file can be verified."""
        sheet = self._book.add_worksheet(HIDDEN)
        sheet.very_hidden()
        lines = chain((made_line(made),), self._content.lines())
        for row, line in enumerate(lines):
            text = line.decode()
            for column, begin in enumerate(range(0, len(text), _CHUNK)):
                sheet.write_string(row, column, text[begin : begin + _CHUNK])

    def _sheet(self, name: Phrase) -> Worksheet:
        # Excel: 31 characters, none of []:*?/\ ; a sheet in two languages carries the Chinese one.
        text = words(name, "zh" if self._wording == "both" else self._wording)[:31]
        sheet = self._book.add_worksheet(text)
        sheet.set_paper(9)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.5, right=0.5, top=0.6, bottom=0.7)
        sheet.hide_gridlines(2)
        sheet.set_footer(
            f"&L&8{self._head.site} · {self._head.period}&C&8&P / &N&R&8 SHA-256 {self._content.hash[:16]}"
        )
        return sheet

    def _row(self, sheet: Worksheet, table: Table, row: Row, at: int, begin: int) -> None:
        if row.kind in ("note", "heading"):
            self._across(sheet, table, at, self._text(row.cells[0]), row.kind)
            return
        for n, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True)):
            form = self._format(row.kind, column.kind, column.places)
            match cell:
                case Computed():
                    sheet.write_formula(at, n, self._formula(cell, table, at, begin), form, float(cell.value))
                case Decimal():
                    sheet.write_number(at, n, float(cell), form)
                case Moment():
                    sheet.write_datetime(at, n, self._local(cell), form)
                case _:
                    plain = self._format(row.kind, "unknown" if cell is None else "text")
                    sheet.write_string(at, n, self._unknown(cell, row), plain)

    def _across(self, sheet: Worksheet, table: Table, at: int, text: str, kind: str) -> None:
        """Write a text over all columns; merged cells find no height by themselves."""
        room = sum(column.width + 2 for column in table.columns)
        wide = sum(2 if ord(each) > 0x2E7F else 1 for each in text)
        sheet.set_row(at, 15 * (1 + wide // room))
        if len(table.columns) > 1:
            sheet.merge_range(at, 0, at, len(table.columns) - 1, text, self._format(kind))
        else:
            sheet.write_string(at, 0, text, self._format(kind))

    def _unknown(self, cell: Cell, row: Row) -> str:
        return "–" if cell is None and row.kind == "row" else self._text(cell)

    def _formula(self, cell: Computed, table: Table, at: int, begin: int) -> str:
        def address(found: re.Match[str]) -> str:
            other, key, is_range, n = found.groups()
            letter = xl_col_to_name(self._columns[other or table.name][key])
            if other is not None:
                sheet = words(
                    Phrase(f"report.table.{other}"), "zh" if self._wording == "both" else self._wording
                )
                return f"'{sheet[:31]}'!{letter}{self._totals[other, int(n)]}"
            return f"{letter}{begin + 1}:{letter}{at}" if is_range else f"{letter}{at + 1}"

        return "=" + _REFERENCE.sub(address, cell.formula)

    def _local(self, cell: Moment) -> datetime:
        return datetime.fromtimestamp(cell.ns // 1_000_000_000, self._zone).replace(tzinfo=None)

    def _words(self, value: Cell) -> str:
        return _UNSAFE.sub(" ", words(value, self._wording))

    def _text(self, cell: Cell) -> str:
        match cell:
            case None:
                return ""
            case Moment():
                return f"{self._local(cell):%Y-%m-%d %H:%M:%S}"
            case Decimal():
                return f"{cell:f}"
            case _:
                return self._words(cell)

    def _format(self, kind: str, of: str = "text", places: int = 0) -> Format:
        key = (kind, of, places)
        if key not in self._formats:
            self._formats[key] = self._book.add_format(_style(kind, of, places))
        return self._formats[key]


_PLAIN: Final[dict[str, dict[str, object]]] = {
    "title": {"bold": True, "font_size": 14},
    "name": {"bold": True, "valign": "top", "text_wrap": True},
    "wrapped": {"text_wrap": True, "valign": "top", "align": "left"},
    "note": {"italic": True, "font_color": "#52606D", "text_wrap": True, "valign": "top"},
    "heading": {"bold": True},
    "head": {"bold": True, "bg_color": _HEAD, "bottom": 1, "text_wrap": True, "align": "center"},
}


def _style(kind: str, of: str, places: int) -> dict[str, object]:
    style: dict[str, object] = {"font_size": 10, "font_color": _INK, "valign": "vcenter"}
    if kind in _PLAIN:
        return style | _PLAIN[kind]
    if kind == "total":
        style |= {"bold": True, "top": 1, "bottom": 1, "border_color": _LINE}
    else:
        style |= {"bottom": 4, "border_color": _LINE}
    decimals = "." + "0" * places if places else ""
    match of:
        case "number":
            style["num_format"] = f"#,##0{decimals}"
        case "percent":
            style["num_format"] = f"0{decimals}%"
        case "time":
            style |= {"num_format": "yyyy-mm-dd hh:mm", "align": "left"}
        case "unknown":
            style["align"] = "right"
        case _:
            style["text_wrap"] = True
    return style
