"""From a meter's options to its requests, and from a reply's bytes to numbers."""

from collections.abc import Callable
from functools import partial
from typing import Final

from config.connections import Dlt645Device, Dlt645Source
from config.connections.dlt645 import Dlt645Tag
from config.dlt645_identifiers import identifiers
from connectors.describe import read_as
from connectors.dlt645.frame import ANYONE, DATA, NO_SUCH_DATA, REFUSED, Frames
from connectors.line.bcd import address, number
from connectors.line.meter import Meter, MeterPoll, Wanted

_IDENTIFIER: Final = 4


def asks_anyone(options: Dlt645Source) -> bool:
    """Tell whether a meter is asked without its address."""
    return any(device.address == "any" for device in options.devices.values())


def frames_of(options: Dlt645Source) -> Frames:
    """Return the line's framing."""
    anyone = asks_anyone(options)
    return Frames(options.wake, anyone=anyone)


def meter(name: str, options: Dlt645Device) -> Meter:
    """Return the meter, a request for each of its tags."""
    unit = ANYONE if options.address == "any" else address(options.address)
    asked = [address(tag.di) for tag in options.tags.values()]
    widths = [_bytes(tag) for tag in options.tags.values()]
    poll = MeterPoll(
        unit,
        tuple(unit + di for di in asked),
        tuple(
            unit + bytes((DATA, _IDENTIFIER + width)) + di for di, width in zip(asked, widths, strict=True)
        ),
        tuple(len(unit) + 2 + _IDENTIFIER + width for width in widths),
        tuple(unit + bytes((REFUSED, 1)) for _ in asked),
        tuple(bytes(width) for width in widths),
        NO_SUCH_DATA,
    )
    values = [
        Wanted(
            tag_name,
            tag,
            slot,
            _reader(tag),
            read_as(options.address, tag.di.upper(), tag.format, tag.signed),
        )
        for slot, (tag_name, tag) in enumerate(options.tags.items())
    ]
    return Meter(name, options, poll, values)


def _reader(tag: Dlt645Tag) -> Callable[[bytes], float | None]:
    before, _, behind = (tag.format or "").partition(".")
    return partial(_number, (len(before) + len(behind)) // 2, len(behind), signed=tag.signed)


def _number(width: int, decimals: int, data: bytes, *, signed: bool) -> float | None:
    return number(data[:width], decimals, signed=signed)


def _bytes(tag: Dlt645Tag) -> int:
    known = identifiers().get(tag.di.upper())
    return known.bytes if known is not None else (tag.format or "").count("X") // 2
