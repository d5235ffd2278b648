"""`wanglian energy`, as people type it."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app

PLANT = """
gateway: {id: g, site: works, language: en}
sources: {line: {kind: simulated, devices: {m: {tags: {e_import: {shape: counter, unit: kWh}}}}}}
energy: {meters: {gas: {manual: true, medium: natural_gas, at: hall/oven, serial: "77"}}}
"""


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    file = tmp_path / "plant.yaml"
    file.write_text(PLANT)
    return file


def said(*words: object, code: int = 0) -> str:
    command = ["energy"] if words[0] != "evidence" else []
    result = CliRunner().invoke(app, [*command, *map(str, words)])
    assert result.exit_code == code, result.output
    return result.output


def test_readings_in_figures_out_with_their_evidence(plant: Path) -> None:
    table = plant.with_name("gas.csv")
    table.write_bytes(
        "meter,time,value\ngas,2025-11-01T00:00,1000.5\ngas,2025-11-11T00:00,1240.5\n".encode("gb18030")
    )
    assert "2 entered and booked" in said("import", plant, table, "--by", "李")
    period = ("--from", "2025-11-02", "--to", "2025-11-04")
    shown = json.loads(said("show", plant, "gas", "--interval", "day", *period, "--json"))
    assert [each["amount"] for each in shown["figures"]] == ["24", "24"]
    assert shown["total"]["amount"] == "48"
    assert shown["total"]["manual_share"] == "1.0000"
    by_place = json.loads(said("show", plant, "hall", *period, "--medium", "natural_gas", "--json"))
    assert by_place["total"]["amount"] == "48"
    found = json.loads(said("evidence", plant, "gas", *period))
    (term,) = found["terms"]
    begin, end = (Decimal(each["counter"]) for each in term["boundaries"])
    assert end - begin == Decimal(found["figure"]["amount"]) == 48
    assert term["serial"] == "77"
    assert "quanta" in term["arithmetic"]
    assert said("evidence", plant, "gas", *period, "--csv").startswith("meter,time,reading,unit,manual")
    assert "1 entered and booked" in said("close", plant, *period, "--by", "Wang")
    assert json.loads(said("show", plant, "gas", *period, "--json"))["total"]["closed"] is True
    assert said("close", plant, *period, "--by", "Wang", code=1)


def test_what_is_wrong_is_said_and_nothing_entered(plant: Path) -> None:
    assert "no meter" in said("read", plant, "nobody", "5", code=1)
    assert "no reading" in said("read", plant, "gas", "five", code=1)
    assert "not over yet" in said("read", plant, "gas", "5", "--at", "2999-01-01", code=1)
    assert "no such figure" in said("show", plant, "gas", code=1)
    table = plant.with_name("x.csv")
    table.write_text("meter,time,value\ngas,2025-11-01,1\ngas,2025-11-02,x\n")
    assert "line 3" in said("import", plant, table, code=1)
    assert not (plant.parent / "data" / "energy").exists()
