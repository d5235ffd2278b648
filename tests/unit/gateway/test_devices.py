"""`wanglian devices`: the list and the explanation, for people in both languages and for programs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.library import Library
from gateway.cli import app


def said(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["devices", *arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_list_names_every_template_with_points_confidence_and_year(language: str) -> None:
    output = said("--lang", language)
    for name in Library().names():
        (line,) = [line for line in output.splitlines() if f" {name} " in line]
        assert f" {len(Library().read(name).template.tags)} " in line
    assert ("可信度" in output) == (language == "zh")


def test_the_list_for_programs_has_the_same_facts() -> None:
    rows = json.loads(said("--json", "--lang", "en"))
    by_name = {row["name"]: row for row in rows}
    assert list(by_name) == Library().names()
    assert by_name["schneider/pm5xxx"]["confidence"] == "medium"
    assert by_name["eastron/sdm630"]["points"] == 38


def test_one_template_is_explained_with_all_that_must_be_known() -> None:
    text = said("chint/dtsu666", "--lang", "en")
    for fact in ("secondary (give ct, pt)", "9600 8N1 (to be checked)", "mbmd", "holding 8198", "e_import"):
        assert fact in text
    text = said("huawei/sun2000", "--lang", "zh")
    for fact in ("送电为正", "wlcrs/huawei-solar-lib", "未知", "并网点：总有功功率"):
        assert fact in text
    assert "unit id 11" in said("chint/dtsu666h_huawei", "--lang", "en")
    assert "0xFFFFFFFF" in said("abb/b_series")


def test_one_template_is_explained_to_programs() -> None:
    told = json.loads(said("schneider/pm5xxx", "--json"))
    assert (told["side"], told["sign"], told["refresh"], told["serial"]["baud"]) == (
        "unknown",
        "unknown",
        "5s",
        19200,
    )
    tag = next(tag for tag in told["tags"] if tag["tag"] == "e_import_wh")
    assert (tag["table"], tag["address"], tag["type"], tag["unit"]) == ("holding", 3203, "int64", "Wh")


def test_a_name_nobody_knows_is_answered_with_the_nearest() -> None:
    assert "eastron/sdm630" in said("eastron/sdm360", "--lang", "en", code=1)


def test_the_mistakes_of_ones_own_template_are_told(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "x1.yaml").write_text("maker: Mine\nkind: modbus\ntags: {}\n", "utf-8")
    output = said("mine/x1", "--library", str(tmp_path), "--lang", "en", code=2)
    assert "E-CF-0101" in output
    assert "mine/x1" in said("--library", str(tmp_path), "--lang", "en")
