"""The cost table: lines as on an invoice, by hand; a price that is not known leaves the total a part."""

from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from gateway.reports.content import words
from gateway.reports.cover import Made
from gateway.reports.make import write
from tests.unit.reports.factory import content_of, filled, ground_for, plant_in
from tests.unit.reports.sheets import Book
from tests.unit.reports.test_ledger import NOW, rows_of, value

QUANTITY, YUAN = -3, -1
PRICE = {"flat": "0.5", "peak": "0.9", "valley": "0.3"}


def tariff(**prices: Any) -> dict[str, Any]:
    terms = {
        "use": "jiangsu-2025",
        "class": "single_100",
        "from": "2025-06-01",
        "contract": {"capacity_kva": 200, "use": "industry"},
        "standing": prices,
    }
    return {
        "tariff": [terms],
        "calendar": {"major_holidays": ["spring_festival", "labour_day", "national_day"]},
    }


def test_each_line_is_energy_times_price_and_the_bands_hold_all_of_the_energy(tmp_path: Path) -> None:
    plant = plant_in(tmp_path, **tariff(energy={name: float(each) for name, each in PRICE.items()}))
    filled(tmp_path, plant)
    # Three working days after the holidays, without sharp or deep-valley hours: 3 × 1920 kWh.
    with closing(content_of("ledger", ground_for(tmp_path, plant, "2026-10-13..2026-10-15"))) as content:
        lines = rows_of(content, "cost")
        assert sum(value(row.cells[QUANTITY]) for row in lines) == 3 * 1920
        for row in lines:
            price = PRICE[words(row.cells[1], "en")]
            assert value(row.cells[YUAN]) == (value(row.cells[QUANTITY]) * Decimal(price)).quantize(
                Decimal("0.01")
            )
        (total,) = rows_of(content, "cost", "total")
        assert value(total.cells[YUAN]) == sum(value(row.cells[YUAN]) for row in lines)
        assert words(total.cells[0], "en") == "total"
        write(content, tmp_path / "r.xlsx", Made(NOW, "1", "", "en"))
    found = [each for each in Book(tmp_path / "r.xlsx").computed() if each[0] == "Electricity cost"]
    assert len(found) == len(lines) + 1
    assert all(abs(one - other) < Decimal("1e-9") for _, _, one, other in found)


def test_a_price_that_is_not_known_is_asked_for_and_the_total_says_it_is_a_part(tmp_path: Path) -> None:
    plant = plant_in(tmp_path, **tariff(transmission=0.1, losses=0.01, system=0.02, funds=0.03))
    filled(tmp_path, plant, days=3)
    with closing(content_of("ledger", ground_for(tmp_path, plant, "2026-10-02"))) as content:
        assert None in {row.cells[YUAN] for row in rows_of(content, "cost")}
        (total,) = rows_of(content, "cost", "total")
        assert words(total.cells[0], "zh") == "合计（仅已知部分）"
        notes = " ".join(words(row.cells[0], "zh") for row in rows_of(content, "cost", "note"))
        assert "purchase" in notes


def test_hours_without_readings_are_not_priced_and_counted(tmp_path: Path) -> None:
    plant = plant_in(tmp_path, **tariff(energy={name: float(each) for name, each in PRICE.items()}))
    filled(tmp_path, plant, days=15)
    with closing(content_of("ledger", ground_for(tmp_path, plant, "2026-10-15..2026-10-16"))) as content:
        assert sum(value(row.cells[QUANTITY]) for row in rows_of(content, "cost")) == 1920
        notes = " ".join(words(row.cells[0], "zh") for row in rows_of(content, "cost", "note"))
        assert "96" in notes
