"""A device with plausible values in the registers a template or a plant file gives it.

Voltages, currents and frequency wander a little, power follows them, counters only rise; what has no unit the
lab knows stays at one value. All of it depends on the unit id and the lab's clock alone, so two readers see
the same. The registers are written by code of the lab's own: what reads them must agree with it.
"""

import math
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.lab.plausible import STEP_S, value

FUNCTION: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_FORM: Final = {
    "int8": ">b", "uint8": ">B", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I",
    "int64": ">q", "uint64": ">Q", "float16": ">e", "float32": ">f", "float64": ">d", "bool": ">H",
}  # fmt: skip
_LARGEST_HALF: Final = 65504.0


@dataclass(frozen=True, slots=True)
class Point:
    """Where one value lies and how it is written."""

    name: str
    table: str
    address: int
    type: str
    order: str = "ABCD"
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    length: int | None = None
    bit: int | None = None
    byte: str | None = None
    count: int = 1
    is_counter: bool = False


def octets(point: Point, what: float) -> bytes:
    """Return a value as it lies in the registers, in the device's order; what does not fit is cut off."""
    raw = (what - point.offset) / point.scale
    if point.type == "string":
        return point.name.encode("ascii", "replace")[: 2 * (point.length or 1)].ljust(
            2 * (point.length or 1), b"\0"
        )
    if point.type == "bcd":
        digits = 4 * (point.length or 1)
        return bytes.fromhex(str(min(round(abs(raw)), 10**digits - 1)).rjust(digits, "0"))
    if point.type == "bool":
        return (1 << (point.bit or 0)).to_bytes(2, "big")
    form = _FORM[point.type]
    if form == ">e":
        big = struct.pack(form, min(max(raw, -_LARGEST_HALF), _LARGEST_HALF))
    elif form in (">f", ">d"):
        big = struct.pack(form, raw)
    else:
        size = struct.calcsize(form)
        low, high = (
            (-(1 << 8 * size - 1), (1 << 8 * size - 1) - 1) if form[1].islower() else (0, (1 << 8 * size) - 1)
        )
        big = struct.pack(form, min(max(round(raw), low), high))
    if point.byte is not None:
        big = big.rjust(2, b"\0") if point.byte == "low" else big.ljust(2, b"\0")
    return ordered(big, point.order)


def ordered(big: bytes, order: str) -> bytes:
    """Return big-endian bytes in a device's order: four letters for any width, or a letter per byte."""
    if len(order) == len(big) and order not in ("ABCD", "CDAB", "BADC", "DCBA"):
        return bytes(big[ord(letter) - ord("A")] for letter in order)
    words = [big[i : i + 2] for i in range(0, len(big), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    return b"".join(word[::-1] if order in ("BADC", "DCBA") else word for word in words)


class Meter:
    """The memory of simulated devices: a map per unit id."""

    def __init__(
        self, units: Mapping[int, Iterable[Point]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._units = {unit: tuple(points) for unit, points in units.items()}
        self._clock = clock
        self._began = clock()
        self._made: dict[tuple[int, int], dict[int, bytes]] = {}

    @property
    def units(self) -> tuple[int, ...]:
        """Unit ids there are."""
        return tuple(self._units)

    def __call__(self, unit: int, function: int, address: int, count: int) -> bytes:
        """Return the data of a reply; registers nothing is said of are 0."""
        words = self._words(unit, math.floor((self._clock() - self._began) / STEP_S))
        asked = [words.get((function << 16) + address + i, b"\0\0") for i in range(count)]
        if function in (1, 2):
            packed = bytearray((count + 7) // 8)
            for i, word in enumerate(asked):
                packed[i // 8] |= (word != b"\0\0") << i % 8
            return bytes(packed)
        return b"".join(asked)

    def _words(self, unit: int, step: int) -> dict[int, bytes]:
        """Return the words of a unit in a step, by function and address; made once, the last few are kept."""
        if (unit, step) not in self._made:
            made: dict[int, bytes] = {}
            for point in self._units.get(unit, ()):
                at = (FUNCTION[point.table] << 16) + point.address
                for place in range(point.count):
                    lying = octets(point, value(point, place, unit, step * STEP_S))
                    for i in range(0, len(lying), 2):
                        # Bits and halves of one register are set together.
                        is_part = point.type == "bool" or point.byte is not None
                        before = made.get(at, b"\0\0") if is_part else b"\0\0"
                        made[at] = bytes(a | b for a, b in zip(lying[i : i + 2], before, strict=True))
                        at += 1
            while len(self._made) > 2 * len(self._units):
                del self._made[next(iter(self._made))]
            self._made[unit, step] = made
        return self._made[unit, step]
