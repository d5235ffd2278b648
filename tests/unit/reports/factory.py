"""What the tests of reports share: a factory with a month of readings, a gap, a swap, a manual meter."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from config.energy_meters import meters
from config.load import read_plant_bytes
from config.plant import Plant
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.bookkeeping.manual import Entering, closing_of, write_down
from gateway.energy.holidays import calendar_of_plant
from gateway.reports.content import Content, Kind
from gateway.reports.ground import Ground, ground_of
from gateway.reports.make import gather
from gateway.reports.periods import interval_of, period_of
from tests.unit.energy.lab import MINUTE, Lab

LONG = "a-very-long-name-of-a-place-that-somebody-gave-it-in-good-faith"
STEP = 15 * MINUTE


def plant_text(**more: Any) -> str:
    def counter(unit: str = "kWh") -> dict[str, str]:
        return {"shape": "counter", "unit": unit}

    devices = {
        "main": {"at": "-/-", "scan": "15min", "tags": {"e_import": counter()}},
        "press": {"at": "hall/line_1", "scan": "15min", "tags": {"e_import": counter()}},
        "oven": {
            "at": f"hall/{LONG}",
            "scan": "15min",
            "tags": {"e_import": counter(), "gas_total": counter("m3")},
        },
    }
    plant = {
        "gateway": {"id": "g", "site": "s", "data_dir": "data"},
        "sources": {"src": {"kind": "simulated", "devices": devices}},
        "energy": {
            "meters": {
                "main": {"at": "-", "serial": "A-1", "accuracy": "0.5S", "verify_by": "2026-10-20"},
                "press": {"parent": "main", "swaps": [{"at": "2026-10-12T10:00", "start": 5, "final": 1100}]},
                "oven": {"parent": "main"},
                "diesel": {"manual": True, "medium": "diesel", "at": "-"},
            }
        },
        "carbon": {
            "electricity": [{"area": "jiangsu", "year": 2022, "calibre": "average"}],
            "residual": [{"area": "china", "year": 2023, "calibre": "excl_market_nonfossil"}],
            "primary": [{"kgce_per_kwh": 0.298, "year": 2025, "source": "table 1"}],
            "media": {
                "natural_gas": [{"set": "cn-guide-a", "lhv": 35.588, "per": "m³", "source": "bill"}],
                "diesel": [{"set": "cn-guide-b", "coal": "diesel", "density": 0.835, "source": "note"}],
            },
        },
    }
    plant.update(more)
    return yaml.safe_dump(plant, allow_unicode=True)


def plant_in(folder: Path, **more: Any) -> Plant:
    """Write a plant file and return what it says."""
    text = plant_text(**more)
    (folder / "plant.yaml").write_text(text, encoding="utf-8")
    outcome = read_plant_bytes(text.encode(), "plant.yaml", folder)
    assert outcome.plant is not None, [problem.render("en") for problem in outcome.problems]
    return outcome.plant


def filled(folder: Path, plant: Plant, *, days: int = 31) -> None:
    """Book October: the main meter whole, the press with a swap, the oven's gas with a gap of two days."""
    books = folder / "data" / FOLDER
    books.mkdir(parents=True)
    lab = Lab(books, plant)
    begin = lab.at("2026-10-01")
    times = np.arange(begin, begin + days * 96 * STEP + 1, STEP, dtype=np.int64)
    quarters = np.arange(len(times), dtype=np.int64)
    # 10 kWh in each of the first 32 quarters of a day, 25 in the others: every sum is known by hand.
    lab.book(lab.delivery("main", times, np.cumsum(np.where(quarters % 96 < 32, 10.0, 25.0)) - 10.0))
    press = quarters * 1.0
    swap = lab.at("2026-10-12T10:00")
    press = np.where(times < swap, press, press - 1096.0 + 5.0)
    lab.book(lab.delivery("press", times, press))
    lab.book(lab.delivery("oven", times, quarters * 2.5))
    gap = (times > lab.at("2026-10-20")) & (times < lab.at("2026-10-22"))
    lab.book(lab.delivery("oven.gas", times[~gap], quarters[~gap] * 0.5))
    lab.ledger.close()
    readings = [
        Entering("reading", {"meter": "diesel", "value": value, "time": lab.at(at)})
        for at, value in (("2026-10-01", "100"), ("2026-11-01", "412.5"))
    ]
    write_down(
        books, [*readings, closing_of(begin, lab.at("2026-10-08"), lab.clock.now())], "Li", lab.clock.now()
    )
    again = Lab(books, plant)
    again.ledger.book([])
    again.ledger.close()


def ground_for(folder: Path, plant: Plant, period: str = "2026-10", **more: Any) -> Ground:
    calendar = calendar_of_plant(plant)
    span = period_of(calendar, period)
    return ground_of(plant, folder, folder / "data", period=span, **({"interval": interval_of(span)} | more))


def content_of(kind: Kind, ground: Ground) -> Content:
    content = Content()
    gather(content, kind, ground)
    return content


__all__ = ["LONG", "content_of", "filled", "ground_for", "meters", "plant_in"]
