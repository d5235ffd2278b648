"""From a meter's options to its requests, and from a reply's bytes to numbers."""

from functools import partial
from typing import Final

from config.connections import Cjt188Device, Cjt188Source
from config.connections.cjt188 import TYPES
from connectors.cjt188.frame import ANYONE, DATA, REFUSED, Frames
from connectors.describe import read_as
from connectors.line.bcd import address, number
from connectors.line.meter import Meter, MeterPoll, Wanted

_SERIAL: Final = b"\x00"
_DIGITS: Final = 4
_USUAL: Final = 19
"""Bytes of a water meter's present readings; others are longer and say so."""


def asks_anyone(options: Cjt188Source) -> bool:
    """Tell whether a meter is asked without its address."""
    return any(device.address == "any" for device in options.devices.values())


def frames_of(options: Cjt188Source) -> Frames:
    """Return the line's framing."""
    anyone = asks_anyone(options)
    return Frames(options.wake, anyone=anyone)


def meter(name: str, options: Cjt188Device) -> Meter:
    """Return the meter, a request for each data identifier."""
    unit = bytes((TYPES[options.type],))
    unit += ANYONE if options.address == "any" else address(options.address)
    wanted = list(dict.fromkeys(tag.di.upper() for tag in options.tags.values()))
    low_first = options.di_order == "low_first"
    asked = [(address(di) if low_first else bytes.fromhex(di)) + _SERIAL for di in wanted]
    correct = tuple(unit + bytes((DATA,)) + each for each in asked)
    poll = MeterPoll(
        unit,
        tuple(unit + each for each in asked),
        correct,
        tuple(len(each) + _USUAL for each in correct),
        tuple(unit + bytes((REFUSED,)) for _ in asked),
        tuple(b"" for _ in asked),
    )
    values = [
        Wanted(
            tag_name,
            tag,
            wanted.index(tag.di.upper()),
            partial(_read, (tag.place - 1) * (_DIGITS + 1), tag.decimals, tag.expected),
            read_as(
                *(options.address, options.type, options.di_order),
                *(tag.di.upper(), tag.place, tag.decimals, tag.expected),
            ),
        )
        for tag_name, tag in options.tags.items()
    ]
    return Meter(name, options, poll, values)


def _read(at: int, decimals: int, unit: int | None, data: bytes) -> float | None:
    """Return the number at this place; None where it is not there, in another unit, or none."""
    end = at + _DIGITS
    return number(data[at:end], decimals) if len(data) > end and data[end] == unit else None
