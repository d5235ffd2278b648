"""What is not a machine: the weather, the air in the halls, offices, light and pumps."""

import math
import random
from datetime import UTC, datetime
from typing import Final

from edge_deploy.plant.clock import SECOND
from edge_deploy.plant.sun import DAY

ROOMS: Final = ("press_shop", "assembly_shop", "offices")


class Weather:
    """Outside: warm in July, warmest at three in the afternoon (lower Yangtze: 3 to 29 °C by the month)."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._drift = self._random.uniform(-2, 2)
        self.outside, self.humidity = 15.0, 70.0

    def step(self, time_ns: int, second: int) -> None:
        """Let a second pass."""
        self._drift += -self._drift / 20_000 + 0.02 * (self._random.random() - 0.5)
        day = datetime.fromtimestamp(time_ns // SECOND, UTC).timetuple().tm_yday if second % 60 == 0 else 0
        if day:
            self._season = 16 - 13 * math.cos(math.tau * (day - 15) / 365)
        daily = 4.5 * math.cos(math.tau * (second - 15 * 3600) / DAY)
        self.outside = self._season + daily + self._drift
        self.humidity = min(98.0, max(20.0, 72 - 3.0 * (daily + self._drift)))

    _season: float = 16.0


class Room:
    """The air of one room: warmed by what is used in it, cooled towards outside, kept near a target."""

    def __init__(self, name: str, seed: str) -> None:
        self.name = name
        self._random = random.Random(seed)
        self.temperature = 21.0
        self.humidity = 50.0

    def step(self, weather: Weather, watts: int) -> None:
        """Let a second pass; `watts` are what turns to heat here."""
        target = 24.0 if self.name == "offices" else 22.0
        heat = watts / 2000 + 0.9 * (target - self.temperature)
        loss = 0.25 * (self.temperature - weather.outside)
        self.temperature += (heat - loss) / 3000 + 0.004 * (self._random.random() - 0.5)
        # The same water in warmer air: each kelvin takes about six percent of the relative humidity.
        same_water = weather.humidity * math.exp(-0.06 * (self.temperature - weather.outside))
        self.humidity += (min(90.0, max(15.0, same_water)) - self.humidity) / 600


class Offices:
    """Desks, light and a kitchen: busy from eight to six."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self._noise = 0.0
        self.power = 2_200

    def step(self, second: int) -> None:
        """Let a second pass."""
        self._noise += -self._noise / 400 + 0.006 * (self._random.random() - 0.5)
        hour = second / 3600
        busy = 1 / (1 + math.exp(-4 * (hour - 8))) - 1 / (1 + math.exp(-3 * (hour - 18)))
        kitchen = 3_500 if 11.5 <= hour < 12.5 else 0
        self.power = round(2_200 + (10_500 * busy + kitchen) * (1 + self._noise))


class Services:
    """Cooling water, ventilation, compressed-air dryer, and light outside at night."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self.power = 8_000

    def step(self, second: int, *, is_dark: bool) -> None:
        """Let a second pass."""
        fan = 1_500 if second % 1200 < 700 else 0
        self.power = 7_400 + fan + (2_400 if is_dark else 0) + self._random.randint(-60, 60)
