"""`wanglian factors`: list and explanation, in both languages and for programs; a plant's own rows."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.factors import Factors
from config.load import read_plant_bytes
from gateway.cli import app
from gateway.factors import facts, summaries

PLANT = b"""\
gateway: {id: g, site: s, library: lib}
sources: {t: {kind: simulated, devices: {d: {tags: {x: {}}}}}}
"""
OWN = """\
area,area_zh,data_year,calibre,value,unit,source,confidence
jiangsu,江苏,2023,average,0.58,kgCO2/kWh,"""


def said(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["factors", *arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_list_names_every_row_with_value_and_confidence(language: str) -> None:
    output = said("--lang", language)
    for each in Factors().listed():
        assert f" {each.row.id} " in output
    assert ("可信度" in output) == (language == "zh")


def test_the_list_for_programs_has_the_same_rows() -> None:
    rows = json.loads(said("--json", "--lang", "en"))
    assert [row["row"] for row in rows] == [each.row.id for each in Factors().listed()]
    by_id = {row["row"]: row for row in rows}
    assert by_id["electricity/jiangsu/2022/average"]["value"] == "0.5978"
    assert by_id["electricity/china/2021/fossil"]["confidence"] == "low"


def test_one_row_is_explained_with_source_version_and_what_else_is_in_use() -> None:
    text = said("coal/fresh_water", "--lang", "zh")
    for fact in ("新水", "huatuo6.cn", "0.2571", "版本", "coal/fresh_water_2008: 0.0857 kgce/t", "中"):
        assert fact in text
    text = said("fuels/cn-guide-b/diesel", "--lang", "en")
    for fact in ("42.652", "0.98 assumed", "fuels/cn-guide-a/diesel: 43.33"):
        assert fact in text
    told = json.loads(said("heat/cn-default", "--json"))
    assert (told["value"], told["unit"], len(told["hash"])) == ("0.11", "tCO2/GJ", 16)


def test_a_row_nobody_knows_is_answered_with_the_nearest() -> None:
    assert "electricity/jiangsu/2022/average" in said(
        "electricity/jiangsu/2023/average", "--lang", "en", code=1
    )


def test_every_kind_of_row_is_told_to_people() -> None:
    factors = Factors()
    for language in ("zh", "en"):
        assert len(summaries(factors, language)) == len(factors.listed())
        for each in factors.listed():
            titles = dict(facts(each, factors, language))
            assert titles["source"] == each.row.source
            assert titles["name"]


def test_a_plants_own_rows_are_listed_as_its_own(tmp_path: Path) -> None:
    (tmp_path / "lib" / "factors").mkdir(parents=True)
    table = tmp_path / "lib" / "factors" / "electricity.csv"
    table.write_text(f"{OWN}provincial notice,medium\n", "utf-8")
    options = ("--library", str(tmp_path / "lib"), "--lang", "zh")
    assert "自有" in said("electricity/jiangsu/2023/average", *options)
    chosen = b"carbon: {electricity: [{area: jiangsu, year: 2023, calibre: average}]}\n"
    outcome = read_plant_bytes(PLANT + chosen, "plant.yaml", tmp_path)
    assert not outcome.problems

    table.write_text(f"{OWN},medium\n", "utf-8")
    assert "E-CF-1507" in CliRunner().invoke(app, ["factors", *options]).output
    assert CliRunner().invoke(app, ["factors", *options]).exit_code == 2
    outcome = read_plant_bytes(PLANT + chosen, "plant.yaml", tmp_path)
    assert {problem.code for problem in outcome.problems} == {"E-CF-1507", "E-CF-1502"}
    assert outcome.plant is None


def test_a_library_that_is_not_there_hides_no_row(tmp_path: Path) -> None:
    chosen = b"carbon: {electricity: [{area: jiangsu, year: 2023, calibre: average}]}\n"
    outcome = read_plant_bytes(PLANT + chosen, "plant.yaml", tmp_path)
    assert [problem.code for problem in outcome.problems] == ["E-CF-0306"]
