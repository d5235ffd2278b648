"""No shipped number without where it comes from, and what is uncertain says so."""

import json
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.checks.tariff import STANDARDS
from config.load import read_plant_bytes
from config.tariff_library import read_tariff, shipped_tariff, tariff_names
from gateway.energy.pricing.power_factor import measures, standards
from gateway.energy.pricing.prices import price_of
from tests.unit.tariff.plans import PRICES, plan

HEAD = "gateway: {id: g, site: s}\nsources: {t: {kind: simulated, devices: {d: {tags: {x: {}}}}}}\n"
FOLDER = resources.files("config") / "data" / "tariffs"
FREE = (
    "notes",
    "title",
    "area",
    "sources",
    "valid_from",
    "valid_to",
    "time_zone",
    "instrument",
    "confidence",
)


def numbers_without_source(
    node: Any, sources: set[str], path: str = "", *, is_said: bool = False
) -> list[str]:
    """Return the paths of numbers that no row around them gives a source for."""
    if isinstance(node, dict):
        said = is_said or (
            node.get("source") in sources and node.get("confidence") in ("high", "medium", "low")
        )
        return [
            each
            for key, value in node.items()
            if key not in FREE
            for each in numbers_without_source(value, sources, f"{path}.{key}", is_said=said)
        ]
    if isinstance(node, list):
        found = [numbers_without_source(each, sources, f"{path}[]", is_said=is_said) for each in node]
        return [each for some in found for each in some]
    is_number = (isinstance(node, int | float) and not isinstance(node, bool)) or ":" in str(node)[:3]
    return [path] if is_number and not is_said else []


@pytest.mark.parametrize("name", tariff_names())
def test_every_number_of_a_shipped_tariff_has_a_source(name: str) -> None:
    data = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    assert data["instrument"]
    assert data["dates"]["source"] in data["sources"]
    assert all(source["text"] for source in data["sources"].values())
    assert numbers_without_source(data, set(data["sources"])) == []


def test_a_number_without_source_is_found() -> None:
    data = yaml.safe_load((FOLDER / "jiangsu-2025.yaml").read_text("utf-8"))
    del data["classes"]["two_part"]["source"]
    assert numbers_without_source(data, set(data["sources"]))
    data["classes"]["two_part"]["source"] = "hearsay"
    assert numbers_without_source(data, set(data["sources"]))


def test_a_tariff_that_drops_a_source_can_not_be_read(tmp_path: Any) -> None:
    text = (FOLDER / "zhejiang-2026.yaml").read_text("utf-8")
    file = tmp_path / "own.yaml"
    file.write_text(text.replace("    source: notice\n", "", 1), "utf-8")
    reading = read_tariff(file, "own.yaml")
    assert reading.tariff is None
    assert [problem.code for problem in reading.problems] == ["E-CF-0101"]


@pytest.mark.parametrize("name", tariff_names())
def test_a_shipped_tariff_has_no_mistakes(name: str) -> None:
    assert shipped_tariff(name).problems == ()


@pytest.mark.parametrize("name", tariff_names())
def test_what_no_source_settles_is_said_in_both_languages(name: str) -> None:
    tariff = shipped_tariff(name).tariff
    for path, row in tariff.rows():
        if row.confidence == "low":
            assert row.note or getattr(row, "reading", None), path
    for overlay in tariff.overlays:
        if name.startswith("jiangsu"):
            assert overlay.reading is not None


def test_no_price_is_shipped() -> None:
    for name in tariff_names():
        text = (FOLDER / f"{name}.yaml").read_text("utf-8")
        data = yaml.safe_load(text)
        assert not {"prices", "standing", "capacity_price", "demand_price"} & set(data)


def test_the_power_factor_tables_have_sources_and_are_those_the_checks_know() -> None:
    found = measures()
    assert found.instrument
    for table in found.tables:
        for step in table.steps:
            assert step.source in found.sources
    assert found.base.source in found.sources
    assert standards() == STANDARDS


def test_two_prices_of_a_band_may_follow_each_other_by_month(tmp_path: Any) -> None:
    text = (FOLDER / "zhejiang-2026.yaml").read_text("utf-8")
    data = yaml.safe_load(text)
    sharp = data["overlays"][0]
    later = sharp | {"valid_from": "2027-01-01", "factor": 2.1}
    data["overlays"] = [sharp | {"valid_to": "2026-12-31"}, later]
    file = tmp_path / "own.yaml"
    file.write_text(json.dumps(data, ensure_ascii=False, default=str), "utf-8")
    reading = read_tariff(file, "own.yaml")
    assert reading.problems == ()
    entry = {"file": str(file), "contract": {"capacity_kva": 500}, "standing": PRICES}
    (terms,) = plan(entry).terms
    assert price_of(terms, "2026-12", "sharp").parts["purchase"] == Decimal("0.82")
    assert price_of(terms, "2027-01", "sharp").parts["purchase"] == Decimal("0.84")


@pytest.mark.parametrize("name", ["jiangsu-2025", "zhejiang-2026"])
def test_an_invoice_that_agreed_ends_the_warnings_of_what_sources_leave_open(name: str) -> None:
    contract = "{capacity_kva: 500}"
    entry = f"  - {{use: {name}, contract: {contract}, standing: {json.dumps(PRICES)}"
    if name.startswith("jiangsu"):
        entry += ", class: single_100"
    text = f"{HEAD}calendar: {{major_holidays: [national_day]}}\ntariff:\n{entry}"
    doubts = read_plant_bytes(f"{text}}}\n".encode(), "plant.yaml", Path()).problems
    assert {problem.code for problem in doubts} == {"W-CF-1435" if "jiangsu" in name else "W-CF-1436"}
    assert read_plant_bytes(f"{text}, checked: 2026-08}}\n".encode(), "plant.yaml", Path()).problems == ()
