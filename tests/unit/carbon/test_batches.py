"""Footprints of batches out of the books: electricity and gas of a line, worked out by hand, exported."""

import asyncio
import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.load import read_plant
from gateway.energy.bookkeeping.files import FOLDER
from gateway.energy.bookkeeping.manual import book_now, from_csv, write_down
from gateway.web.app import create_app
from gateway.web.energy_books import Books
from gateway.web.view import View
from tests.asgi import ask
from tests.unit.energy.lab import MINUTE, Lab

CARBON: dict[str, Any] = {
    "electricity": [{"area": "jiangsu", "year": 2022, "calibre": "average"}],
    "footprint": [
        {"area": "china", "year": 2023, "calibre": "product_footprint"},
        {"from": "2026-03-07", "area": "china", "year": 2024, "calibre": "product_footprint"},
    ],
    "media": {"natural_gas": [{"set": "cn-guide-a"}]},
    "upstream": {"bracket": {"kgco2e": 3.5, "per": "piece", "source": "the steel mill, 2025"}},
}
BATCHES = """batch,at,from,to,product
B-17,hall/line,2026-03-06T20:00,2026-03-07T04:00,bracket
B-18,hall/line,2026-03-07T04:00,2026-03-07T06:00,plate
B-19,hall,2026-03-07T04:00,2026-03-07T06:00,
B-99,hall/line,2026-03-08T00:00,2026-03-08T06:00,bracket
"""
KWH, M3, PIECES = Fraction(12, 10), Fraction(5, 100), 2
"""A minute: of electricity before midnight (three times as much behind it), gas, pieces."""


class Line:
    """A line with its electricity, gas and production counters over 6 and 7 March 2026, and four batches."""

    def __init__(self, folder: Path) -> None:
        tags = {
            "m": {"e_import": {"unit": "kWh"}},
            "g": {"gas_total": {"unit": "m³"}},
            "w": {"good": {"unit": "piece"}},
        }
        devices = {
            device: {
                "at": "hall/line",
                "scan": "60s",
                "tags": {name: {"shape": "counter", **told} for name, told in named.items()},
            }
            for device, named in tags.items()
        }
        made = {"tag": "s/hall/line/w/good", "medium": "production", "at": "hall/line", "resolution": 1}
        told = {
            "gateway": {"id": "g", "site": "s"},
            "sources": {"src": {"kind": "simulated", "devices": devices}},
            "energy": {
                "meters": {"m": {"at": "hall/line"}, "g.gas": {"at": "hall/line"}, "made": made},
                "identifiers": {"products": {"bracket": "88.608.6688/bracket"}},
            },
            "carbon": CARBON,
        }
        file = folder / "plant.yaml"
        file.write_text(yaml.safe_dump(told, allow_unicode=True))
        outcome = read_plant(file)
        assert outcome.plant is not None, [each.render("en") for each in outcome.problems]
        self.lab = lab = Lab(folder / "data" / FOLDER, outcome.plant, now="2026-03-07T12:00")
        first, midnight = lab.at("2026-03-06"), lab.at("2026-03-07")
        minutes = range(36 * 60 + 1)
        times = [first + minute * MINUTE for minute in minutes]
        behind = [max(0, (time - midnight) // MINUTE) for time in times]
        deliveries = [
            lab.delivery(
                "m", times, [float(KWH * (m + 2 * b)) for m, b in zip(minutes, behind, strict=True)]
            ),
            lab.delivery("g.gas", times, [float(M3 * m) for m in minutes]),
            lab.delivery("made", times, [PIECES * m for m in minutes]),
        ]
        lab.book(*deliveries)
        lab.ledger.close()
        entering = from_csv(BATCHES, lab.meters, lab.calendar, "s", lab.clock.now())
        write_down(lab.folder, entering, "test", lab.clock.now())
        assert book_now(
            lab.folder, lab.meters, lab.calendar, lab.clock, keep=outcome.plant.energy.keep_readings
        )
        self.app = create_app(View(folder, 0), books=Books(folder / "data", file, lab.clock.now))

    def get(self, path: str, **query: Any) -> Any:
        text = "&".join(f"{name}={value}" for name, value in query.items())
        answer = asyncio.run(ask(self.app, f"/api/carbon/{path}?{text}"))
        return answer.json() if answer.status == 200 else answer.status

    def batches(self, node: str) -> dict[str, Any]:
        ms = [self.lab.at(day) // 10**6 for day in ("2026-03-06", "2026-03-09")]
        found = self.get("batches", node=node, start=ms[0], end=ms[1])["batches"]
        return {each["name"]: each for each in found}


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Line:
    return Line(tmp_path_factory.mktemp("line"))


GAS_A_M3 = Fraction("389.31") * Fraction("0.0153") * Fraction("0.99") * 44 / 12 / 10
"""kgCO2 per m³ by cn-guide-a: 389.31 GJ and 0.0153 tC/GJ for 10⁴ m³, 0.99 oxidised."""


def test_a_batch_over_a_change_of_its_factor_is_electricity_by_both_and_gas(line: Line) -> None:
    """B-17: 4 h × 60 × 1.2 kWh at 0.6205, 4 h × 60 × 3.6 kWh at 0.5777, 8 h × 60 × 0.05 m³ of gas."""
    found = line.batches("s/hall/line")["B-17"]
    by_hand = 288 * Fraction("0.6205") + 864 * Fraction("0.5777") + 24 * GAS_A_M3
    assert Decimal(found["figure"]["value"]) == Decimal(f"{float(by_hand):.3f}")
    assert {each["medium"] for each in found["figure"]["lines"]} == {"electricity", "natural_gas"}
    assert (found["amount"], found["unit"]) == ("960", "piece")
    assert Decimal(found["per_unit"]) == Decimal(f"{float(by_hand / 960):.6f}")
    share = by_hand / 960 / (by_hand / 960 + Fraction("3.5"))
    assert found["share"] == pytest.approx(float(share))
    assert (found["product"], found["identifier"]) == ("bracket", "88.608.6688/bracket")
    assert found["upstream_source"] == "the steel mill, 2025"


def test_without_an_upstream_figure_the_share_stays_open(line: Line) -> None:
    found = line.batches("s/hall/line")["B-18"]
    assert (found["share"], found["upstream"]) == (None, "")
    assert found["per_unit"] is not None


def test_a_place_shows_the_batches_below_it_and_none_that_is_not_over(line: Line) -> None:
    assert set(line.batches("s")) == {"B-17", "B-18", "B-19"}
    assert set(line.batches("s/hall/line")) == {"B-17", "B-18"}


def test_of_a_place_with_no_counter_of_pieces_there_is_a_sum_and_nothing_per_piece(line: Line) -> None:
    found = line.batches("s")["B-19"]
    assert found["node"] == "s/hall"
    assert Decimal(found["figure"]["value"]) > 0
    assert (found["per_unit"], found["amount"]) == (None, "")


def test_the_export_holds_batch_figures_factors_boundary_and_share(line: Line) -> None:
    start = line.lab.at("2026-03-06T20:00") // 10**6
    told = line.get("footprint", node="s/hall/line", start=start, language="en")
    assert told["batch"] == "B-17"
    rows = {number["row"] for each in told["footprint"]["lines"] for number in each["used"]}
    assert {
        "electricity/china/2023/product_footprint",
        "electricity/china/2024/product_footprint",
        "fuels/cn-guide-a/natural_gas",
    } <= rows
    exact = sum(Fraction(each["exact"]) for each in told["footprint"]["lines"])
    assert exact == Fraction(told["footprint"]["exact"])
    assert told["share_of_cradle_to_gate"] is not None
    assert "gate to gate" in told["boundary"]
    assert json.dumps(told) != json.dumps(line.get("footprint", node="s/hall/line", start=start))
    assert line.get("footprint", node="s/hall/line", start=start + 1) == 404


def test_where_no_electricity_is_metered_a_batch_has_no_figure_and_says_of_what(tmp_path: Path) -> None:
    other = Line(tmp_path)
    entering = from_csv(
        "batch,at,from,to\nB-1,yard,2026-03-07T01:00,2026-03-07T02:00\n",
        other.lab.meters, other.lab.calendar, "s", other.lab.clock.now(),
    )  # fmt: skip
    write_down(other.lab.folder, entering, "test", other.lab.clock.now())
    assert book_now(other.lab.folder, other.lab.meters, other.lab.calendar, other.lab.clock, keep=10**18)
    found = other.batches("s/yard")["B-1"]
    assert found["figure"]["value"] is None
    assert [each["choice"] for each in found["figure"]["wanted"]] == ["s/yard/electricity"]
