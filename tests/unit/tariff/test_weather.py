"""A weather rule is decided by the plant's own temperature where it is known all day, else asked for."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
import yaml

from config.load import read_plant
from config.plant import HistoryOptions, Plant
from connectors import Batch, Columns, Delivery, Epoch, Kind, SystemClock, Tag, TagTable
from gateway.energy.pricing.plan import plan_of
from gateway.energy.pricing.timetable import local_midnight, timetable
from gateway.history import HISTORY
from gateway.history.store import Store
from tests.unit.tariff.plans import PRICES, SHANGHAI

MAY = local_midnight(date(2026, 5, 11), SHANGHAI)
HOUR = 3_600_000_000_000
# 36.2 °C at two in the afternoon; not above 34.9; 38 °C, but nothing was read from six to ten.
DAYS = (36.2, 34.9, 38.0)
OUTDOOR = "s/-/yard/weather/outdoor"


def plant_in(folder: Path) -> Plant:
    tag = {"outdoor": {"unit": "°C"}}
    text = {
        "gateway": {"id": "g", "site": "s"},
        "sources": {"src": {"kind": "simulated", "devices": {"weather": {"tags": tag}}}},
        "tariff": [{"use": "guangdong-2021", "contract": {"capacity_kva": 500}, "standing": PRICES}],
        "calendar": {"hot_tag": OUTDOOR},
    }
    file = folder / "plant.yaml"
    file.write_text(yaml.safe_dump(text, allow_unicode=True), encoding="utf-8")
    plant = read_plant(file).plant
    assert plant is not None
    return plant


def measured(folder: Path, unit: str) -> None:
    tags = TagTable()
    (number,) = tags.announce([Tag(OUTDOOR, Kind.FLOAT64, unit, "src")]).tolist()
    times, values = [], []
    for day, high in enumerate(DAYS):
        for quarter in range(96):
            if day == 2 and 24 <= quarter < 40:
                continue
            times.append(MAY + day * 24 * HOUR + quarter * HOUR // 4)
            values.append(high if quarter == 56 else 25.0)
    store = Store(folder / HISTORY, HistoryOptions(), tags, SystemClock())
    store.open()
    good = np.zeros(len(times), np.uint32)
    rows = Columns(np.full(len(times), number, np.int32), np.array(times), np.array(values), good)
    delivery = Delivery(Batch((rows,), times[-1]), Epoch(0, 1), 1)
    store.book([delivery], delivery)
    store.put_away(60, everything=True)
    store.close()


@pytest.mark.parametrize("unit", ["CEL", "FAH"])
def test_sharp_hours_of_heat_follow_the_measured_maximum(tmp_path: Path, unit: str) -> None:
    plant = plant_in(tmp_path)
    measured(tmp_path, unit)
    plan = plan_of(plant, tmp_path)
    assert plan is not None
    table = timetable(plan, MAY, MAY + 3 * 24 * HOUR)
    found = []
    for day in range(3):
        first = day * 96
        found.append({table.parts(cell).band for cell in table.cell[first : first + 96].tolist()})
    if unit == "FAH":
        assert all(None in each for each in found)
        return
    assert "sharp" in found[0]
    assert "sharp" not in found[1]
    assert None not in found[0] | found[1]
    assert None in found[2]
    assert [each.code for each in table.open] == ["E-TF-0004"]


def test_without_a_history_the_days_are_asked_for(tmp_path: Path) -> None:
    plan = plan_of(plant_in(tmp_path), tmp_path)
    assert plan is not None
    assert [each.code for each in timetable(plan, MAY, MAY + 24 * HOUR).open] == ["E-TF-0004"]
