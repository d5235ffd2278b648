"""Emission factors and standard coal coefficients: rows of data, each with where it comes from.

The tables are CSV files in `config/data/factors`; a plant's own rows stand in files of the same names and
columns in the folder `factors` of its library (`gateway.library`). Its row takes the place of ours with the
same key. Rows are only ever chosen in the plant file (`carbon:`), never by a default.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from config.factor_rows import (
    TABLES,
    Calibre,
    CoalFactor,
    Constant,
    ElectricityFactor,
    FuelFactor,
    HeatFactor,
    Row,
)
from config.problems import Phrase, Problem, quote
from config.reading.references import why_unreadable
from config.sheets import SheetRefused, read_sheet, sheet_text

R = TypeVar("R", bound=Row)

OWN_FOLDER: Final = "factors"
"""Where in a plant's library its own rows are."""
OWN_TABLES: Final[dict[str, type[Row]]] = {
    table.table: table for table in (ElectricityFactor, FuelFactor, HeatFactor, CoalFactor)
}
"""Tables a plant may add to: what is chosen. Constants and bounds are the formulas' own."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A row and whose it is."""

    row: Row
    is_own: bool


class Factors:
    """All rows a plant may choose from: ours, and its own in their place or beside them."""

    def __init__(self, own: Path | None = None) -> None:
        self._rows: dict[str, Listed] = {}
        self.problems: list[Problem] = []
        """What is wrong in the plant's own files; wrong rows are left out."""
        for table in TABLES:
            for row in shipped(table):
                self._rows[row.id] = Listed(row, is_own=False)
        if own is not None and (own / OWN_FOLDER).is_dir():
            for file in sorted((own / OWN_FOLDER).glob("*.csv")):
                self._take(file)

    def _take(self, file: Path) -> None:
        table = OWN_TABLES.get(file.stem)
        if table is None:
            reason = Phrase("row.table", {"names": tuple(f"{name}.csv" for name in OWN_TABLES)})
            self.problems.append(Problem("E-CF-1506", str(file), 1, 1, "", {"reason": reason}))
            return
        rows, problems = read_table(table, file, str(file))
        self.problems += problems
        self._rows |= {row.id: Listed(row, is_own=True) for row in rows}

    def listed(self) -> list[Listed]:
        """Return every row, table by table."""
        order = {table.table: i for i, table in enumerate(TABLES)}
        return sorted(self._rows.values(), key=lambda each: order[each.row.table])

    def find(self, row_id: str) -> Listed | None:
        """Return the row of this id."""
        return self._rows.get(row_id)

    def electricity(self, area: str, year: int, calibre: Calibre) -> ElectricityFactor | None:
        """Return a grid's factor."""
        return self._row(ElectricityFactor, f"{area}/{year}/{calibre}")

    def fuel(self, set_: str, code: str) -> FuelFactor | None:
        """Return a fuel's figures of one set."""
        return self._row(FuelFactor, f"{set_}/{code}")

    def heat(self, set_: str) -> HeatFactor | None:
        """Return the factor of bought heat."""
        return self._row(HeatFactor, set_)

    def coal(self, code: str) -> CoalFactor | None:
        """Return a standard coal coefficient."""
        return self._row(CoalFactor, code)

    def _row(self, table: type[R], key: str) -> R | None:
        found = self._rows.get(f"{table.table}/{key}")
        return found.row if found is not None and isinstance(found.row, table) else None


@cache
def shipped(table: type[R]) -> tuple[R, ...]:
    """Return the rows of a table that come with the gateway.

    Raises:
        ValueError: a row is wrong; a test reads all of them.
    """
    file = resources.files("config") / "data" / "factors" / f"{table.table}.csv"
    rows, problems = read_table(table, file, file.name)
    if problems:
        raise ValueError("\n".join(problem.render("en") for problem in problems))
    return tuple(rows)


def constant(code: str) -> Constant:
    """Return one of the numbers the formulas take besides the chosen rows.

    Raises:
        KeyError: there is none of this code.
    """
    rows: tuple[Constant, ...] = shipped(Constant)
    return {row.code: row for row in rows}[code]


def read_table(table: type[R], file: Traversable, name: str) -> tuple[list[R], list[Problem]]:
    """Return the sound rows of a CSV file and what is wrong with the others, by line.

    Lines that begin with ``#`` are remarks. The first other line names the columns, in any order; those that
    may be empty may be left out.
    """
    try:
        sheet = read_sheet(sheet_text(file.read_bytes()), remarks=True)
    except OSError as error:
        return [], [Problem("E-CF-1506", name, 1, 1, "", {"reason": why_unreadable(error)})]
    except SheetRefused as error:
        return [], [error.problem(name)]
    numbers = [sheet.figures(column) for column in sheet.columns if column in table.numbers()]
    rows: list[R] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for each in sheet.rows:
        number = each.line
        try:
            cells = sheet.named(each)
            plain = {figures.column: figures.plain(cells[figures.column], number) for figures in numbers}
            row = table.model_validate(cells | plain)
        except SheetRefused as error:
            problems.append(error.problem(name))
            continue
        except ValidationError as error:
            problems += _row_problems(error, name, number)
            continue
        if row.key in seen:
            reason = Phrase("row.twice", {"key": row.key, "line": seen[row.key]})
            problems.append(Problem("E-CF-1507", name, number, 1, "", {"reason": reason}))
            continue
        seen[row.key] = number
        rows.append(row)
    return rows, problems


def _row_problems(error: ValidationError, name: str, line: int) -> Iterable[Problem]:
    for detail in error.errors(include_url=False):
        column = str(detail["loc"][0]) if detail["loc"] else "unit"
        value = detail["input"] if detail["loc"] else detail["input"]["unit"]
        args: dict[str, Any] = {"column": quote(column), "value": quote(str(value))}
        match detail["type"]:
            case "missing" | "string_too_short":
                key = "row.empty"
            case "extra_forbidden":
                key = "row.column"
            case "literal_error":
                key, args["choices"] = "row.choice", detail["ctx"]["expected"].replace(" or ", ", ")
            case "decimal_parsing" | "int_parsing" | "greater_than" | "less_than_equal" | "finite_number":
                key = "row.number"
            case _:
                key = "row.other"
        yield Problem("E-CF-1507", name, line, 1, column, {"reason": Phrase(key, args)})
