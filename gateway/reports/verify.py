"""Checks a report: is what it shows what its hash is of, and do the books still say the same?

A file carries the lines its hash is of. From these it is made again and the two are compared: a PDF to the
byte, a workbook cell by cell, since saving one again changes its bytes. Nobody is kept from making another
file with another hash: that the figures are those of the books, only the books can tell. Files come from
anywhere: whatever is wrong with one is E-RP-0005.
"""

import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Final, NamedTuple

from gateway.reports.content import Content
from gateway.reports.cover import Made, made_from
from gateway.reports.excel import HIDDEN, write_excel
from gateway.reports.pdf import ATTACHED, write_pdf
from gateway.reports.refused import Refused
from gateway.reports.workbook import Workbook, is_same

_MALFORMED: Final = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, EOFError,
    SyntaxError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What readers of JSON, XML and zip raise for bytes that are none, or none of ours."""
_ATTACHMENT: Final = re.compile(rb"/Type /EmbeddedFile\n>>\nstream\n(.*?)\nendstream", re.DOTALL)


class Verified(NamedTuple):
    """What a file says of itself."""

    made: Made
    changed: tuple[str, ...]
    """Where it differs from what its content makes; empty: it is sound."""


def verify(file: Path, content: Content, tick: Callable[[], None] = lambda: None) -> Verified:
    """Take a file's lines into `content`, compare the file with what they make; `tick` is called once a row.

    Raises:
        Refused: E-RP-0005, it is no report of ours. OSError: it can't be read.
    """
    try:
        lines = list(_attached(file) if file.suffix.lower() == ".pdf" else _hidden(file))
        made = made_from(lines[0])
        for line in lines[1:]:
            content.add(line)
        content.head()
        with tempfile.TemporaryDirectory() as folder:
            again = Path(folder) / f"again{file.suffix.lower()}"
            if again.suffix == ".pdf":
                write_pdf(content, again, made, tick)
                is_equal = again.read_bytes() == file.read_bytes()
                changed: tuple[str, ...] = () if is_equal else ("PDF",)
            else:
                write_excel(content, again, made, tick)
                changed = tuple(_differences(Workbook(file), Workbook(again)))
    except Refused:
        raise
    except _MALFORMED as error:
        raise _no_report(file, error) from error
    return Verified(made, changed)


def unpacked(file: Path) -> int:
    """Return how many bytes a workbook unpacks to; 0 for what is none. Raises as `verify`."""
    if not zipfile.is_zipfile(file):
        return 0
    try:
        with zipfile.ZipFile(file) as packed:
            return sum(each.file_size for each in packed.infolist())
    except _MALFORMED as error:
        raise _no_report(file, error) from error


def _no_report(file: Path, error: Exception) -> Refused:
    return Refused("E-RP-0005", file=file.name, reason=str(error) or type(error).__name__)


def _hidden(file: Path) -> Iterator[bytes]:
    book = Workbook(file)
    if HIDDEN not in book.sheets:
        raise ValueError(HIDDEN)
    line: list[str] = []
    at = 0
    for cell in book.cells(HIDDEN):
        if cell.row != at and line:
            yield "".join(line).encode()
            line = []
        at = cell.row
        line.append(str(cell.value))
    yield "".join(line).encode()


def _attached(file: Path) -> Iterator[bytes]:
    data = file.read_bytes()
    found = _ATTACHMENT.search(data)
    if found is None:
        raise ValueError(ATTACHED)
    yield from found[1].split(b"\n")


def _differences(file: Workbook, again: Workbook) -> Iterator[str]:
    """Yield the first ten places where two workbooks differ."""
    if list(file.sheets) != list(again.sheets):
        yield ", ".join(set(file.sheets) ^ set(again.sheets)) or ", ".join(file.sheets)
        return
    count = 0
    for sheet in again.sheets:
        if sheet == HIDDEN:
            continue
        for one, other in zip_longest(file.cells(sheet), again.cells(sheet)):
            if one is not None and other is not None and is_same(one, other):
                continue
            shown = one or other
            yield f"{sheet}!{shown.place}" if shown is not None else sheet
            count += 1
            if count == 10 or one is None or other is None or one.place != other.place:
                return
