"""The power-factor adjustment: the notice's steps, decided without floats."""

import json
import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.energy.pricing.power_factor import adjustment_percent, power_factor, standards

VECTORS = {
    "0.90": "0", "0.89": "0.5", "0.80": "5", "0.70": "10", "0.65": "15", "0.64": "17", "0.95": "-0.75",
    "1.00": "-0.75", "0.92": "-0.30", "0.69": "11", "0.60": "25", "0.00": "145",
}  # fmt: skip


@pytest.mark.parametrize(("factor", "percent"), VECTORS.items())
def test_the_steps_of_the_standard_0_90(factor: str, percent: str) -> None:
    assert adjustment_percent(Decimal(factor), Decimal("0.90")) == Decimal(percent)


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_power_factor_is_the_nearest_hundredth(active: int, reactive: int) -> None:
    found = power_factor(Decimal(active), Decimal(reactive))
    if active == reactive == 0:
        assert found is None
        return
    square = Fraction(active**2, active**2 + reactive**2)
    low, high = Fraction(found) - Fraction(1, 200), Fraction(found) + Fraction(1, 200)
    assert max(low, Fraction(0)) ** 2 <= square
    assert square < high**2 or found == 1


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_it_agrees_with_floating_point_away_from_halves(active: int, reactive: int) -> None:
    value = active / math.hypot(active, reactive)
    if abs(value * 100 % 1 - 0.5) > 1e-6:
        assert float(power_factor(Decimal(active), Decimal(reactive))) == pytest.approx(round(value, 2))


def test_a_hair_on_either_side_of_a_half_is_told_apart() -> None:
    """0.925 is 37/40: P = 37 k, S = 40 k, and Q² = 1600 k² - 1369 k² = 231 k² has no whole root, so the half
    is approached from both sides with energies of 22 digits."""
    root = math.isqrt(231 * 10**40)
    assert power_factor(Decimal(37 * 10**20), Decimal(root)) == Decimal("0.93")
    assert power_factor(Decimal(37 * 10**20), Decimal(root + 1)) == Decimal("0.92")


def test_exact_hundredths_stay_themselves() -> None:
    """In the triangle 7-24-25 the power factors are 7/25 and 24/25."""
    assert power_factor(Decimal(7), Decimal(24)) == Decimal("0.28")
    assert power_factor(Decimal(24), Decimal(7)) == Decimal("0.96")


def test_energies_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="below zero"):
        power_factor(Decimal(-1), Decimal(0))


def test_a_standard_without_table_is_refused() -> None:
    with pytest.raises(KeyError):
        adjustment_percent(Decimal("0.9"), Decimal("0.85"))
    assert json.dumps([f"{each}" for each in standards()]) == '["0.9"]'
