"""IAPWS-IF97 against the check values of the release itself (R7-97(2012), tables 5, 15, 35 and 36)."""

from decimal import Decimal

import pytest

from config.carbon import SteamState
from gateway.energy.carbon.refused import Refused
from gateway.energy.carbon.steam import (
    enthalpy_of_steam,
    enthalpy_of_water,
    saturation_pressure,
    saturation_temperature,
    steam_heat,
)


@pytest.mark.parametrize(
    ("kelvin", "mpa", "kj_per_kg"),
    [(300, 3, 0.115331273e3), (300, 80, 0.184142828e3), (500, 3, 0.975542239e3)],
)
def test_water_has_the_enthalpy_of_table_5(kelvin: float, mpa: float, kj_per_kg: float) -> None:
    assert enthalpy_of_water(mpa, kelvin) == pytest.approx(kj_per_kg, rel=5e-9)


@pytest.mark.parametrize(
    ("kelvin", "mpa", "kj_per_kg"),
    [(300, 0.0035, 0.254991145e4), (700, 0.0035, 0.333568375e4), (700, 30, 0.263149474e4)],
)
def test_steam_has_the_enthalpy_of_table_15(kelvin: float, mpa: float, kj_per_kg: float) -> None:
    assert enthalpy_of_steam(mpa, kelvin) == pytest.approx(kj_per_kg, rel=5e-9)


@pytest.mark.parametrize(
    ("kelvin", "mpa"), [(300, 0.353658941e-2), (500, 0.263889776e1), (600, 0.123443146e2)]
)
def test_water_boils_at_the_pressures_of_table_35(kelvin: float, mpa: float) -> None:
    assert saturation_pressure(kelvin) == pytest.approx(mpa, rel=5e-9)


@pytest.mark.parametrize(("mpa", "kelvin"), [(0.1, 0.372755919e3), (1, 0.453035632e3), (10, 0.584149488e3)])
def test_water_boils_at_the_temperatures_of_table_36(mpa: float, kelvin: float) -> None:
    assert saturation_temperature(mpa) == pytest.approx(kelvin, rel=5e-9)


def state(pressure: str, temperature: str | None, feed_water: str = "20") -> SteamState:
    given = None if temperature is None else Decimal(temperature)
    return SteamState(pressure=Decimal(pressure), temperature=given, feed_water=Decimal(feed_water))


def test_no_saturated_steam_holds_the_heat_of_the_default_that_is_going_round() -> None:
    default = Decimal("0.1286") / Decimal("0.03412") * 1000  # kJ/kg
    hottest = max(steam_heat(state(f"{p / 10}", None)).steam for p in range(1, 165))
    assert hottest < Decimal(2805) < default


@pytest.mark.parametrize(
    "refused",
    [
        state("0.8", "165"),  # below boiling at 170.4 °C: the gauge's pressure taken for the absolute one
        state("0.8", "900"),
        state("17", None),
        state("0.0001", None),
        state("0.8", None, "175"),
        state("0.8", None, "-5"),
    ],
    ids=str,
)
def test_a_state_without_steam_is_refused(refused: SteamState) -> None:
    with pytest.raises(Refused) as error:
        steam_heat(refused)
    assert error.value.code == "E-FA-0007"
    for language in ("zh", "en"):
        assert str(refused.pressure) in error.value.text(language)
