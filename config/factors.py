"""Emission factors and standard coal coefficients: rows of data, each with where it comes from.

The tables are CSV files in `config/data/factors`; a plant's own rows stand in files of the same names and
columns in the folder `factors` of its library (`gateway.library`). Its row takes the place of ours with the
same key. Rows are only ever chosen in the plant file (`carbon:`), never by a default.
"""

import csv
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from config.base import Name
from config.problems import Phrase, Problem, quote
from config.reading.references import why_unreadable

Confidence = Literal["high", "medium", "low"]
Calibre = Literal["average", "excl_market_nonfossil", "fossil", "product_footprint", "ets_mee"]
"""Which electricity a factor speaks of: all of a grid's, without the non-fossil part that is traded, only its
fossil part; the whole life of a kWh, for products; the one of the emission trading scheme, for allowances."""

Positive = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


def _nothing_as_none(value: object) -> object:
    return None if value == "" else value


class Row(BaseModel):
    """What every row has: where its numbers come from. Text becomes exact decimals here and nowhere else."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    table: ClassVar[str]
    """Name of the file, without its ending."""

    instrument: str = ""
    """Standard, announcement or contract that sets the number."""
    valid_from: Annotated[date | None, BeforeValidator(_nothing_as_none)] = None
    """Day of the instrument; None where not known."""
    source: Text
    """Where the number was read."""
    confidence: Confidence
    """High: two sources agree, or the instrument itself was read."""
    note: str = ""

    @property
    def key(self) -> str:
        """Return the row's name within its table."""
        raise NotImplementedError

    @property
    def id(self) -> str:
        """Return its name among all rows, e.g. ``electricity/jiangsu/2022/average``."""
        return f"{self.table}/{self.key}"

    @property
    def hash(self) -> str:
        """Return the row's version: the same for the same content, another for any change of it."""
        content = json.dumps([self.table, self.model_dump(mode="json")], ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:16]


class ElectricityFactor(Row):
    """Emissions per kWh of an area's grid in one data year."""

    table = "electricity"
    area: Name
    area_zh: Text
    data_year: Annotated[int, Field(ge=1990, le=2100)]
    calibre: Calibre
    value: Positive
    unit: Literal["kgCO2/kWh", "kgCO2e/kWh"]

    @model_validator(mode="after")
    def _unit_of_calibre(self) -> Self:
        if (self.calibre == "product_footprint") != (self.unit == "kgCO2e/kWh"):
            raise PydanticCustomError("unit_of_calibre", "kgCO2e/kWh belongs to product_footprint alone")
        return self

    @property
    def key(self) -> str:
        """Return area, data year and calibre."""
        return f"{self.area}/{self.data_year}/{self.calibre}"


class FuelFactor(Row):
    """What burning a fuel emits: heating value, carbon in it, share that burns."""

    table = "fuels"
    set: Name
    code: Name
    zh: Text
    en: Text
    per: Literal["t", "kg", "10⁴m³", "m³", "Nm³", "Sm³"]
    lhv: Positive
    """Lower heating value, GJ per unit."""
    carbon: Positive
    """tC per GJ."""
    oxidation: Annotated[Decimal, Field(gt=0, le=1, allow_inf_nan=False)]

    @property
    def key(self) -> str:
        """Return set and fuel."""
        return f"{self.set}/{self.code}"


class HeatFactor(Row):
    """Emissions per GJ of heat bought from others."""

    table = "heat"
    set: Name
    zh: Text
    en: Text
    value: Positive
    unit: Literal["tCO2/GJ"]

    @property
    def key(self) -> str:
        """Return the set."""
        return self.set


class CoalFactor(Row):
    """Standard coal per unit of an energy carrier or working fluid."""

    table = "coal"
    code: Name
    zh: Text
    en: Text
    per: Literal["kg", "t", "m³", "Nm³", "Sm³", "MJ", "kWh"]
    kgce: Positive
    kind: Literal["fuel", "energy", "working_fluid"]
    conflicts: str = ""
    """Other rows in use for the same thing, by code."""

    @property
    def key(self) -> str:
        """Return the code."""
        return self.code


class Constant(Row):
    """A number the formulas take besides."""

    table = "constants"
    code: Name
    zh: Text
    en: Text
    value: Positive
    unit: Text

    @property
    def key(self) -> str:
        """Return the code."""
        return self.code


class QualityRule(Constant):
    """A bound that reporting systems set on data."""

    table = "quality"


R = TypeVar("R", bound=Row)

TABLES: Final[tuple[type[Row], ...]] = (
    ElectricityFactor,
    FuelFactor,
    HeatFactor,
    CoalFactor,
    Constant,
    QualityRule,
)
OWN_FOLDER: Final = "factors"
"""Where in a plant's library its own rows are."""


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
            file = None if own is None else own / OWN_FOLDER / f"{table.table}.csv"
            if file is not None and file.is_file():
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
        lines = file.read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        return [], [Problem("E-CF-1506", name, 1, 1, "", {"reason": why_unreadable(error)})]
    except UnicodeDecodeError:
        return [], [Problem("E-CF-1506", name, 1, 1, "", {"reason": Phrase("reason.no_utf8")})]
    numbered = [(i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    rows: list[R] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    # A cell holds no line break, so each line is a row and an error has its line.
    columns = next(csv.reader([numbered[0][1]]), []) if numbered else []
    for number, line in numbered[1:]:
        cells = next(csv.reader([line]))
        if len(cells) != len(columns):
            args = {"found": len(cells), "wanted": len(columns)}
            problems.append(Problem("E-CF-1507", name, number, 1, "", {"reason": Phrase("row.cells", args)}))
            continue
        try:
            row = table.model_validate(dict(zip(columns, (cell.strip() for cell in cells), strict=True)))
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
