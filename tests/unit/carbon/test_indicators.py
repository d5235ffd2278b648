"""Indicators, baselines, the regression, and what a footprint's export says."""

import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.energy.carbon.coal import standard_coal
from gateway.energy.carbon.footprint import FORMAT, Batch, Upstream, footprint
from gateway.energy.carbon.indicators import Output, cost, energy, intensity, performance, regression
from gateway.energy.carbon.indirect import indirect
from gateway.energy.carbon.quantity import Quantity
from gateway.energy.carbon.refused import Refused
from tests.unit.carbon.case import chosen, day

START, END = day("2026-01-01"), day("2026-02-01")
GRID = {"area": "jiangsu", "year": 2022, "calibre": "average"}
PRODUCT = {"area": "china", "year": 2024, "calibre": "product_footprint"}
OPTIONS = {"electricity": [GRID], "footprint": [PRODUCT], "media": {"natural_gas": [{"set": "cn-guide-a"}]}}


def kwh(amount: str, estimated: str = "0") -> Quantity:
    return Quantity("electricity", Decimal(amount), "kWh", START, END, "site", estimated=Decimal(estimated))


def made(amount: str, unit: str = "piece") -> Output:
    return Output(Decimal(amount), unit, START, END, "site")


def test_an_indicator_is_the_exact_figure_over_the_output() -> None:
    found = intensity(energy([kwh("100", "25")]), made("3", "t"))
    assert found.exact == Fraction(100, 3)
    assert (f"{found.value}", found.unit) == ("33.333333", "kWh/t")
    assert found.shares is not None
    assert found.shares.estimated == Fraction(1, 4)
    told = found.as_dict("zh")
    assert told["shares"] == {"measured": "0.7500", "estimated": "0.2500", "manual": "0.0000"}
    assert told["figure"]["lines"][0]["quantity"]["amount"] == "100"


def test_cost_per_piece_keeps_every_cent() -> None:
    day_night = [(kwh("70.1"), Decimal("51.234567")), (kwh("0"), Decimal(0))]
    found = intensity(cost(day_night), made("7"))
    assert found.exact == Fraction("51.234567") / 7
    assert found.unit == "CNY/piece"
    with pytest.raises(Refused):
        cost([(kwh("0"), Decimal(5))])


def test_nothing_made_gives_no_indicator_and_no_error() -> None:
    found = intensity(energy([kwh("100")]), made("0"))
    assert found.exact is None
    assert found.value is None
    assert found.as_dict("en")["value"] is None


def test_a_missing_choice_leaves_the_indicator_empty_and_named() -> None:
    found = intensity(standard_coal([kwh("100")], chosen({})).primary, made("5"))
    assert found.value is None
    assert found.as_dict("zh")["figure"]["missing"][0]["choice"] == "carbon.primary"


def test_an_output_of_another_period_is_refused() -> None:
    with pytest.raises(Refused) as error:
        intensity(energy([kwh("100")]), Output(Decimal(1), "t", START, END + 1, "site"))
    assert error.value.code == "E-FA-0009"
    with pytest.raises(Refused) as error:
        intensity(energy([kwh("100")]), made("-1"))
    assert error.value.code == "E-FA-0003"


def test_performance_is_now_over_the_baseline() -> None:
    before, now = intensity(energy([kwh("120")]), made("10")), intensity(energy([kwh("99")]), made("9"))
    found = performance(before, now)
    assert found.exact == Fraction(11, 12)
    assert f"{found.value}" == "0.916667"
    assert performance(intensity(energy([kwh("0")]), made("1")), now).value is None


def test_performance_of_other_kinds_units_and_calibres_is_refused() -> None:
    of_energy = intensity(energy([kwh("120")]), made("10"))
    of_carbon = intensity(indirect([kwh("120")], chosen(OPTIONS)).location, made("10"))
    for other in (of_carbon, intensity(energy([kwh("1")]), made("1", "t"))):
        with pytest.raises(Refused) as error:
            performance(of_energy, other)
        assert error.value.code == "E-FA-0001"
    markets = [
        intensity(indirect([kwh("1")], chosen({"residual": [GRID | {"calibre": each}]})).market, made("1"))
        for each in ("average",)
    ]
    rest = {"area": "china", "year": 2023, "calibre": "excl_market_nonfossil"}
    markets.append(intensity(indirect([kwh("1")], chosen({"residual": [rest]})).market, made("1")))
    with pytest.raises(Refused) as error:
        performance(*markets)
    assert error.value.code == "E-FA-0002"


def test_the_regression_worked_out_by_hand() -> None:
    # x 10 20 30 40, y 130 210 330 390: means 25 and 265; Sxy = 15·135 + 5·55 + 5·65 + 15·125 = 4500;
    # Sxx = 225+25+25+225 = 500; Syy = 18225+3025+4225+15625 = 41100; slope 9, base 40,
    # r² = 4500²/(500·41100).
    x, y = [Decimal(each) for each in (10, 20, 30, 40)], [Decimal(each) for each in (130, 210, 330, 390)]
    found = regression(x, y)
    assert (found.slope, found.base, found.points) == (9, 40, 4)
    assert found.r2 == Fraction(4500**2, 500 * 41100)
    assert (found.low, found.high) == (10, 40)
    assert found.expected(Decimal(25)) == (265, True)
    assert found.expected(Decimal(41)) == (409, False)
    told = found.as_dict()
    assert told["is_model"] is True
    assert (told["slope"], told["r2"]) == ("9.000000", "0.985401")


@given(pairs=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=3, max_size=40))
def test_the_regression_is_the_one_numpy_finds(pairs: list[tuple[int, int]]) -> None:
    x, y = [each for each, _ in pairs], [each for _, each in pairs]
    assume(max(x) - min(x) > 100)
    assume(len(set(y)) > 1)
    found = regression([Decimal(each) for each in x], [Decimal(each) for each in y])
    slope, base = np.polyfit(np.array(x, dtype=float), np.array(y, dtype=float), 1)
    assert float(found.slope) == pytest.approx(slope, rel=1e-6, abs=1e-6)
    assert float(found.base) == pytest.approx(base, rel=1e-6, abs=1e-2)
    assert 0 <= found.r2 <= 1


@pytest.mark.parametrize(
    ("x", "y"), [((1, 2), (1, 2)), ((1, 1, 1), (1, 2, 3)), ((1, 2, 3), (4, 4, 4)), ((1, 2, 3), (1, 2))]
)
def test_too_little_for_a_regression_is_refused(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    with pytest.raises(Refused) as error:
        regression([Decimal(each) for each in x], [Decimal(each) for each in y])
    assert error.value.code == "E-FA-0010"


def batch(amount: str = "500") -> Batch:
    return Batch("B-2026-17", "bracket", START, END, Decimal(amount), "piece", "88.608.6688/B-2026-17")


def test_a_footprints_export_names_factors_versions_shares_and_boundary() -> None:
    gas = Quantity("natural_gas", Decimal(100), "m³", START, END, "site", manual=Decimal(100))
    found = footprint(
        batch(), [kwh("1000", "100"), gas], chosen(OPTIONS), Upstream(Decimal("3.5"), "supplier")
    )
    told = json.loads(json.dumps(found.as_dict("en")))
    assert told["format"] == FORMAT
    assert told["identifier"] == "88.608.6688/B-2026-17"
    rows = {number["row"]: number["hash"] for line in told["footprint"]["lines"] for number in line["used"]}
    assert {"electricity/china/2024/product_footprint", "fuels/cn-guide-a/natural_gas"} < set(rows)
    assert all(len(version) == 16 for version in rows.values())
    assert told["footprint"]["unit"] == "kgCO2e"
    assert told["footprint"]["calibre"] == "product_footprint"
    assert "gate to gate" in told["boundary"]
    assert "门到门" in found.as_dict("zh")["boundary"]
    assert Decimal(told["footprint"]["shares"]["manual"]) > 0
    assert found.per_unit is not None
    assert found.share == found.per_unit / (found.per_unit + Fraction("3.5"))
    assert told["upstream"] == {"per_unit": "3.5", "source": "supplier"}


def test_without_the_upstream_part_the_share_stays_open() -> None:
    found = footprint(batch(), [kwh("1000")], chosen(OPTIONS))
    assert found.share is None
    assert found.as_dict("zh")["share_of_cradle_to_gate"] is None
    assert footprint(batch("0"), [kwh("1000")], chosen(OPTIONS)).per_unit is None


def test_what_lies_outside_the_batch_is_refused_and_what_is_not_chosen_named() -> None:
    outside = Quantity("electricity", Decimal(1), "kWh", START - 1, END, "site")
    with pytest.raises(Refused) as error:
        footprint(batch(), [outside], chosen(OPTIONS))
    assert error.value.code == "E-FA-0009"
    found = footprint(batch(), [kwh("1")], chosen({"electricity": [GRID]}))
    assert [each.choice for each in found.figure.missing] == ["carbon.footprint"]
    assert found.as_dict("zh")["per_unit"] is None


def test_a_medium_that_is_neither_electricity_nor_fuel_is_told_as_left_out() -> None:
    steam = Quantity("heat", Decimal(3), "GJ", START, END, "site")
    found = footprint(batch(), [kwh("1000"), steam], chosen(OPTIONS))
    assert found.left_out == ("heat",)
    assert found.as_dict("zh")["left_out"] == ["heat"]
    assert found.figure.exact == 1000 * Fraction("0.5777")
