"""What the tests of carbon share: a plant that chose everything, and every figure it can come to."""

from decimal import Decimal
from typing import Any

from gateway.energy.carbon.choice import Choices
from gateway.energy.carbon.coal import standard_coal
from gateway.energy.carbon.figure import Figure
from gateway.energy.carbon.footprint import Batch, footprint
from gateway.energy.carbon.inventory import inventory
from gateway.energy.carbon.quantity import Quantity
from tests.unit.carbon.case import day

START, END = day("2026-01-01"), day("2026-02-01")
GRID: dict[str, Any] = {"area": "jiangsu", "year": 2022, "calibre": "average"}
REST: dict[str, Any] = {"area": "china", "year": 2023, "calibre": "excl_market_nonfossil"}
PRODUCT: dict[str, Any] = {"area": "china", "year": 2024, "calibre": "product_footprint"}
EVERYTHING: dict[str, Any] = {
    "electricity": [GRID],
    "residual": [REST],
    "footprint": [PRODUCT],
    "primary": [{"kgce_per_kwh": 0.298, "year": 2025, "source": "s"}],
    "heat": [{"set": "cn-default"}],
    "media": {
        "natural_gas": [{"set": "cn-guide-a", "lhv": 35.588, "per": "m³", "source": "bill"}],
        "diesel": [{"set": "cn-guide-b", "coal": "diesel", "density": 0.835, "source": "note"}],
        "water": [{"coal": "fresh_water"}],
    },
}
UNITS = {"electricity": "kWh", "heat": "GJ", "natural_gas": "m³", "diesel": "L", "water": "t"}


def used(medium: str, amount: Decimal | str, unit: str = "", start: int = START, end: int = END) -> Quantity:
    return Quantity(medium, Decimal(amount), unit or UNITS[medium], start, end, "site")


def figures(quantities: list[Quantity], choices: Choices) -> list[Figure]:
    """Every figure these quantities can come to."""
    all_of = inventory(quantities, choices, period=(START, END))
    coal = standard_coal(quantities, choices, (START, END))
    batch = Batch("b", "p", START, END, Decimal(10), "piece")
    no_heat = [each for each in quantities if each.medium != "heat"]
    return [
        all_of.scope_1,
        all_of.scope_2.location,
        all_of.scope_2.market,
        coal.equivalent,
        coal.primary,
        footprint(batch, no_heat, choices).figure,
    ]
