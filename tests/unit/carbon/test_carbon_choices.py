"""Choices that do not fit what was used, and contracts that do not fit what was bought."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from gateway.energy.carbon.coal import standard_coal
from gateway.energy.carbon.exact import text_of
from gateway.energy.carbon.footprint import Batch, footprint
from gateway.energy.carbon.indicators import energy
from gateway.energy.carbon.indirect import indirect
from gateway.energy.carbon.inventory import inventory
from gateway.energy.carbon.quantity import Quantity, Unknown
from gateway.energy.carbon.refused import Refused
from tests.unit.carbon.case import chosen
from tests.unit.carbon.plant import END, EVERYTHING, START, used


def test_more_fed_in_or_sold_than_made_is_refused() -> None:
    choices = chosen(EVERYTHING)
    with pytest.raises(Refused) as error:
        indirect([], choices, generated=[used("electricity", "5")], exported=[used("electricity", "6")])
    assert error.value.code == "E-FA-0008"
    sold = {"kind": "sold", "mwh": 0.006, "from": "2026-01-01", "to": "2026-02-01", "document": "s"}
    with pytest.raises(Refused) as error:
        indirect([], chosen(EVERYTHING | {"contracts": [sold]}), generated=[used("electricity", "5")])
    assert error.value.code == "E-FA-0008"


def test_a_contract_counts_once_and_shows_what_it_has_too_much() -> None:
    contract = {
        "kind": "certificate",
        "mwh": 3,
        "from": "2026-01-01",
        "to": "2026-02-01",
        "document": "GEC-9",
    }
    found = indirect([used("electricity", "2000")], chosen(EVERYTHING | {"contracts": [contract]})).market
    assert found.exact == 0
    covered, surplus = found.lines
    assert (covered.amount, surplus.amount) == (2000, 1000)
    assert surplus.rule is not None
    assert "GEC-9" in surplus.rule.text("zh")


@pytest.mark.parametrize(
    ("quantity", "pick", "code"),
    [
        (used("water", "5", "m³"), {"coal": "fresh_water"}, "E-FA-0005"),
        (used("natural_gas", "5", "Nm³"), {"lhv": 35.588, "per": "m³", "source": "bill"}, "E-FA-0005"),
        (
            used("steam", "5", "t"),
            {"steam": {"pressure": 0.8, "temperature": 165, "feed_water": 20}, "source": "contract"},
            "E-FA-0007",
        ),
    ],
    ids=lambda each: str(each)[:40],
)
def test_a_choice_that_cannot_take_its_quantity_empties_its_own_figures_only(
    quantity: Quantity, pick: dict[str, Any], code: str
) -> None:
    choices = chosen(EVERYTHING | {"media": {quantity.medium: [pick | {"set": "cn-guide-a"}]}})
    quantities = [used("electricity", "100"), quantity]
    coal = standard_coal(quantities, choices)
    assert coal.primary.value is None
    assert [each.reason.key for each in coal.primary.missing] == [code]
    assert f"carbon.media.{quantity.medium}" == coal.equivalent.missing[0].choice
    found = inventory(quantities, choices)
    is_heat = quantity.medium == "steam"
    assert (found.scope_2.location.value is None) == is_heat
    assert standard_coal(quantities[:1], choices).primary.value == Decimal("29.800")


def test_what_the_books_name_besides_bought_electricity_is_no_fuel() -> None:
    quantities = [used("electricity_reactive", "7", "kvarh"), used("electricity_generation", "7", "kWh")]
    assert inventory(quantities, chosen(EVERYTHING)).total("location") == 0
    assert standard_coal(quantities, chosen(EVERYTHING)).primary.value == 0


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Fraction(1, 3), "1/3"),
        (Fraction(12345, 100_000), "0.12345"),
        (Fraction(7), "7"),
        (Fraction(-3, 8), "-0.375"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.50"),
    ],
)
def test_the_fractions_of_the_books_are_amounts_like_decimals(number: Decimal | Fraction, text: str) -> None:
    assert text_of(number) == text
    if number > 0:
        quantity = Quantity("electricity", number, "kWh", START, END, "site", estimated=number)
        assert quantity.as_dict()["amount"] == quantity.as_dict()["estimated"] == text
        found = indirect([quantity], chosen(EVERYTHING)).location
        assert found.exact == Fraction(number) * Fraction("0.5978")
        assert found.shares is not None
        assert found.shares.estimated == 1


def test_what_the_books_do_not_know_leaves_its_figures_without_a_value() -> None:
    choices = chosen(EVERYTHING)
    bought = used("electricity", "100")
    gap = Unknown("natural_gas", START, END, "site/boiler")
    coal = standard_coal([bought, gap], choices)
    assert coal.primary.value is coal.equivalent.value is None
    assert "site/boiler" in coal.primary.missing[0].reason.text("zh")
    found = inventory([bought, gap], choices)
    assert found.scope_1.value is None
    assert found.total("location") is None
    assert found.scope_2.location.value == Decimal("59.780")

    hour = used("electricity", "100", "", START, START + 3_600_000_000_000)
    no_power = Unknown("electricity", START + 3_600_000_000_000, END, "site")
    found = inventory([hour, no_power], choices)
    assert (found.scope_1.value, found.scope_2.location.value, found.scope_2.market.value) == (0, None, None)
    assert energy([hour, no_power]).value is None
    batch = Batch("b", "p", START, END, Decimal(1), "piece")
    assert footprint(batch, [hour, no_power], choices).figure.value is None


def test_an_unknown_export_leaves_only_the_market_figure_open() -> None:
    roof = used("electricity_generation", "50", "kWh")
    gap = Unknown("electricity_export", START, END, "site")
    found = inventory([used("electricity", "100"), roof, gap], chosen(EVERYTHING)).scope_2
    assert (found.location.value, found.market.value) == (Decimal("59.780"), None)


def test_sold_certificates_of_unknown_generation_leave_the_market_figure_open() -> None:
    sold = {"kind": "sold", "mwh": 3, "from": "2026-01-01", "to": "2026-02-01", "document": "s"}
    gap = Unknown("electricity_generation", START, END, "roof")
    found = inventory([used("electricity", "100"), gap], chosen(EVERYTHING | {"contracts": [sold]})).scope_2
    assert (found.location.value, found.market.value) == (Decimal("59.780"), None)
