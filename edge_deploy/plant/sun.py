"""The sun over the roof: where it stands by date and time, what comes through the clouds."""

import math
import random
from datetime import UTC, datetime
from typing import Final

from edge_deploy.plant.clock import SECOND

LATITUDE: Final = 31.8
LONGITUDE: Final = 120.0
DAY: Final = 86_400


def sine_of_elevation(time_ns: int) -> float:
    """Return the sine of the sun's height; declination: Cooper 1969, equation of time: Spencer 1971."""
    moment = datetime.fromtimestamp(time_ns // SECOND, UTC)
    day = moment.timetuple().tm_yday
    declination = math.radians(23.45) * math.sin(math.tau * (284 + day) / 365)
    angle = math.tau * (day - 1) / 365
    equation = 229.18 * (
        0.000075
        + 0.001868 * math.cos(angle)
        - 0.032077 * math.sin(angle)
        - 0.014615 * math.cos(2 * angle)
        - 0.040849 * math.sin(2 * angle)
    )
    minutes = (time_ns // SECOND % DAY) / 60 + 4 * LONGITUDE + equation
    hour_angle = math.radians(minutes / 4 - 180)
    latitude = math.radians(LATITUDE)
    return math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(
        hour_angle
    )


def clear_sky(sine: float) -> float:
    """Return what a clear sky sends to level ground, W/m² (Haurwitz 1945)."""
    return 1098.0 * sine * math.exp(-0.057 / sine) if sine > 0.01 else 0.0


class Clouds:
    """How much the sky lets through: a haze that drifts, and single clouds that pass."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._haze = self._random.uniform(0.05, 0.25)
        self._depth = 0.0
        self._left = 0
        self.through = 1.0 - self._haze

    def step(self) -> None:
        """Let a second pass."""
        draw = self._random.random
        self._haze += (0.15 - self._haze) / 3600 + 0.0015 * (draw() - 0.5)
        self._haze = min(0.6, max(0.0, self._haze))
        if self._left > 0:
            self._left -= 1
        elif draw() < 1 / 500:
            self._left = self._random.randint(30, 240)
            self._depth = self._random.uniform(0.2, 0.65)
        wanted = (1 - self._haze) * (1 - self._depth if self._left else 1)
        self.through += (wanted - self.through) / 8  # an edge takes seconds to cross the roof


class Solar:
    """A photovoltaic roof, 150 kWp behind an inverter of 125 kW."""

    PEAK: Final = 150_000
    INVERTER: Final = 125_000

    def __init__(self, seed: str) -> None:
        self.clouds = Clouds(seed)
        self.irradiance = 0.0
        self.power = 0
        self._clear = 0.0
        self._until = 0

    def step(self, time_ns: int, outside: float) -> None:
        """Let a second pass that begins at this time of the plant; `outside` in °C."""
        self.clouds.step()
        if time_ns >= self._until:  # the sun moves a quarter of a degree in a minute
            self._clear = clear_sky(sine_of_elevation(time_ns))
            self._until = (time_ns // (60 * SECOND) + 1) * 60 * SECOND
        self.irradiance = self._clear * self.clouds.through
        cell = outside + 0.03 * self.irradiance
        direct = self.PEAK * self.irradiance / 1000 * (1 - 0.004 * (cell - 25)) * 0.97
        self.power = min(self.INVERTER, round(direct * 0.975)) if direct > 300 else 0
