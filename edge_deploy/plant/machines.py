"""The machines: what each does in a second, and the power it takes for it."""

import random
from typing import Final, Literal

LineState = Literal["stopped", "setup", "fault", "waiting", "running"]


class Stock:
    """Blanks between the press and the assembly line."""

    MOST: Final = 400

    def __init__(self) -> None:
        self.blanks = 120


class Press:
    """Stamps a blank every six seconds; an order is 240 good ones, then the tool is changed."""

    _POWER: Final = (21_000, 24_500, 46_000, 38_500, 23_000, 20_000)
    _FORCE: Final = (40.0, 260.0, 1580.0, 1120.0, 90.0, 30.0)
    _LOT: Final = 240

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self.state: LineState = "stopped"
        self.good, self.reject, self.order = 481_230, 3_907, 2_214
        self.force, self.oil = 0.0, 42.0
        self.power = 1_100
        self._phase = self._left = 0
        self._of_lot = 0

    def step(self, stock: Stock, hall: float, *, works: bool) -> None:
        """Let a second pass; `hall` is the temperature of the air in °C."""
        was = self.state
        if self._left:
            self._left -= 1
        if not works:
            self.state, self._left = "stopped", 0
        elif was == "stopped":
            self.state, self._left = "setup", 120
        elif self._left:
            pass
        elif stock.blanks >= stock.MOST:
            self.state = "waiting"
        else:
            self.state = "running"
        self.force = 0.0
        if self.state == "running":
            self.force = self._FORCE[self._phase] * self._random.uniform(0.985, 1.015)
        self.power = self._power()
        self.oil += (0.0009 * self.power / 1000 * 1.0 - 0.0007 * (self.oil - hall)) * 1.0
        if self.state == "running":
            self._phase = (self._phase + 1) % len(self._POWER)
            if self._phase == 0:
                self._made(stock)

    def _power(self) -> int:
        match self.state:
            case "running":
                return self._POWER[self._phase] + self._random.randint(-400, 400)
            case "setup":
                return 9_000 + self._random.randint(-300, 300)
            case "waiting":
                return 6_500
            case "fault":
                return 6_200
            case "stopped":
                return 1_100

    def _made(self, stock: Stock) -> None:
        if self._random.random() < 0.008:
            self.reject += 1
        else:
            self.good += 1
            stock.blanks += 1
            self._of_lot += 1
        if self._of_lot == self._LOT:
            self._of_lot, self.order = 0, self.order + 1
            self.state, self._left = "setup", 90
        elif self._random.random() < 1 / 220:
            self.state, self._left = "fault", self._random.randint(20, 150)


class Assembly:
    """Makes a product of three blanks every eighteen seconds; waits when there are none."""

    _CYCLE: Final = 18

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self.state: LineState = "stopped"
        self.good, self.reject = 158_411, 2_096
        self.power = 900
        self._done = 0

    def step(self, stock: Stock, *, works: bool) -> None:
        """Let a second pass."""
        if not works:
            self.state, self.power = "stopped", 900
            return
        if self._done == 0:
            if stock.blanks < 3:
                self.state, self.power = "waiting", 2_600
                return
            stock.blanks -= 3
        self.state = "running"
        self.power = 8_200 + 350 * (self._done % 6) + self._random.randint(-150, 150)
        self._done = (self._done + 1) % self._CYCLE
        if self._done == 0:
            if self._random.random() < 0.015:
                self.reject += 1
            else:
                self.good += 1


class Oven:
    """Dries lacquer: heated to 180 °C while the assembly line runs, kept at 140 °C through meals."""

    _MOST: Final = 60_000
    _HEAT: Final = 180_000.0
    """J to warm it by a kelvin."""
    _LOSS: Final = 120.0
    """W through its walls per kelvin."""

    def __init__(self) -> None:
        self.temperature, self.setpoint = 140.0, 140.0
        self.power = 0
        self._sum = 16_000.0

    @property
    def state(self) -> str:
        """Return what it does, in a word."""
        off = self.temperature - self.setpoint
        return "cooling" if off > 3 else "heating" if off < -3 else "holding"

    @property
    def output(self) -> float:
        """Return the controller's output, %."""
        return 100 * self.power / self._MOST

    def step(self, hall: float, *, works: bool, loaded: bool) -> None:
        """Let a second pass: a PI controller, then the heat that came and went."""
        self.setpoint = 180.0 if works else 140.0
        error = self.setpoint - self.temperature
        wanted = 4_000 * error + self._sum
        if 0 < wanted < self._MOST:  # no winding up at the stops
            self._sum += 6.0 * error
        self.power = round(min(self._MOST, max(0.0, wanted)))
        goods = 5_500 if loaded else 0
        self.temperature += (self.power - self._LOSS * (self.temperature - hall) - goods) / self._HEAT


class Compressor:
    """A screw compressor with a tank of 3 m³: loads below 6.8 bar, unloads above 7.6, stops after a while."""

    LOW: Final = 6.8
    HIGH: Final = 7.6
    _DELIVERY: Final = 6.2 / 60
    """m³ of free air a second when loaded."""
    _TANK: Final = 3.0
    _RUN_ON: Final = 300

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)
        self.state: Literal["stopped", "unloaded", "loaded"] = "loaded"
        self.pressure, self.outlet = 7.1, 75.0
        self.flow = 0.0
        """What the plant takes now, m³ of free air a minute."""
        self.volume_litres = 8_412_337_000
        self.loaded_s, self.running_s, self.starts = 41_230_000, 58_910_000, 1_873
        self.power = 37_000
        self._unloaded = 0

    def step(self, demand: float, hall: float) -> None:
        """Let a second pass; `demand` in m³ a minute at 7 bar, leaks come on top."""
        self.flow = (demand + 0.7) * self.pressure / 7 * self._random.uniform(0.97, 1.03)
        self.volume_litres += round(self.flow * 1000 / 60)
        supply = self._DELIVERY if self.state == "loaded" else 0.0
        self.pressure += (supply - self.flow / 60) / self._TANK
        if self.pressure < self.LOW and self.state != "loaded":
            self.starts += self.state == "stopped"
            self.state = "loaded"
        elif self.pressure > self.HIGH and self.state == "loaded":
            self.state, self._unloaded = "unloaded", 0
        elif self.state == "unloaded":
            self._unloaded += 1
            if self._unloaded >= self._RUN_ON:
                self.state = "stopped"
        match self.state:
            case "loaded":
                self.power = round(35_000 + 2_200 * (self.pressure - 7)) + self._random.randint(-200, 200)
                self.loaded_s += 1
            case "unloaded":
                self.power = 12_400 + self._random.randint(-150, 150)
            case "stopped":
                self.power = 180
        self.running_s += self.state != "stopped"
        warm = {"loaded": 84.0, "unloaded": 68.0, "stopped": hall}[self.state]
        self.outlet += (warm - self.outlet) / 240
