"""Calibres, kinds and purposes are never mixed, whatever the order."""

import itertools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.factor_rows import ElectricityFactor
from config.factors import Factors
from gateway.energy.carbon.choice import FootprintFactor, InventoryFactor
from gateway.energy.carbon.delta import difference
from gateway.energy.carbon.direct import direct
from gateway.energy.carbon.figure import Figure, total
from gateway.energy.carbon.footprint import Batch, footprint
from gateway.energy.carbon.indirect import Indirect, indirect
from gateway.energy.carbon.inventory import Inventory
from gateway.energy.carbon.refused import Refused
from tests.unit.carbon.case import chosen, day
from tests.unit.carbon.plant import END, EVERYTHING, GRID, PRODUCT, REST, START, figures, used


def calibres() -> list[tuple[str, Figure]]:
    """A figure of every kind, and two more calibres of the same kind."""
    quantities = [used("electricity", "100")]
    other = EVERYTHING | {"residual": [REST | {"calibre": "fossil"}]}
    kinds = figures(quantities, chosen(EVERYTHING))
    named = [(each.kind, each) for each in kinds]
    return [*named, ("co2_market, fossil", indirect(quantities, chosen(other)).market)]


@pytest.mark.parametrize(
    ("one", "other"),
    list(itertools.permutations(range(7), 2)),
    ids=str,
)
def test_calibres_are_never_mixed(one: int, other: int) -> None:
    (_, first), (_, second) = calibres()[one], calibres()[other]
    with pytest.raises(Refused) as error:
        total([first, second])
    assert error.value.code in ("E-FA-0001", "E-FA-0002")
    with pytest.raises(Refused):
        total([second, first, second])


def refuses(kind: Any, row: ElectricityFactor) -> bool:
    try:
        kind(row)
    except Refused as error:
        return error.code == "E-FA-0002"
    return False


@given(
    year=st.sampled_from([2021, 2022, 2023, 2024]),
    calibre=st.sampled_from(["average", "excl_market_nonfossil", "fossil", "product_footprint", "ets_mee"]),
)
def test_a_factor_fits_one_purpose_only(year: int, calibre: Any) -> None:
    row = Factors().electricity("china", year, calibre)
    if row is None:
        return
    fits = (InventoryFactor, FootprintFactor)
    taken = [kind for kind in fits if not refuses(kind, row)]
    assert len(taken) == (0 if calibre == "ets_mee" else 1)


def test_a_factor_of_products_is_refused_in_an_inventory_and_the_reverse() -> None:
    with pytest.raises(Refused) as error:
        chosen({"electricity": [PRODUCT]})
    assert error.value.code == "E-FA-0002"
    with pytest.raises(Refused) as error:
        chosen({"footprint": [GRID]})
    assert error.value.code == "E-FA-0002"


def test_a_market_factor_of_another_calibre_within_a_figure_is_refused() -> None:
    change = [REST, REST | {"calibre": "fossil", "from": "2026-01-16"}]
    choices = chosen({"electricity": [GRID], "residual": change})
    middle = day("2026-01-16")
    halves = [used("electricity", "1", "", START, middle), used("electricity", "1", "", middle, END)]
    with pytest.raises(Refused) as error:
        indirect(halves, choices)
    assert error.value.code == "E-FA-0002"


def test_a_footprint_has_no_place_in_an_inventory() -> None:
    choices = chosen(EVERYTHING)
    product = footprint(
        Batch("b", "p", START, END, Decimal(1), "piece"), [used("electricity", "1")], choices
    ).figure
    two = indirect([used("electricity", "1")], choices)
    with pytest.raises(Refused) as error:
        Inventory(direct([], choices), Indirect(product, two.market))
    assert error.value.code == "E-FA-0001"
    with pytest.raises(Refused):
        difference(product, two.location)
