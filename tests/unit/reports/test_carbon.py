"""The carbon inventory: calibres side by side, by hand, and what is not chosen has no value."""

from contextlib import closing
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from gateway.energy.carbon.exact import rounded
from gateway.reports.content import Computed, Content, words
from gateway.reports.cover import Made
from gateway.reports.make import write
from tests.unit.reports.factory import content_of, filled, ground_for, plant_in
from tests.unit.reports.sheets import Book
from tests.unit.reports.test_ledger import NOW, rows_of, value


@pytest.fixture
def carbon(tmp_path: Path) -> Any:
    plant = plant_in(tmp_path)
    filled(tmp_path, plant)
    with closing(content_of("carbon", ground_for(tmp_path, plant))) as content:
        yield content


def scopes(content: Content) -> dict[str, Any]:
    return {words(row.cells[0], "en"): row.cells[2] for row in rows_of(content, "scopes")}


def factor(content: Content, row_id: str) -> Decimal:
    return next(value(row.cells[1]) for row in rows_of(content, "factors") if row.cells[3] == row_id)


def test_both_ways_of_scope_2_are_kwh_times_their_factor(carbon: Content) -> None:
    found = scopes(carbon)
    for name, row_id in (
        ("Scope 2: bought energy, location-based", "electricity/jiangsu/2022/average"),
        ("Scope 2: bought energy, market-based", "electricity/china/2023/excl_market_nonfossil"),
    ):
        assert value(found[name]) == 59520 * factor(carbon, row_id)


def test_standard_coal_stands_in_both_calibres(carbon: Content) -> None:
    found = scopes(carbon)
    difference = value(found["Standard coal: primary"]) - value(found["Standard coal: equivalent"])
    # Electricity alone differs: 59520 kWh × (0.298 − 0.1229) kgce.
    assert difference == 59520 * (Decimal("0.298") - Decimal("0.1229"))


def test_the_totals_are_sums_rounded_once(carbon: Content) -> None:
    lines = rows_of(carbon, "carbon_lines")
    totals = rows_of(carbon, "scopes", "total")
    # Scope 1 and location-based scope 2, from the lines to twelve places.
    parts = [
        value(row.cells[9])
        for row in lines
        if words(row.cells[0], "en") in ("Scope 1: direct", "Scope 2: bought energy, location-based")
    ]
    assert value(totals[0].cells[2]) == rounded(sum(map(Fraction, parts), Fraction(0)), 3)


def test_every_formula_of_the_inventory_computes_to_what_stands_beside_it(
    carbon: Content, tmp_path: Path
) -> None:
    file = tmp_path / "r.xlsx"
    write(carbon, file, Made(NOW, "1", "", "both"))
    found = Book(file).computed()
    assert len(found) >= 15
    wrong = [each for each in found if abs(each[2] - each[3]) > Decimal("1e-9") * max(1, abs(each[3]))]
    assert wrong == []


def test_what_is_not_chosen_has_no_value_and_names_its_key(tmp_path: Path) -> None:
    plant = plant_in(tmp_path, carbon={})
    filled(tmp_path, plant)
    with closing(content_of("carbon", ground_for(tmp_path, plant))) as content:
        found = scopes(content)
        assert found["Scope 1: direct"] is None
        assert found["Scope 2: bought energy, location-based"] is None
        missing = {row.cells[1] for row in rows_of(content, "missing")}
        assert {"carbon.electricity", "carbon.residual", "carbon.primary", "carbon.media.diesel"} <= missing
        assert {row.cells[2] for row in rows_of(content, "scopes", "total")} == {None}


def test_a_factor_that_changes_within_the_month_cuts_the_quantity_there(tmp_path: Path) -> None:
    picks = [
        {"area": "jiangsu", "year": 2021, "calibre": "average"},
        {"from": "2026-10-11", "area": "jiangsu", "year": 2022, "calibre": "average"},
    ]
    plant = plant_in(tmp_path, carbon={"electricity": picks})
    filled(tmp_path, plant)
    with closing(content_of("carbon", ground_for(tmp_path, plant))) as content:
        quantities = [value(row.cells[3]) for row in rows_of(content, "quantities")[:2]]
        assert quantities == [Decimal(19200), Decimal(40320)]
        found = scopes(content)["Scope 2: bought energy, location-based"]
        assert isinstance(found, Computed)
        before, after = (factor(content, f"electricity/jiangsu/{year}/average") for year in (2021, 2022))
        assert found.value == 19200 * before + 40320 * after
