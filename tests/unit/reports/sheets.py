"""A second opinion on workbooks: openpyxl reads them, a small evaluator of ours computes their formulas."""

import re
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import openpyxl

CELL = re.compile(r"(?:'([^']+)'!)?([A-Z]+\d+)(?::([A-Z]+\d+))?")


class Book:
    """A workbook's formulas beside the values that were written with them."""

    def __init__(self, file: Path) -> None:
        self.formulas = openpyxl.load_workbook(file)
        self.values = openpyxl.load_workbook(file, data_only=True)

    def rows(self, sheet: str) -> list[list[Any]]:
        return [[cell.value for cell in row] for row in self.values[sheet].iter_rows(min_row=5)]

    def computed(self) -> list[tuple[str, str, Decimal, Decimal]]:
        """Return sheet, cell, what was written and what a spreadsheet computes, of every formula."""
        found = []
        for sheet in self.formulas:
            for row in sheet.iter_rows():
                for cell in row:
                    if isinstance(cell.value, str) and cell.value.startswith("="):
                        cached = self.values[sheet.title][cell.coordinate].value
                        assert isinstance(cached, int | float), f"{sheet.title}!{cell.coordinate}"
                        value = self.value(sheet.title, cell.coordinate)
                        found.append((sheet.title, cell.coordinate, Decimal(repr(cached)), value))
        return found

    def value(self, sheet: str, coordinate: str) -> Decimal:
        told = self.formulas[sheet][coordinate].value
        if isinstance(told, str) and told.startswith("="):
            return self.formula(sheet, told[1:])
        # As a spreadsheet: text in a sum counts nothing.
        return Decimal(repr(told)) if isinstance(told, int | float) else Decimal(0)

    def formula(self, sheet: str, text: str) -> Decimal:
        def number(found: re.Match[str]) -> str:
            other, first, last = found.groups()
            if last is None:
                return f"D('{self.value(other or sheet, first)}')"
            cells = self.formulas[other or sheet][f"{first}:{last}"]
            values = ",".join(f"D('{self.value(other or sheet, row[0].coordinate)}')" for row in cells)
            return f"[{values}]"

        names = {"D": Decimal, "SUM": sum, "ROUND": rounded}
        return Decimal(eval(CELL.sub(number, text), {"__builtins__": {}}, names))  # noqa: S307


def rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
