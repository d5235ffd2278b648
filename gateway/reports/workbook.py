"""Reads what a reader sees of a workbook: values and formulas, cell by cell, in order; to compare two."""

import math
import re
import xml.etree.ElementTree as ET  # a document type, and so any entity, is refused below
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, NamedTuple

_MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_OFFICE: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_LARGEST: Final = 2**31
_HEAD: Final = 2_000
"""Bytes in which a document type would stand."""
_LOOSE: Final = re.compile(r"[\s$']+")


class Seen(NamedTuple):
    """One cell that holds anything."""

    place: str
    """As ``D5``."""
    row: int
    value: str | float
    formula: str


class Workbook:
    """A workbook's sheets by name; opens the file for each question."""

    def __init__(self, file: Path) -> None:
        if not zipfile.is_zipfile(file):
            raise ValueError("no workbook")
        self._file = file
        with zipfile.ZipFile(file) as archive:
            parts = {
                each.get("Id", ""): each.get("Target", "")
                for each in _whole(archive, "xl/_rels/workbook.xml.rels")
            }
            self.sheets = {
                each.get("name", ""): "xl/" + parts[each.get(_OFFICE, "")].removeprefix("/xl/")
                for each in _whole(archive, "xl/workbook.xml").iter(f"{_MAIN}sheet")
            }
            names = archive.namelist()
            shared = _whole(archive, "xl/sharedStrings.xml") if "xl/sharedStrings.xml" in names else ()
            self._shared = [_text(each) for each in shared]

    def cells(self, sheet: str) -> Iterator[Seen]:
        """Yield the cells of a sheet that hold anything, row by row."""
        with zipfile.ZipFile(self._file) as archive, _opened(archive, self.sheets[sheet]) as part:
            for _, row in ET.iterparse(part):  # noqa: S314  see `_opened`
                if row.tag != f"{_MAIN}row":
                    continue
                for cell in row:
                    seen = self._seen(cell, int(row.get("r", "0")))
                    if seen.value != "" or seen.formula:
                        yield seen
                row.clear()

    def _seen(self, cell: ET.Element, row: int) -> Seen:
        kind, place = cell.get("t", "n"), cell.get("r", "")
        told = cell.findtext(f"{_MAIN}v") or ""
        formula = _LOOSE.sub("", cell.findtext(f"{_MAIN}f") or "")
        match kind:
            case "s":
                value: str | float = self._shared[int(told)]
            case "inlineStr":
                inline = cell.find(f"{_MAIN}is")
                value = "" if inline is None else _text(inline)
            case "n":
                value = float(told) if told else ""
            case _:
                value = told
        return Seen(place, row, value, formula)


def is_same(one: Seen, other: Seen) -> bool:
    """Tell whether two cells say the same; what a spreadsheet computed again may differ in the last bits."""
    if (one.place, one.formula) != (other.place, other.formula):
        return False
    if isinstance(one.value, float) and isinstance(other.value, float):
        return math.isclose(one.value, other.value, rel_tol=1e-11, abs_tol=1e-11)
    return one.value == other.value


def _text(element: ET.Element) -> str:
    return "".join(each.text or "" for each in element.iter(f"{_MAIN}t"))


def _whole(archive: zipfile.ZipFile, name: str) -> ET.Element:
    with _opened(archive, name) as part:
        return ET.parse(part).getroot()  # noqa: S314  see `_opened`


def _opened(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a part; one with a document type, or larger than any of ours, is refused with ValueError."""
    if archive.getinfo(name).file_size > _LARGEST:
        raise ValueError(f"{name} is too large")
    with archive.open(name) as part:
        if b"<!DOCTYPE" in part.read(_HEAD).upper():
            raise ValueError(f"{name} has a document type")
    return archive.open(name)
