"""What holds for any figure: nothing split by guess, nothing rounded twice, all repeatable and explained."""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.problems import catalogue
from gateway.energy.carbon.coal import standard_coal
from gateway.energy.carbon.delta import difference
from gateway.energy.carbon.direct import direct
from gateway.energy.carbon.exact import converted, rounded, telescoped
from gateway.energy.carbon.figure import total
from gateway.energy.carbon.indirect import indirect
from gateway.energy.carbon.inventory import inventory
from gateway.energy.carbon.quantity import Quantity
from gateway.energy.carbon.refused import Refused
from tests.unit.carbon.case import chosen, day, rounded_by_hand
from tests.unit.carbon.plant import END, EVERYTHING, GRID, START, UNITS, figures, used

amounts = st.decimals(min_value=0, max_value=10**9, places=5, allow_nan=False, allow_infinity=False)


@given(
    medium=st.sampled_from(sorted(UNITS)),
    parts=st.lists(amounts, min_size=1, max_size=8),
    covered=st.integers(0, 3),
)
def test_splitting_a_period_never_changes_the_total(medium: str, parts: list[Decimal], covered: int) -> None:
    contract = {"kind": "direct", "mwh": 0.5, "from": "2026-01-01", "to": "2026-02-01", "document": "d"}
    choices = chosen(EVERYTHING | {"contracts": [contract] * covered})
    step = (END - START) // len(parts)
    split = [used(medium, part, "", START + i * step, START + (i + 1) * step) for i, part in enumerate(parts)]
    whole = [used(medium, sum(parts, Decimal(0)))]
    for of_parts, of_whole in zip(figures(split, choices), figures(whole, choices), strict=True):
        assert of_parts.exact == of_whole.exact
        assert of_parts.value == of_whole.value


@given(parts=st.lists(st.tuples(amounts, st.booleans()), min_size=1, max_size=8))
def test_the_sum_of_days_is_the_month_and_its_shares_are_theirs(parts: list[tuple[Decimal, bool]]) -> None:
    choices = chosen(EVERYTHING)
    step = (END - START) // len(parts)
    days = [
        Quantity(
            "electricity",
            amount,
            "kWh",
            START + i * step,
            START + (i + 1) * step,
            "site",
            estimated=amount if is_estimated else Decimal(0),
        )
        for i, (amount, is_estimated) in enumerate(parts)
    ]
    each = [indirect([one], choices).location for one in days]
    month = indirect(days, choices).location
    assert total(each).exact == month.exact
    assert total(each).shares == month.shares
    if month.exact:
        wrong = sum((amount for amount, is_estimated in parts if is_estimated), Decimal(0))
        assert month.shares is not None
        assert month.shares.estimated == Fraction(wrong) / Fraction(sum(amount for amount, _ in parts))
        assert month.shares.measured + month.shares.estimated + month.shares.manual == 1


@given(
    parts=st.lists(st.fractions(min_value=-(10**6), max_value=10**9), min_size=1, max_size=20),
    places=st.integers(0, 6),
)
def test_shown_parts_add_up_to_the_shown_sum(parts: list[Fraction], places: int) -> None:
    shown = telescoped(parts, places)
    assert sum(shown) == rounded(sum(parts, Fraction(0)), places)
    for part, each in zip(parts, shown, strict=True):
        assert abs(Fraction(each) - part) <= Fraction(1, 10**places)


@given(exact=st.fractions(min_value=-(10**12), max_value=10**12), places=st.integers(0, 6))
def test_rounding_is_half_to_even_and_keeps_its_places(exact: Fraction, places: int) -> None:
    shown = rounded(exact, places)
    assert abs(Fraction(shown) - exact) <= Fraction(1, 2 * 10**places)
    assert -int(shown.as_tuple().exponent) == places


@pytest.mark.parametrize(
    ("exact", "shown"),
    [
        ("0.0005", "0.000"),
        ("0.0015", "0.002"),
        ("0.0025", "0.002"),
        ("-0.0015", "-0.002"),
        ("2.0004999", "2.000"),
    ],
)
def test_a_tie_goes_to_the_even_digit(exact: str, shown: str) -> None:
    assert f"{rounded(Fraction(exact), 3):f}" == shown == f"{rounded_by_hand(Fraction(exact), 3):f}"


@pytest.mark.fault("E6")
def test_e6_a_factor_that_changes_is_explained_and_every_run_gives_the_same_bytes() -> None:
    """FAULTS E6: change within the period, mix of units; factor, source, version stored with the result."""
    old_choice = EVERYTHING | {"electricity": [GRID | {"year": 2021}]}
    new_choice = EVERYTHING | {"electricity": [GRID | {"year": 2021}, GRID | {"from": "2026-01-16"}]}
    middle = day("2026-01-16")

    def bought() -> list[Quantity]:
        return [
            used("electricity", "12.5", "MWh", START, middle),
            used("electricity", "5.4", "GJ", middle, END),
            used("electricity", "700.125", "kWh", middle, END),
            used("heat", "1500", "MJ"),
            used("natural_gas", "812.5"),
            used("diesel", "40.5", "kg"),
            used("diesel", "40.5", "L"),
        ]

    runs = [
        json.dumps(
            inventory(order, chosen(new_choice), period=(START, END)).as_dict("zh"), ensure_ascii=False
        )
        for order in (bought(), bought())
    ]
    assert runs[0] == runs[1]
    shuffled = inventory(bought()[::-1], chosen(new_choice), period=(START, END))
    assert shuffled.total("location") == inventory(bought(), chosen(new_choice)).total("location")

    old = inventory(bought(), chosen(old_choice)).scope_2.location
    new = inventory(bought(), chosen(new_choice)).scope_2.location
    by_hand = 12500 * Fraction("0.6451") + Fraction("2200.125") * Fraction("0.5978") + Fraction("1.5") * 110
    assert new.exact == by_hand
    delta = difference(old, new)
    assert delta.exact == new.exact - (old.exact or 0)
    assert delta.exact == Fraction("2200.125") * (Fraction("0.5978") - Fraction("0.6451"))
    assert [change.by_amount for change in delta.changes] == [0, 0]
    for change in delta.changes:
        told = change.as_dict()
        (before,), (after,) = told["old"], told["new"]
        assert (before["row"], after["row"]) == (
            "electricity/jiangsu/2021/average",
            "electricity/jiangsu/2022/average",
        )
        assert before["hash"] != after["hash"]
    stored = delta.as_dict("en")
    assert (stored["old"]["value"], stored["new"]["value"]) == (f"{old.value}", f"{new.value}")


def test_a_choice_that_changes_within_a_quantity_is_refused_until_the_books_split_it() -> None:
    choices = chosen({"electricity": [GRID, GRID | {"year": 2021, "from": "2026-01-16"}]})
    middle = day("2026-01-16")
    assert choices.changes(START, END) == (middle,)
    assert choices.changes(START, middle) == choices.changes(middle, END) == ()
    with pytest.raises(Refused) as error:
        indirect([used("electricity", "1")], choices)
    assert error.value.code == "E-FA-0004"
    assert "2026-01-16" in error.value.text("zh")
    halves = [used("electricity", "1", "", START, middle), used("electricity", "1", "", middle, END)]
    assert indirect(halves, choices).location.exact == Fraction("0.5978") + Fraction("0.6451")


def test_before_the_first_day_of_a_choice_nothing_is_chosen() -> None:
    choices = chosen({"electricity": [GRID | {"from": "2026-02-01"}]})
    found = indirect([used("electricity", "1")], choices).location
    assert found.value is None
    assert [each.choice for each in found.missing] == ["carbon.electricity"]
    for language in ("zh", "en"):
        assert "2026-01-01" in found.missing[0].reason.text(language)


@pytest.mark.parametrize(
    ("unit", "target"),
    [
        ("kWh", "m³"),
        ("Nm³", "m³"),
        ("Sm³", "Nm³"),
        ("t", "kWh"),
        ("kWh", "kvarh"),
        ("°C", "kWh"),
        ("tce", "kWh"),
    ],
)
def test_units_that_measure_different_things_do_not_convert(unit: str, target: str) -> None:
    with pytest.raises(Refused) as error:
        converted(Decimal(1), unit, target)
    assert error.value.code == "E-FA-0005"


@given(
    amount=amounts,
    pair=st.sampled_from(
        [("kWh", "MWh"), ("GJ", "kWh"), ("MJ", "kWh"), ("t", "kg"), ("m³", "10⁴m³"), ("L", "m³")]
    ),
)
def test_a_unit_there_and_back_is_the_same_amount(amount: Decimal, pair: tuple[str, str]) -> None:
    there = converted(amount, *pair)
    back = converted(Decimal(1), pair[1], pair[0])
    assert there * back == Fraction(amount)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": Decimal(-1)},
        {"amount": Decimal("NaN")},
        {"estimated": Decimal(2)},
        {"estimated": Decimal("0.6"), "manual": Decimal("0.6")},
        {"manual": Decimal(-1)},
        {"end": START},
    ],
    ids=str,
)
def test_a_quantity_no_meter_can_have_counted_is_refused(wrong: dict[str, Any]) -> None:
    sound: dict[str, Any] = {"amount": Decimal(1), "end": END}
    with pytest.raises(Refused) as error:
        Quantity(medium="electricity", unit="kWh", start=START, node="site", **sound | wrong)
    assert error.value.code == "E-FA-0003"


def test_the_difference_of_amount_and_factor_adds_up_exactly() -> None:
    old = direct([used("natural_gas", "1000"), used("diesel", "10")], chosen(EVERYTHING))
    other = EVERYTHING["media"] | {"natural_gas": [{"set": "cn-guide-b", "coal": "natural_gas_stat"}]}
    new = direct([used("natural_gas", "1200")], chosen(EVERYTHING | {"media": other}))
    delta = difference(old, new)
    assert delta.exact == (new.exact or 0) - (old.exact or 0)
    gas, diesel = delta.changes
    per_m3 = (old.lines[0].exact) / 1000
    assert gas.by_amount == 200 * per_m3
    assert gas.by_factor == (new.exact or 0) - 1200 * per_m3
    assert (diesel.by_amount, diesel.by_factor) == (-old.lines[1].exact, 0)


def test_a_figure_tells_the_lowest_confidence_in_it() -> None:
    low = EVERYTHING | {"residual": [{"area": "china", "year": 2021, "calibre": "fossil"}]}
    found = indirect([used("electricity", "1")], chosen(low))
    assert (found.location.confidence, found.market.confidence) == ("medium", "low")
    assert found.market.as_dict("zh")["confidence"] == "low"


def test_the_other_values_in_use_stand_beside_the_one_chosen() -> None:
    (line,) = standard_coal([used("water", "1")], chosen(EVERYTHING)).equivalent.lines
    assert line.used[0].others == ("coal/fresh_water_2008: 0.0857 kgce/t",)


def test_every_refusal_is_told_in_both_languages() -> None:
    codes = [key for key in catalogue() if key.startswith("E-FA-")]
    assert len(codes) == 11
    for code in codes:
        assert code in Refused(code).text("zh")
        assert any("一" <= c <= "鿿" for c in Refused(code).text("zh"))


def test_two_results_that_are_cut_differently_are_not_compared() -> None:
    choices = chosen(EVERYTHING)
    middle = day("2026-01-16")
    whole = indirect([used("electricity", "2")], choices).location
    halves = [used("electricity", "1", "", START, middle), used("electricity", "1", "", middle, END)]
    with pytest.raises(Refused) as error:
        difference(whole, indirect(halves, choices).location)
    assert error.value.code == "E-FA-0009"
