"""Heat of steam from its pressure and temperature: IAPWS Industrial Formulation 1997, regions 1, 2 and 4.

Steam is never counted by a default per tonne: the 0.1286 kgce/kg that is going round is more heat than any
saturated steam holds. The formulas are those of the release IAPWS R7-97(2012), its numbers are data.
"""

import csv
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Final

from config.carbon import SteamState
from gateway.energy.carbon.refused import Refused

_R: Final = 0.461526
"""Specific gas constant of water, kJ/(kg K) (R7-97, equation 1)."""
_ZERO_C: Final = 273.15
_HIGHEST_PRESSURE: Final = 16.529
"""MPa, saturation at 623.15 K: below it all steam lies in region 2."""
_HIGHEST_TEMPERATURE: Final = 1073.15
SOURCE: Final = "IAPWS R7-97(2012)"


@dataclass(frozen=True, slots=True)
class SteamHeat:
    """Enthalpies in kJ/kg, rounded to two places."""

    steam: Decimal
    feed_water: Decimal

    @property
    def gain(self) -> Decimal:
        """Return the heat that made the steam, kJ/kg."""
        return self.steam - self.feed_water


def steam_heat(state: SteamState) -> SteamHeat:
    """Return the enthalpy of steam and of its feed water, taken at the steam's pressure.

    Raises:
        Refused: E-FA-0007, no steam exists in this state, or it is outside 0.0007 to 16.5 MPa and 800 °C.
    """
    pressure = float(state.pressure)
    feed = float(state.feed_water) + _ZERO_C
    if not 0.0007 <= pressure <= _HIGHEST_PRESSURE:
        raise Refused("E-FA-0007", pressure=state.pressure, temperature=state.temperature or "")
    boiling = saturation_temperature(pressure)
    temperature = boiling if state.temperature is None else float(state.temperature) + _ZERO_C
    is_steam = boiling <= temperature <= _HIGHEST_TEMPERATURE
    if not is_steam or not _ZERO_C <= feed <= boiling:
        raise Refused("E-FA-0007", pressure=state.pressure, temperature=state.temperature or "")
    # Two places are far above the formulation's own uncertainty and the same on every machine.
    return SteamHeat(
        Decimal(f"{enthalpy_of_steam(pressure, temperature):.2f}"),
        Decimal(f"{enthalpy_of_water(pressure, feed):.2f}"),
    )


def enthalpy_of_water(pressure: float, temperature: float) -> float:
    """Return kJ/kg of liquid water at MPa and K (region 1, equation 7)."""
    pi, tau = pressure / 16.53, 1386 / temperature
    slope = sum(n * (7.1 - pi) ** i * j * (tau - 1.222) ** (j - 1) for i, j, n in _part("1"))
    return _R * temperature * tau * slope


def enthalpy_of_steam(pressure: float, temperature: float) -> float:
    """Return kJ/kg of steam at MPa and K (region 2, equations 15 to 17)."""
    tau = 540 / temperature
    ideal = sum(n * j * tau ** (j - 1) for _, j, n in _part("2o"))
    residual = sum(n * pressure**i * j * (tau - 0.5) ** (j - 1) for i, j, n in _part("2r"))
    return _R * temperature * tau * (ideal + residual)


def saturation_pressure(temperature: float) -> float:
    """Return MPa at which water boils at K (region 4, equation 30)."""
    n = [each for _, _, each in _part("4")]
    theta = temperature + n[8] / (temperature - n[9])
    a = theta**2 + n[0] * theta + n[1]
    b = n[2] * theta**2 + n[3] * theta + n[4]
    c = n[5] * theta**2 + n[6] * theta + n[7]
    root: float = 2 * c / (-b + math.sqrt(b**2 - 4 * a * c))
    return root * root * root * root


def saturation_temperature(pressure: float) -> float:
    """Return K at which water boils at MPa (region 4, equation 31)."""
    n = [each for _, _, each in _part("4")]
    beta: float = pressure**0.25
    e = beta**2 + n[2] * beta + n[5]
    f = n[0] * beta**2 + n[3] * beta + n[6]
    g = n[1] * beta**2 + n[4] * beta + n[7]
    d = 2 * g / (-f - math.sqrt(f**2 - 4 * e * g))
    root: float = math.sqrt((n[9] + d) ** 2 - 4 * (n[8] + n[9] * d))
    return (n[9] + d - root) / 2


@cache
def table_hash() -> str:
    """Return the version of the coefficients."""
    return hashlib.sha256(_text().encode()).hexdigest()[:16]


@cache
def _part(part: str) -> Sequence[tuple[int, int, float]]:
    rows = csv.DictReader(line for line in _text().splitlines() if not line.startswith("#"))
    return [(int(row["i"]), int(row["j"]), float(row["n"])) for row in rows if row["part"] == part]


@cache
def _text() -> str:
    return (resources.files("config") / "data" / "factors" / "steam.csv").read_text(encoding="utf-8")
