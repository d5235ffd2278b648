"""From what the plant file says of a tag to what a source announces."""

import math
import zlib
from collections.abc import Iterator
from typing import TypeVar

from config.tags import TagOptions
from config.units import Unit, all_units, conversion, find_unit
from connectors.tags import Kind, Tag

Options = TypeVar("Options", bound=TagOptions)


def device_path(site: str, at: str, device: str) -> str:
    """Return site/area/line/device."""
    return f"{site}/{at}/{device}"


def array_names(name: str, count: int) -> Iterator[str]:
    """Yield the names of an array's values: the name itself for one, name_0, name_1 … for more."""
    if count == 1:
        yield name
    else:
        yield from (f"{name}_{i}" for i in range(count))


def is_scaled(options: TagOptions) -> bool:
    """Tell whether the delivered value differs from the raw one; such a tag is a FLOAT64."""
    return (options.scale, options.offset) != (1.0, 0.0) or options.deliver_as not in (None, options.unit)


def told_in(options: Options, unit: Unit) -> Options:
    """Return a tag's options with the unit its sender names; what can't be converted stays in that unit."""
    more: dict[str, object] = {"unit": unit}
    if options.deliver_as is not None and options.deliver_as.quantity != unit.quantity:
        more["deliver_as"] = None
    return options.model_copy(update=more)


def unit_before(options: TagOptions, before: Tag) -> Unit | None:
    """Return the unit that was named when a tag became what it is: the one that leads there; None for none.

    The tag itself has the unit it is delivered in; that of its raw values is another where it is converted.
    """
    delivered = find_unit(before.unit)
    raw = [options.unit, *all_units()] if delivered == options.deliver_as else [delivered]
    for unit in raw:
        if unit is not None:
            asked = told_in(options, unit)
            scaled = _scaled(asked)
            if (scaled[0], scaled[1], scaled[2].code) == (before.scale, before.offset, before.unit):
                return unit
    return None


def read_as(*found: object) -> int:
    """Return a number that changes with how a raw value is found: its address, its node, its form."""
    return zlib.crc32(repr(found).encode()) or 1


def describe(source: str, path: str, kind: Kind, options: TagOptions, *, read_as: int = 0) -> Tag:
    """Return the tag to announce: unit conversion folded into scale and offset, deadband made absolute."""
    scale, offset, unit = _scaled(options)
    low = math.nan if options.limits.low is None else options.limits.low
    high = math.nan if options.limits.high is None else options.limits.high
    deadband = math.nan
    if options.deadband is not None and not options.counter:
        deadband = options.deadband.size
        if options.deadband.percent:
            deadband *= (high - low) / 100
    return Tag(
        path=path,
        kind=kind,
        unit=unit.code,
        source=source,
        scale=scale,
        offset=offset,
        low=low,
        high=high,
        deadband=deadband,
        heartbeat=options.heartbeat or 0,
        counter=options.counter,
        tag_class=options.class_ or "",
        was=options.was or "",
        read_as=read_as,
    )


def _scaled(options: TagOptions) -> tuple[float, float, Unit]:
    """Return scale, offset and unit of the delivered value, the unit change folded in."""
    if options.deliver_as is None:
        return options.scale, options.offset, options.unit
    factor, shift = conversion(options.unit, options.deliver_as)
    return options.scale * factor, options.offset * factor + shift, options.deliver_as
