"""The whole plant: time in, state out. Pure: the same seed and start are the same plant in every process.

    sun, weather ──▶ press ─blanks─▶ assembly ──▶ oven
                       └──── air ──────┴──▶ compressor        grid = all of them + building - solar

It goes in steps of a second of its own time. Within a step every power is constant.
"""

import random
from dataclasses import dataclass
from typing import Final

from edge_deploy.plant import shifts
from edge_deploy.plant.building import ROOMS, Offices, Room, Services, Weather
from edge_deploy.plant.clock import SECOND, local_second
from edge_deploy.plant.machines import Assembly, Compressor, Oven, Press, Stock
from edge_deploy.plant.metering import KWH, Energy, Meter, Phases, Reading, over_phases
from edge_deploy.plant.sun import Solar

WARM_UP: Final = 3600 * SECOND
"""What passes before the start, so that nothing is cold or empty then."""

LOADS: Final = ("press", "assembly", "oven", "compressor", "offices", "services")
METERS: Final = ("grid", *LOADS, "solar")
COUNTED: Final = (
    *(f"{name}.{way}" for name in METERS for way in ("import", "export")), "press.good", "assembly.good",
    "press.order",
)  # fmt: skip
"""Running totals in W·ns, pieces, and the number of the order."""
_TANGENT: Final = {"press": 0.62, "assembly": 0.48, "oven": 0.04, "compressor": 0.52, "offices": 0.30,
                   "services": 0.55, "solar": 0.0}  # fmt: skip
"""Reactive power per active power: motors much, heaters none."""
_INSTALLED: Final = {"grid": 812_345, "press": 241_877, "assembly": 76_120, "oven": 143_902,
                     "compressor": 188_415, "offices": 61_270, "services": 97_733}  # fmt: skip
"""kWh on the meters when this began."""


def _installed(name: str) -> Energy:
    total = _INSTALLED.get(name, 0) * KWH
    third = total // 3
    sold = {"grid": 20_411, "solar": 301_556}.get(name, 0) * KWH
    quarter = total // 4
    return Energy(
        imported=total,
        exported=sold,
        reactive_in=total // 2,
        imported_phase=(third, third, total - 2 * third),
        exported_phase=(sold // 3, sold // 3, sold - 2 * (sold // 3)),
        imported_tariff=(quarter, quarter, quarter, total - 3 * quarter),
    )


@dataclass(frozen=True, slots=True)
class State:
    """The plant at a moment, for a server to show."""

    time: int
    """Plant time, ns since 1970."""
    press_state: str
    press_force: float
    press_oil: float
    press_good: int
    press_reject: int
    press_order: str
    blanks: int
    assembly_state: str
    assembly_good: int
    assembly_reject: int
    oven_state: str
    oven_temperature: float
    oven_setpoint: float
    oven_output: float
    air_state: str
    air_pressure: float
    air_outlet: float
    air_flow: float
    air_litres: int
    air_loaded_s: int
    air_running_s: int
    air_starts: int
    irradiance: float
    climate: dict[str, tuple[float, float]]
    """Temperature in °C and relative humidity in % by room."""
    meters: dict[str, Reading]


class Plant:
    """The plant from its start on; `at` goes forward only."""

    def __init__(self, seed: int, start: int) -> None:
        """Start is plant time in ns since 1970."""
        start = start // SECOND * SECOND
        self._time = self._step_began = start - WARM_UP
        self._random = random.Random(f"{seed}/grid")
        self._stock = Stock()
        self._press = Press(f"{seed}/press")
        self._assembly = Assembly(f"{seed}/assembly")
        self._oven = Oven()
        self._compressor = Compressor(f"{seed}/compressor")
        self._offices = Offices(f"{seed}/offices")
        self._services = Services(f"{seed}/services")
        self._solar = Solar(f"{seed}/solar")
        self._weather = Weather(f"{seed}/weather")
        self._rooms = [Room(name, f"{seed}/{name}") for name in ROOMS]
        self._meters = {name: Meter(_installed(name)) for name in METERS}
        self._u = (230.0, 230.0, 230.0)
        self._f = 50.0
        self._step()
        self.at(start)

    def at(self, time: int) -> State:
        """Return the state at this time of the plant; a time gone by gives the newest state there is."""
        self._go_to(time)
        return self._state()

    def counts(self) -> tuple[int, ...]:
        """Return what `COUNTED` names, now."""
        meters = (total for name in METERS for total in self._meters[name].totals())
        return (*meters, self._press.good, self._assembly.good, self._press.order)

    def powers(self) -> tuple[int, ...]:
        """Return what each of `METERS` draws in this second, W."""
        used = [getattr(self, f"_{name}").power for name in LOADS]
        return (sum(used) - self._solar.power, *used, -self._solar.power)

    def pass_second(self) -> tuple[int, int, int]:
        """Let a second pass of which only `powers` is asked; return the press's and assembly's counts.

        Meters and the air of the further rooms stand still meanwhile, which halves the cost of a second. For
        a plant nobody reads.
        """
        self._step_began = self._time = self._step_began + SECOND
        self._step(measures=False)
        return self._press.good, self._assembly.good, self._press.order

    def _go_to(self, time: int) -> None:
        while time >= self._step_began + SECOND:
            self._pass_until(self._step_began + SECOND)
            self._step_began = self._time
            self._step()
        self._pass_until(time)

    def _pass_until(self, time: int) -> None:
        if time > self._time:
            for meter in self._meters.values():
                meter.passes(time - self._time)
            self._time = time

    def _step(self, *, measures: bool = True) -> None:
        second = local_second(self._time)
        works = not shifts.is_meal(second)
        hall = self._rooms[0].temperature
        self._weather.step(self._time, second)
        self._press.step(self._stock, hall, works=works)
        self._assembly.step(self._stock, works=works)
        runs = self._assembly.state == "running"
        self._oven.step(hall, works=works, loaded=runs)
        air = (1.7 if self._press.state == "running" else 0.1) + (2.3 if runs else 0.1)
        self._compressor.step(air, hall)
        self._offices.step(second)
        self._solar.step(self._time, self._weather.outside)
        self._services.step(second, is_dark=self._solar.irradiance < 10)
        heat = (self._press.power // 2, self._assembly.power, self._offices.power)
        # The air of the other rooms changes nothing elsewhere: who only counts energy can leave it.
        for room, watts in zip(self._rooms if measures else self._rooms[:1], heat, strict=measures):
            room.step(self._weather, watts)
        if measures:
            self._measure(shifts.tariff(second))

    def _measure(self, tariff: int) -> None:
        grid_p, grid_q = [0, 0, 0], [0, 0, 0]
        for name in (*LOADS, "solar"):
            power = -self._solar.power if name == "solar" else getattr(self, f"_{name}").power
            p = over_phases(power)
            q = over_phases(round(power * _TANGENT[name]))
            self._meters[name].shows(p, q, tariff)
            for phase in range(3):
                grid_p[phase] += p[phase]
                grid_q[phase] += q[phase]
        self._meters["grid"].shows(_phases(grid_p), _phases(grid_q), tariff)
        draw = self._random.random
        # The cable to the transformer: a volt less for every 12 kW on a phase.
        a, b, c = (233.0 - p / 12_000 + 0.3 * (draw() - 0.5) for p in grid_p)
        self._u = (a, b, c)
        self._f += (50 - self._f) / 60 + 0.004 * (draw() - 0.5)

    def _state(self) -> State:
        press, assembly, oven, air = self._press, self._assembly, self._oven, self._compressor
        return State(
            time=self._time,
            press_state=press.state,
            press_force=press.force,
            press_oil=press.oil,
            press_good=press.good,
            press_reject=press.reject,
            press_order=f"A-{press.order}",
            blanks=self._stock.blanks,
            assembly_state=assembly.state,
            assembly_good=assembly.good,
            assembly_reject=assembly.reject,
            oven_state=oven.state,
            oven_temperature=oven.temperature,
            oven_setpoint=oven.setpoint,
            oven_output=oven.output,
            air_state=air.state,
            air_pressure=air.pressure,
            air_outlet=air.outlet,
            air_flow=air.flow,
            air_litres=air.volume_litres,
            air_loaded_s=air.loaded_s,
            air_running_s=air.running_s,
            air_starts=air.starts,
            irradiance=self._solar.irradiance,
            climate={room.name: (room.temperature, room.humidity) for room in self._rooms},
            meters={
                name: Reading(meter.p, meter.q, self._u, self._f, meter.energy())
                for name, meter in self._meters.items()
            },
        )


def _phases(values: list[int]) -> Phases:
    a, b, c = values
    return a, b, c
