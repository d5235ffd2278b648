"""Tables people saved from a spreadsheet: their encoding, what parts cells, which mark is a decimal's.

Excel writes UTF-8 with a mark, GB18030 or UTF-16, as it was asked, and between cells what the machine's
region has: a comma where decimals have a point, a semicolon where they have a comma, tabs as "Unicode text".
The head row tells which. A figure such as ``1.234`` or ``1,234`` may be a thousand or a decimal, a factor of
a thousand apart: it is read where the table leaves no doubt, and refused everywhere else.

======================  =====================  ===========================================
figure                  cells parted by ``,``  by ``;`` or tab
======================  =====================  ===========================================
``0.583`` ``12.5``      as it is               as it is
``1.234``               as it is               what the column's other figures say
``1,200.50``            1200.50                1200.50
``1,200``               as others say: 1200    what the column's other figures say
``12,5`` ``1.200,50``   refused                12.5, 1200.50
======================  =====================  ===========================================
"""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from config.problems import Phrase, Problem, quote

Mark = Literal[".", ","]

_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_UNREADABLE: Final = "\ufffd"
_SEPARATORS: Final = ("\t", ";", ",")
"""A tab or a semicolon in a head is never part of a name there; a comma may be, in quotes."""
_SAID: Final = re.compile("sep=([,;\t])", re.IGNORECASE)
"""A first line of Excel's own, which it does not show."""
_SPACES: Final = "[ \u00a0\u202f'’]"
"""Between thousands, in the regions that have neither comma nor point there."""
_OTHER: Final[dict[Mark, Mark]] = {".": ",", ",": "."}
_FORM: Final[dict[Mark, re.Pattern[str]]] = {
    mark: re.compile(
        rf"[+-]?(?:[1-9]\d{{0,2}}(?:(?P<group>{re.escape(other)}|{_SPACES})\d{{3}})(?:(?P=group)\d{{3}})*"
        rf"(?:{re.escape(mark)}\d*)?|(?:\d+(?:{re.escape(mark)}\d*)?|{re.escape(mark)}\d+)(?:[eE][+-]?\d+)?)"
    )
    for mark, other in _OTHER.items()
}


class SheetRefused(ValueError):
    """What a table holds can't be read, or can be read two ways."""

    def __init__(self, code: str, line: int, column: str = "", **args: object) -> None:
        super().__init__(f"{code} {line} {column} {args}")
        self.code = code
        """A key of the message catalogue."""
        self.line = line
        self.column = quote(column)
        self.args_of_text = {"line": line, "column": self.column, **args}

    def problem(self, file: str) -> Problem:
        """Return it as a mistake in a file."""
        return Problem(self.code, file, self.line, 1, self.column, self.args_of_text)

    @property
    def phrase(self) -> Phrase:
        """Return it as a part of a sentence: what is wrong, in which line, and what to write instead."""
        return Phrase(self.code, self.args_of_text)


class Row(NamedTuple):
    """A row that is not empty, its cells without the spaces around them."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: the names of its columns and what stands below."""

    separator: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def named(self, row: Row) -> dict[str, str]:
        """Return a row's cells by column, those it leaves out empty.

        Raises:
            SheetRefused: E-SH-0003, it has more of them than the head.
        """
        count = max((i for i, cell in enumerate(row.cells, 1) if cell), default=0)
        if count > len(self.columns):
            raise SheetRefused("E-SH-0003", row.line, found=count, wanted=len(self.columns))
        cells = [*row.cells, *("" for _ in self.columns)]
        return dict(zip(self.columns, cells, strict=False))

    def figures(self, column: str, rows: Iterable[Row] | None = None) -> "Figures":
        """Return the rule for the figures of a column: of all rows, or of those that hold figures."""
        at = self.columns.index(column)
        cells = (row.cells[at] for row in (self.rows if rows is None else rows) if at < len(row.cells))
        marks = Counter(mark for mark in map(_mark_of, cells) if mark)
        return Figures(self.separator, column, frozenset(marks))


@dataclass(frozen=True, slots=True)
class Figures:
    """How the figures of a column are read."""

    separator: str
    column: str
    marks: frozenset[Mark]
    """Decimal marks of those figures that can be read one way only."""

    def plain(self, cell: str, line: int) -> str:
        """Return a figure with a decimal point and nothing between thousands; what is none as it is.

        Raises:
            SheetRefused: E-SH-0004, it can be read two ways; E-SH-0005, a decimal comma beside commas.
        """
        readings = _readings(cell)
        if not readings:
            return cell
        if self.separator == "," and "." not in readings:
            raise SheetRefused("E-SH-0005", line, self.column, value=quote(cell), plain=readings[","])
        if len(set(readings.values())) == 1:
            return next(iter(readings.values()))
        is_plain_here = self.separator == "," and "." in cell and "," not in self.marks
        if is_plain_here or self.marks == {"."}:
            return readings["."]
        if self.marks == {","} and self.separator != ",":
            return readings[","]
        # A fourth digit behind the mark: then it can't be one of thousands.
        whole, decimal = sorted(readings.values(), key=lambda text: "." in text)
        raise SheetRefused(
            "E-SH-0004", line, self.column, value=quote(cell), whole=whole, decimal=f"{decimal}0"
        )


def sheet_text(data: bytes) -> str:
    """Return a table's text, lines ended alike; what is of no encoding is replaced."""
    return _decoded(data).replace("\r\n", "\n").replace("\r", "\n")


def read_sheet(text: str, head: Sequence[str] = (), *, remarks: bool = False) -> Sheet:
    """Return a table's rows; `head` are the columns of one that may go without naming them.

    With `remarks`, lines that begin with ``#`` are left out.

    Raises:
        SheetRefused: E-SH-0001, a quotation mark is not closed; E-SH-0002, characters that can't be read;
            E-SH-0006, two columns of one name.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if remarks:
        lines = ["" if line.startswith("#") else line for line in lines]
    for number, line in enumerate(lines, 1):
        if _UNREADABLE in line:
            raise SheetRefused("E-SH-0002", number)
    said = _SAID.fullmatch(lines[0])
    if said:
        lines[0] = ""
    separator = said[1] if said else _separator(next((line for line in lines if line.strip()), ""))
    rows = list(_rows(lines, separator))
    columns = rows[0].cells if rows else ()
    if head and columns[: len(head)] != tuple(head):
        columns = tuple(head)
    else:
        rows = rows[1:]
    for i, name in enumerate(columns):
        if name and name in columns[:i]:
            # By their places: what stands in the first line of a table without head may be a secret.
            raise SheetRefused("E-SH-0006", 1, first=columns.index(name) + 1, second=i + 1)
    return Sheet(separator, columns, tuple(rows))


def _decoded(data: bytes) -> str:
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("gb18030", errors="replace")


def _separator(head: str) -> str:
    outside = re.sub(r'"[^"]*"', "", head)
    return next((each for each in _SEPARATORS if each in outside), ",")


def _rows(lines: list[str], separator: str) -> Iterator[Row]:
    # Strict: otherwise a mark that is not closed swallows all rows behind it, without a word.
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator, strict=True)
    begin = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield Row(begin, tuple(cell.strip() for cell in cells))
            begin = reader.line_num + 1
    except csv.Error:
        raise SheetRefused("E-SH-0001", begin) from None


def _readings(cell: str) -> dict[Mark, str]:
    """Return what a figure is with a decimal point and with a decimal comma, where it has that form."""
    found: dict[Mark, str] = {}
    for mark, form in _FORM.items():
        match = form.fullmatch(cell)
        if match:
            bare = cell if match["group"] is None else cell.replace(match["group"], "")
            found[mark] = bare.replace(mark, ".")
    return found


def _mark_of(cell: str) -> Mark | None:
    """Return the decimal mark of a figure that can be read one way only and shows which."""
    readings = _readings(cell)
    has_mark = "." in cell or "," in cell
    return next(iter(readings)) if len(readings) == 1 and has_mark else None
