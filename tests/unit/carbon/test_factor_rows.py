"""The shipped rows: each with its source, each read as it is written, each version its own."""

import csv
import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

import config
from config.factor_rows import TABLES, CoalFactor, ElectricityFactor, FuelFactor, Row
from config.factors import Factors, constant, read_table, shipped
from config.factors_page import page
from config.problems import Problem
from tests.processes import ROOT

DATA = Path(config.__file__).parent / "data"
INVENTED = ("plants/",)
"""Example plants: their numbers are no facts."""
NUMBER = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?", re.IGNORECASE)


def rows() -> list[Row]:
    return [row for table in TABLES for row in shipped(table)]


def numbers_without_source(node: Any, path: str, *, has_source: bool = False) -> Iterator[str]:
    """Walk a YAML tree; a number is covered by a `source` in any mapping around it."""
    if isinstance(node, dict):
        has_source = has_source or bool(node.get("source"))
        for key, value in node.items():
            yield from numbers_without_source(value, f"{path}.{key}", has_source=has_source)
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from numbers_without_source(value, f"{path}[{i}]", has_source=has_source)
    elif isinstance(node, int | float) and not isinstance(node, bool) and not has_source:
        yield path


def unsourced(file: Path) -> list[str]:
    """Return the places of a data file that hold a number nobody vouches for."""
    text = file.read_text("utf-8")
    if file.suffix in (".yaml", ".yml"):
        return list(numbers_without_source(yaml.safe_load(text), file.name))
    if file.suffix == ".csv":
        if re.search(r"^# source: \S", text, re.MULTILINE):
            return []
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return [
            f"{file.name}: {','.join(row.values())}"
            for row in csv.DictReader(lines)
            if any(NUMBER.fullmatch(cell) for cell in row.values()) and not row.get("source", "").strip()
        ]
    return [f"{file.name}: a kind of file this test can't read"]


def test_no_number_is_shipped_without_its_source() -> None:
    files = [file for file in sorted(DATA.rglob("*")) if file.is_file()]
    assert len(files) > 20
    found = [
        place
        for file in files
        if not file.relative_to(DATA).as_posix().startswith(INVENTED)
        for place in unsourced(file)
    ]
    assert not found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "code,value,source\nx,1.5,\n"),
        ("b.csv", "code,value\nx,1.5\n"),
        ("c.yaml", "prices: {peak: 1.2}\n"),
        ("d.yaml", "rows:\n  - {value: 1, source: ''}\n"),
        ("e.txt", "1\n"),
    ],
)
def test_a_number_without_source_is_noticed(tmp_path: Path, name: str, text: str) -> None:
    file = tmp_path / name
    file.write_text(text, "utf-8")
    assert unsourced(file)


def test_every_row_says_where_it_comes_from_and_has_a_version_of_its_own() -> None:
    all_rows = rows()
    assert len(all_rows) >= 190
    assert len({row.id for row in all_rows}) == len({row.hash for row in all_rows}) == len(all_rows)
    for row in all_rows:
        assert row.source
        assert row.instrument, row.id


def test_numbers_are_read_digit_for_digit() -> None:
    text = (DATA / "factors" / "electricity.csv").read_text("utf-8")
    for row in shipped(ElectricityFactor):
        assert f",{row.calibre},{row.value}," in text, row.id


def test_any_change_of_a_row_is_another_version() -> None:
    (row,) = [row for row in shipped(ElectricityFactor) if row.key == "jiangsu/2022/average"]
    assert row.value == Decimal("0.5978")
    others = [
        row.model_copy(update=change)
        for change in ({"value": Decimal("0.5979")}, {"source": "elsewhere"}, {"confidence": "low"})
    ]
    assert len({row.hash, *(other.hash for other in others)}) == 4
    assert row.model_copy().hash == row.hash


@pytest.mark.parametrize(
    ("row", "tonnes"),
    [
        ("cn-guide-a/natural_gas", "21.62189"),
        ("cn-guide-b/natural_gas", "21.62133"),
        ("cn-guide-a/diesel", "3.14512"),
        ("cn-guide-b/diesel", "3.09591"),
        ("cn-guide-a/anthracite", "2.32277"),
        ("cn-guide-b/lng", "2.85470"),
    ],
)
def test_fuels_come_to_what_the_guides_print(row: str, tonnes: str) -> None:
    (fuel,) = [each for each in shipped(FuelFactor) if each.key == row]
    exact = Fraction(fuel.lhv) * Fraction(fuel.carbon) * Fraction(fuel.oxidation) * Fraction(44, 12)
    assert abs(exact - Fraction(tonnes)) <= Fraction(1, 200_000)


def test_heat_as_standard_coal_is_the_heat_of_coal_turned_round() -> None:
    (row,) = [each for each in shipped(CoalFactor) if each.key == "heat"]
    assert round(1 / Fraction(constant("kgce_heat").value), 5) == Fraction(row.kgce)


def test_where_two_values_are_in_use_each_names_the_other() -> None:
    by_code = {row.code: row for row in shipped(CoalFactor)}
    pairs = [(row.code, other) for row in by_code.values() for other in row.conflicts.split()]
    assert ("fresh_water", "fresh_water_2008") in pairs
    assert ("natural_gas_stat", "natural_gas_high") in pairs
    for code, other in pairs:
        assert (other, code) in pairs
        assert by_code[code].kgce != by_code[other].kgce


def test_steam_has_no_default_and_primary_electricity_no_value() -> None:
    codes = {row.code for row in shipped(CoalFactor)}
    assert not any("steam" in code for code in codes)
    assert [code for code in codes if code.startswith("electricity")] == ["electricity_eq"]


def test_the_reference_page_is_what_the_rows_say() -> None:
    file = ROOT / "docs" / "reference" / "factors.md"
    assert file.read_text("utf-8") == page(), "run `make docs`"


HEADER = "area,area_zh,data_year,calibre,value,unit,source,confidence"
GOOD = "jiangsu,江苏,2023,average,0.58,kgCO2/kWh,provincial notice,medium"


def own(tmp_path: Path, *lines: str) -> Factors:
    file = tmp_path / "factors" / "electricity.csv"
    file.parent.mkdir()
    file.write_bytes("\n".join(lines).encode())
    return Factors(tmp_path)


def test_a_plants_own_rows_stand_beside_ours_and_in_their_place(tmp_path: Path) -> None:
    replaced = GOOD.replace("2023", "2022").replace("0.58", "0.6000")
    factors = own(tmp_path, "\ufeff# ours", HEADER, GOOD, "", replaced)
    assert not factors.problems
    added = factors.electricity("jiangsu", 2023, "average")
    changed = factors.electricity("jiangsu", 2022, "average")
    assert added is not None
    assert changed is not None
    assert (added.value, changed.value) == (Decimal("0.58"), Decimal("0.6000"))
    ours = Factors().electricity("jiangsu", 2022, "average")
    assert ours is not None
    assert ours.hash != changed.hash
    assert [each.row.id for each in factors.listed() if each.is_own] == [changed.id, added.id]
    unchanged = factors.electricity("jiangsu", 2021, "average")
    assert unchanged == Factors().electricity("jiangsu", 2021, "average")


@pytest.mark.parametrize(
    ("line", "column", "word"),
    [
        (GOOD.replace("provincial notice", ""), "source", "empty"),
        (GOOD.replace("medium", "quite"), "confidence", "quite"),
        (GOOD.replace("0.58", "-0.58"), "value", "-0.58"),
        (GOOD.replace("0.58", "nan"), "value", "nan"),
        (GOOD.replace("0.58", "a lot"), "value", "a lot"),
        (GOOD.replace("average", "product_footprint"), "unit", "kgCO2/kWh"),
        (GOOD.replace("2023", "year"), "data_year", "year"),
        (GOOD.replace("jiangsu", "jiang su"), "area", "jiang su"),
    ],
)
def test_a_wrong_row_of_ones_own_is_named_with_its_line(
    tmp_path: Path, line: str, column: str, word: str
) -> None:
    factors = own(tmp_path, "# a remark", HEADER, line, GOOD.replace("江苏", "苏"))
    (problem,) = factors.problems
    assert (problem.code, problem.line, problem.path) == ("E-CF-1507", 3, column)
    assert word in problem.message("en")
    found = factors.electricity("jiangsu", 2023, "average")
    assert found is not None
    assert found.area_zh == "苏"


def test_a_row_written_twice_and_an_unknown_column_are_named(tmp_path: Path) -> None:
    factors = own(tmp_path, HEADER, GOOD, GOOD)
    assert [problem.line for problem in factors.problems] == [3]
    rows_, problems = read_table(
        ElectricityFactor, written(tmp_path / "x.csv", f"{HEADER},extra\n{GOOD},1\n".encode()), "x.csv"
    )
    assert not rows_
    assert [problem.path for problem in problems] == ["extra"]


def written(file: Path, data: bytes) -> Path:
    file.write_bytes(data)
    return file


def test_a_table_in_an_encoding_of_spreadsheets_is_read_and_one_of_none_is_refused_whole(
    tmp_path: Path,
) -> None:
    data = f"{HEADER}\n{GOOD}\n".encode("gb18030")
    (row,), problems = read_table(ElectricityFactor, written(tmp_path / "x.csv", data), "x.csv")
    assert (row.area_zh, problems) == ("江苏", [])
    found, (problem,) = read_table(ElectricityFactor, written(tmp_path / "x.csv", data + b"\xff"), "x.csv")
    assert (found, problem.code) == ([], "E-SH-0002")
    assert isinstance(problem, Problem)
    assert "UTF-8" in problem.message("zh")


def test_a_decimal_comma_is_read_between_semicolons_and_refused_between_commas(tmp_path: Path) -> None:
    with_comma = GOOD.replace("0.58", "0,58")
    factors = own(tmp_path, HEADER, with_comma, GOOD.replace("0.58", "0.6"))
    (problem,) = factors.problems
    assert (problem.code, problem.line) == ("E-SH-0003", 2)
    assert "9 cells" in problem.message("en")
    text = f"{HEADER}\n{GOOD}".replace(",", ";").replace("0.58", "0,58")
    (row,), problems = read_table(ElectricityFactor, written(tmp_path / "x.csv", text.encode()), "x.csv")
    assert (row.value, problems) == (Decimal("0.58"), [])


def test_the_documented_table_of_ones_own_is_read(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / "carbon.md").read_text("utf-8")
    (table,) = re.findall(r"^```csv\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    file = written(tmp_path / "electricity.csv", table.encode())
    (row,), problems = read_table(ElectricityFactor, file, file.name)
    assert not problems
    assert row.id == "electricity/jiangsu/2024/average"


@pytest.mark.parametrize("name", ["constants.csv", "quality.csv", "electricty.csv"])
def test_a_table_nothing_would_take_is_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "factors"
    folder.mkdir()
    written(folder / name, f"{HEADER}\n{GOOD}\n".encode())
    (problem,) = Factors(tmp_path).problems
    assert (problem.code, Path(problem.file).name) == ("E-CF-1506", name)
    for language in ("zh", "en"):
        assert "electricity.csv" in problem.message(language)
