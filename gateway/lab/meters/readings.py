"""What a simulated meter has to say of each of its numbers: plausible values in digits, as on the wire."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.lab.meters.line import Held
from gateway.lab.plausible import value

_BEHIND: Final = b"\x01"
"""Fills what follows a number in its data: the time of a maximum demand."""
_NUMBER_188: Final = 4
_CLOCK_AND_STATUS: Final = bytes.fromhex("31012211051520") + bytes.fromhex("2184")
"""As a published frame of a water meter ends: 2015-05-11 22:01:31, and its status."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One number of a meter."""

    name: str
    identifier: str
    digits: int
    decimals: int
    octets: int
    """Of its data (DL/T 645)."""
    scale: float = 1.0
    offset: float = 0.0
    unit: str | None = None
    is_counter: bool = False
    signed: bool = False
    place: int = 1
    """Which number of the reply (CJ/T 188)."""
    unit_code: int = 0
    """The byte behind it (CJ/T 188)."""

    def bcd(self, what: float) -> bytes:
        """Return a value in digits, the lowest first; a counter goes round, anything else is cut off."""
        shown = round((what - self.offset) / self.scale * 10**self.decimals)
        size = (self.digits + 1) // 2
        most = 10**self.digits
        number = abs(shown) % most if self.is_counter else min(abs(shown), most - 1)
        data = bytearray.fromhex(f"{number:0{2 * size}d}")[::-1]
        if self.signed and shown < 0:
            data[-1] |= 0x80
        return bytes(data)


def electricity(
    readings: Iterable[Reading], number: int, clock: Callable[[], float] = time.monotonic
) -> dict[str, Held]:
    """Return the data of a DL/T 645 meter by identifier; `number` tells meters apart."""
    began = clock()

    def made(reading: Reading) -> Callable[[], bytes]:
        return lambda: reading.bcd(value(reading, 0, number, clock() - began)).ljust(reading.octets, _BEHIND)

    return {reading.identifier: made(reading) for reading in readings}


def consumption(
    readings: Iterable[Reading], number: int, clock: Callable[[], float] = time.monotonic
) -> dict[str, Held]:
    """Return the data of a CJ/T 188 meter by identifier: its numbers by place, then clock and status."""
    began = clock()
    places: dict[str, dict[int, Reading]] = {}
    for reading in readings:
        places.setdefault(reading.identifier, {})[reading.place] = reading

    def made(numbers: Mapping[int, Reading]) -> Callable[[], bytes]:
        def data() -> bytes:
            said = b""
            for place in range(1, max(2, *numbers) + 1):
                # A place nobody reads shows what the nearest one does.
                reading = numbers.get(place) or next(iter(numbers.values()))
                said += reading.bcd(value(reading, 0, number, clock() - began))[:_NUMBER_188]
                said += bytes((reading.unit_code,))
            return said + _CLOCK_AND_STATUS

        return data

    return {identifier: made(numbers) for identifier, numbers in places.items()}
