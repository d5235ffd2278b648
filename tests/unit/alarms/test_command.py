"""`wanglian alarms`: what it shows, and what it says where no gateway runs."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.alarms.condition import Condition, Turn
from gateway.alarms.table import ALARMS, Table
from gateway.cli import app
from tests.fakes import T0

PLANT = "gateway: {id: g, site: s}\nsources: {one: {kind: simulated, devices: {d: {tags: {x: {}}}}}}\n"
HOT = Condition(
    "limit", "s/oven/t", holds=True, code="limit_high", facts={"value": 91.0, "bound": 90.0, "unit": ""}
)


@pytest.fixture
def plant(tmp_path: Path) -> str:
    (tmp_path / "plant.yaml").write_text(PLANT)
    (tmp_path / "data").mkdir()
    return str(tmp_path / "plant.yaml")


def run(*words: str, ends: int = 0) -> str:
    done = CliRunner().invoke(app, ["alarms", *words, "--lang", "en"])
    assert done.exit_code == ends, done.output
    return done.output


def test_what_stands_is_listed_and_with_all_what_is_over(plant: str, tmp_path: Path) -> None:
    assert "No alarms." in run(plant)
    with closing(Table(tmp_path / "data" / ALARMS)) as table:
        table.open()
        table.write([Turn("began", HOT)], T0)
        assert "s/oven/t is above 90: 91" in run(plant)
        table.write([Turn("cleared", HOT)], T0 + 1)
    assert "No alarms." in run(plant)
    (found,) = json.loads(run(plant, "--all", "--json"))
    assert (found["number"], found["state"], found["cleared"]) == (1, "over", T0 + 1)


def test_acting_asks_for_a_gateway_that_runs_and_for_a_length_of_time(plant: str) -> None:
    assert "No gateway runs" in run(plant, "--ack", "1", ends=1)
    assert "is no duration" in run(plant, "--shelve", "1", "--for", "soon", ends=1)
