"""What each Modbus device of the plant has in which register: the maps of real meters, filled from a reading.

From the makers' maps, not from the gateway's templates; energies are cut to the meter's resolution, as a
meter counts, and then take the width the register has.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from edge_deploy.plant.metering import KWH, Reading
from edge_deploy.plant.model import State

Words = dict[int, bytes]
"""Big-endian bytes by the register they begin at."""


def counted(energy: int, resolution_wh: int) -> int:
    """Return how many whole units of the meter's resolution have passed."""
    return energy * 1000 // (KWH * resolution_wh)


def _kwh(energy: int) -> float:
    return counted(energy, 10) / 100


def _floats(first: int, values: Iterable[float]) -> Words:
    return {first + 2 * place: struct.pack(">f", value) for place, value in enumerate(values)}


def _sdm630(m: Reading) -> Words:
    """Eastron SDM630: input registers, float32, W and kWh."""
    e = m.energy
    whole = [_kwh(e.imported), _kwh(e.exported), _kwh(e.reactive_in), _kwh(e.reactive_out)]
    line = [(a * a + b * b + a * b) ** 0.5 for a, b in zip(m.u, (*m.u[1:], m.u[0]), strict=True)]
    return (
        _floats(0, (*m.u, *m.i, *m.p, *m.s, *m.q, *m.pf))
        | _floats(42, (sum(m.u) / 3,))
        | _floats(46, (sum(m.i) / 3, sum(m.i)))
        | _floats(52, (m.power,))
        | _floats(56, (m.apparent,))
        | _floats(60, (m.reactive, m.power_factor))
        | _floats(70, (m.f, *whole))
        | _floats(200, line)
        | _floats(234, (1.7, 1.9, 1.8))
        | _floats(342, (_kwh(e.imported + e.exported), _kwh(e.reactive_in + e.reactive_out)))
        | _floats(346, (*map(_kwh, e.imported_phase), *map(_kwh, e.exported_phase)))
    )


def _adl400(m: Reading) -> Words:
    """Acrel ADL400: holding registers from 0x0800, float32 in kW, energies as 0.1 kWh; primary values."""
    e = m.energy
    table = [e.imported + e.exported, *e.imported_tariff, e.imported, *e.imported_tariff, e.exported]
    energies = {
        0x0842 + 2 * place: struct.pack(">I", counted(each, 100)) for place, each in enumerate(table)
    } | {0x0858 + 2 * place: bytes(4) for place in range(4)}
    return (
        _floats(0x0800, m.u)
        | _floats(0x080C, m.i)
        | _floats(0x0814, (*(p / 1000 for p in m.p), m.power / 1000))
        | _floats(0x081C, (*(q / 1000 for q in m.q), m.reactive / 1000))
        | _floats(0x0824, (*(s / 1000 for s in m.s), m.apparent / 1000))
        | _floats(0x082C, (*m.pf, m.power_factor, m.f))
        | energies
        | {141: struct.pack(">H", 1), 142: struct.pack(">H", 1)}
    )


def _dtsu666(m: Reading, ct: int) -> Words:
    """Chint DTSU666: holding registers, float32 of secondary values; 0.1 V, mA, 0.1 W, kWh of 10 Wh."""
    e = m.energy

    def kwh(energy: int) -> float:
        return counted(energy, 10 * ct) / 100

    def power(values: Iterable[float]) -> list[float]:
        return [value / ct * 10 for value in values]

    return (
        _floats(0x101E, (kwh(e.imported), *map(kwh, e.imported_phase)))
        | _floats(0x1028, (kwh(e.exported), *map(kwh, e.exported_phase)))
        | _floats(0x2006, (u * 10 for u in m.u))
        | _floats(0x200C, (i / ct * 1000 for i in m.i))
        | _floats(0x2012, power((m.power, *m.p)))
        | _floats(0x201A, power((m.reactive, *m.q)))
        | _floats(0x202A, (pf * 1000 for pf in (m.power_factor, *m.pf)))
        | _floats(0x2044, (m.f * 100,))
    )


def _swapped(value: int, form: str = ">I") -> bytes:
    high_first = struct.pack(form, value)
    return high_first[2:] + high_first[:2]


def _sungrow(solar: Reading, grid: Reading) -> Words:
    """Sungrow SG: input registers, 32 bits low word first; whole kWh, W, and the meter at the grid."""
    return {
        5003: _swapped(counted(solar.energy.exported, 1000)),
        5030: _swapped(-solar.power),
        5082: _swapped(grid.power, ">i"),
        5098: _swapped(counted(grid.energy.imported, 100)),
    }


def _compressor(state: State) -> Words:
    """Hold what the screw compressor's controller shows: a map of its own, holding registers."""
    number = ("stopped", "unloaded", "loaded").index(state.air_state)
    return {
        0: struct.pack(
            ">HHhHIIH",
            number,
            round(state.air_pressure * 100),
            round(state.air_outlet * 10),
            round(state.air_flow * 100),
            state.air_running_s // 360,
            state.air_loaded_s // 360,
            state.air_starts,
        )
    }


@dataclass(frozen=True, slots=True)
class Device:
    """One unit id: where its registers lie and what is in them."""

    unit: int
    function: int
    """3 holding, 4 input registers."""
    first: int
    count: int
    words: Callable[[State], Words]

    def image(self, state: State) -> list[int]:
        """Return every register; those without a meaning are 0."""
        octets = bytearray(2 * self.count)
        for address, written in self.words(state).items():
            at = 2 * (address - self.first)
            octets[at : at + len(written)] = written
        return list(struct.unpack(f">{self.count}H", octets))


COMPRESSOR_CT: Final = 20
BEHIND_TCP: Final = (
    Device(1, 4, 0, 400, lambda s: _sdm630(s.meters["grid"])),
    Device(2, 3, 0, 0x0880, lambda s: _adl400(s.meters["press"])),
    Device(3, 3, 0, 0x0880, lambda s: _adl400(s.meters["assembly"])),
    Device(4, 4, 0, 400, lambda s: _sdm630(s.meters["services"])),
    Device(10, 4, 4900, 300, lambda s: _sungrow(s.meters["solar"], s.meters["grid"])),
    Device(20, 3, 0, 16, _compressor),
)
ON_THE_LINE: Final = (
    Device(1, 3, 0x1000, 0x1100, lambda s: _dtsu666(s.meters["compressor"], COMPRESSOR_CT)),
    Device(2, 4, 0, 400, lambda s: _sdm630(s.meters["oven"])),
    Device(3, 4, 0, 400, lambda s: _sdm630(s.meters["offices"])),
)
