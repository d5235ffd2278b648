"""What a report says, apart from language and file format: tables of exact cells, and their one hash.

    books ─ tables ─▶ content: JSON lines in a temporary file ─▶ SHA-256
                                 │
                                 ├─▶ Excel, in any language
                                 └─▶ PDF, in any language

Everything is gathered once, so that hash, Excel and PDF are of the same moment although a gateway may be
booking beside. A line is one row; no report is ever in memory whole. Numbers are decimal text, never floats.
The hash is of these lines: the same books give the same one in every language, format and release that says
the same. What changes by itself (when it was made, by which release) is no part of it.
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import IO, Any, Final, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from config.base import Text
from config.problems import Language, Phrase
from gateway.energy.carbon.exact import rounded

FORMAT: Final = "wanglian.report/1"
_NUMBER: Final = re.compile(r"-?\d{1,80}(\.\d{1,80})?")
DEEPEST: Final = 12
"""Decimal places of a number that does not end."""
Kind = Literal["ledger", "carbon", "networking"]
Wording = Literal["zh", "en", "both"]
ColumnKind = Literal["text", "number", "time", "percent"]
RowKind = Literal["row", "total", "heading", "note"]


class Moment(NamedTuple):
    """A time, ns UTC, that is shown in the plant's zone."""

    ns: int


class Computed(NamedTuple):
    """A number a spreadsheet computes too.

    In `formula` ``{key}`` is the cell of that column in the same row, ``{key:}`` its cells of the rows since
    the last heading or total, ``{table.key@n}`` its cell in the n-th total of another table, from 0.
    """

    value: Decimal
    formula: str


Cell = str | Phrase | Text | Decimal | Moment | Computed | None
"""None: not known, which is never 0."""


class Column(NamedTuple):
    """A column; its title is the phrase ``report.column.<key>``."""

    key: str
    kind: ColumnKind = "text"
    places: int = 3
    """Decimal places shown; what lies behind is exact."""
    width: int = 12
    """Of digits."""


class Row(NamedTuple):
    """A row of cells; a heading or a note has one."""

    cells: tuple[Cell, ...]
    kind: RowKind = "row"


@dataclass(frozen=True, slots=True)
class Table:
    """A table; its title is the phrase ``report.table.<name>``."""

    name: str
    columns: tuple[Column, ...]
    rows: Iterable[Row]


@dataclass(frozen=True, slots=True)
class Head:
    """What a report is of: enough to make it again from the same books."""

    kind: Kind
    site: str
    gateway: str
    zone: str
    first: int
    """ns UTC."""
    last: int
    period: str
    """As it was asked for."""
    interval: str


class Content:
    """A report's lines in a temporary file; close it when done."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the report
        self._hash = hashlib.sha256()
        self.rows = 0

    def close(self) -> None:
        """Let the lines go."""
        self._file.close()

    def write(self, head: Head, tables: Iterable[Table], tick: Callable[[], None] = lambda: None) -> None:
        """Take in head and tables; `tick` is called once a row."""
        self.add(_line({"format": FORMAT} | {name: getattr(head, name) for name in head.__slots__}))
        for table in tables:
            self.add(_line({"table": table.name, "columns": [list(each) for each in table.columns]}))
            for row in table.rows:
                self.add(_line({row.kind: [_coded(cell) for cell in row.cells]}))
                self.rows += 1
                tick()

    def add(self, line: bytes) -> None:
        """Take in a line as it was written once."""
        self._hash.update(line + b"\n")
        self._file.write(line + b"\n")

    @property
    def hash(self) -> str:
        """Return the SHA-256 of all lines so far, 64 hexadecimal digits."""
        return self._hash.hexdigest()

    def lines(self) -> Iterator[bytes]:
        """Yield the lines as they stand, without their ends."""
        self._file.seek(0)
        for line in self._file:
            yield line.rstrip(b"\n")

    def head(self) -> Head:
        """Return what the report is of; ValueError for lines of no report we know."""
        found = json.loads(next(self.lines(), b"null"))
        if not isinstance(found, dict) or found.pop("format", None) != FORMAT:
            raise ValueError("these are no lines of a report")
        head = Head(**found)
        texts = (head.site, head.gateway, head.zone, head.period, head.interval)
        if head.kind not in get_args(Kind) or not all(isinstance(each, str) for each in texts):
            raise ValueError("these are no lines of a report")
        try:
            ZoneInfo(head.zone)
        except (LookupError, OSError) as error:
            raise ValueError("there is no such time zone") from error
        return head

    def tables(self) -> Iterator[Table]:
        """Yield the tables in order; rows of one that are not read by the next are passed over."""
        lines = self.lines()
        next(lines)
        opened: list[dict[str, Any]] = [json.loads(each) for each in (next(lines, b""),) if each]
        while opened:
            told = opened.pop()
            columns = tuple(_column(*each) for each in told["columns"])
            rows = _rows(lines, opened)
            yield Table(told["table"], columns, rows)
            for _ in rows:
                pass


def _rows(lines: Iterator[bytes], opened: list[dict[str, Any]]) -> Iterator[Row]:
    for line in lines:
        told = json.loads(line)
        if "table" in told:
            opened.append(told)
            return
        ((kind, cells),) = told.items()
        yield Row(tuple(_cell(each) for each in cells), kind)


def _line(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _coded(cell: object) -> object:  # noqa: PLR0911  one line a kind of cell
    match cell:
        case None | str() | int():
            return cell
        case Decimal():
            return {"n": f"{cell:f}"}
        case Computed():
            return {"n": f"{cell.value:f}", "f": cell.formula}
        case Moment():
            return {"t": cell.ns}
        case Text():
            return {"zh": cell.zh, "en": cell.en}
        case Phrase():
            return {"p": cell.key, "a": {name: _coded(each) for name, each in cell.args.items()}}
        case list() | tuple():
            return [_coded(each) for each in cell]
        case _:
            return str(cell)


def _cell(told: Any) -> Any:  # noqa: PLR0911
    match told:
        case {"n": number, "f": formula}:
            return Computed(_decimal(number), formula)
        case {"n": number}:
            return _decimal(number)
        case {"t": ns}:
            return Moment(ns)
        case {"zh": zh, "en": en}:
            return Text(zh=zh, en=en)
        case {"p": key, "a": args}:
            return Phrase(key, {name: _cell(each) for name, each in args.items()})
        case list():
            return [_cell(each) for each in told]
        case _:
            return told


def _column(key: str, kind: ColumnKind, places: int, width: int) -> Column:
    if kind not in get_args(ColumnKind) or not 0 <= places <= DEEPEST or not 1 <= width <= 255:
        raise ValueError(key)
    return Column(key, kind, places, width)


def _decimal(told: str) -> Decimal:
    """Return a number as it was written: a power of ten in a file from elsewhere could be gigabytes long."""
    if not _NUMBER.fullmatch(told):
        raise ValueError(told)
    return Decimal(told)


def number(amount: Fraction | None, places: int = DEEPEST) -> Decimal | None:
    """Return an amount as a decimal: exact where it ends within these places, else rounded half to even."""
    if amount is None:
        return None
    found = rounded(amount, places)
    text = f"{found:f}"
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def words(value: object, wording: Wording) -> str:
    """Return text, a phrase or a text of two languages as it is read; `both` puts the Chinese first."""
    if wording == "both":
        parts = [_text(value, "zh"), _text(value, "en")]
        return " / ".join(dict.fromkeys(parts))
    return _text(value, wording)


def _text(value: object, language: Language) -> str:
    match value:
        case Phrase():
            return value.text(language)
        case Text():
            return value.zh if language == "zh" else value.en
        case _:
            return str(value)


def listed(values: Sequence[object]) -> Phrase:
    """Return several texts or phrases as one cell."""
    return Phrase("report.list", {"items": list(values)})
