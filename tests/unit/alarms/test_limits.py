"""Bounds of tags, in columns: beyond, back inside by the hysteresis, not known."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from config.load import read_plant_bytes
from config.plant import Plant
from connectors import Batch, Columns, Kind, Tag, TagTable
from gateway.alarms.engine import Engine
from gateway.alarms.limits import Limits
from gateway.live import LiveValues
from tests.fakes import T0

BAD = 0x8000_0000
UNCERTAIN = 0x4094_0000
PLANT = b"""
gateway: {id: g, site: s, http_port: 0}
sources:
  plc:
    kind: modbus_tcp
    host: 127.0.0.1
    devices:
      boiler:
        tags:
          pressure: {address: 0, type: float32, unit: bar,
                     alarm: {low: 2, high: 10, hysteresis: 0.5, severity: urgent}}
          burner: {address: 5, type: bool, table: coil, alarm: {low: 0.5}}
          total: {address: 8, type: uint64, alarm: {high: 9.0e+18}}
          rows: {address: 20, type: float32, count: 2, alarm: {high: 1}}
"""


class Bench:
    """A boiler whose newest rows are put by hand."""

    def __init__(self, plant: Plant, folder: Path) -> None:
        self.tags = TagTable()
        kinds = {"pressure": Kind.FLOAT64, "burner": Kind.BOOL, "total": Kind.UINT64}
        kinds |= {"rows_0": Kind.FLOAT64, "rows_1": Kind.FLOAT64}
        found = self.tags.announce(
            [Tag(f"s/-/-/boiler/{name}", kind, "C62", "plc") for name, kind in kinds.items()]
        )
        self.number = dict(zip(kinds, found.tolist(), strict=True))
        self.live = LiveValues(folder / "live", self.tags)
        self.limits = Limits(plant, self.tags, self.live)
        self.engine = Engine({})
        self.at = 0

    def put(self, name: str, value: float, quality: int = 0) -> list[str]:
        """Put a row, look, and return what turned."""
        dtype = np.int64 if name == "total" else np.float64
        bits = np.array([value], np.uint64).view(np.int64) if name == "total" else np.array([value], dtype)
        number, time = np.array([self.number[name]], np.int32), np.array([T0 + self.at], np.int64)
        batch = Batch((Columns(number, time, bits, np.array([quality], np.uint32)),), T0)
        self.live.put(batch, batch)
        self.at += 1_000_000_000
        turns = self.engine.look(list(self.limits.look(self.engine.active)), self.at)
        return [f"{each.what} {each.condition.code}" for each in turns]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    outcome = read_plant_bytes(PLANT, "plant.yaml", tmp_path)
    assert outcome.plant is not None, outcome
    made = Bench(outcome.plant, tmp_path)
    yield made
    made.live.close()


def test_a_value_that_swings_about_its_bound_makes_one_alarm(bench: Bench) -> None:
    assert bench.put("pressure", 10.0) == []
    assert bench.put("pressure", 10.1) == ["began limit_high"]
    (alarm,) = bench.engine.active.values()
    assert (alarm.subject, alarm.severity) == ("s/-/-/boiler/pressure", "urgent")
    assert alarm.facts == {"value": 10.1, "bound": 10.0, "unit": " bar"}
    for value in (9.9, 10.2, 9.6, 10.01, 9.51):
        assert bench.put("pressure", value) == []
    assert bench.put("pressure", 9.5) == ["cleared limit_high"]
    assert bench.put("pressure", 1.9) == ["began limit_low"]


def test_a_bad_row_neither_begins_nor_ends_an_alarm_and_an_uncertain_one_does(bench: Bench) -> None:
    assert bench.put("pressure", 99.0, BAD) == []
    assert bench.put("pressure", 99.0, UNCERTAIN) == ["began limit_high"]
    assert bench.put("pressure", 5.0, BAD) == []
    assert bench.put("pressure", 5.0) == ["cleared limit_high"]


def test_switches_large_counters_and_values_of_arrays_have_bounds_too(bench: Bench) -> None:
    assert bench.put("burner", 1.0) == []
    assert bench.put("burner", 0.0) == ["began limit_low"]
    assert bench.put("total", 9_300_000_000_000_000_000) == ["began limit_high"]
    assert bench.put("rows_1", 2.0) == ["began limit_high"]
    assert [subject for _, subject in bench.engine.active][-1] == "s/-/-/boiler/rows_1"


@pytest.mark.parametrize(
    ("alarm", "code"),
    [
        ("{}", "E-CF-1902"),
        ("{low: 1, high: 2, hysteresis: 0.5}", "E-CF-1903"),
        ("{low: 2, high: 1}", "E-CF-1903"),
    ],
)
def test_bounds_that_can_never_be_right_are_refused(alarm: str, code: str, tmp_path: Path) -> None:
    text = PLANT.replace(b"{high: 1}", alarm.encode())
    assert [each.code for each in read_plant_bytes(text, "plant.yaml", tmp_path).problems] == [code]
