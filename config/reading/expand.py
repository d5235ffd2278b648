"""From what is written to what runs: ranges become devices, templates become tags.

``meter_{1..100}`` as a device's name stands for a hundred devices alike; ``{001..100}`` pads with zeros.
Their `unit_id`, or the address of a DL/T 645 or CJ/T 188 meter, counts up from the one written. A template's
tags come first, the device's own are added or take the place of those with the same name. A device's `ct`
and `pt` multiply its template's tags by what they measure. Everything is validated once, before; here it is
only copied.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from config.base import LONGEST_NAME
from config.checks.templates import check_confidence, check_ratios
from config.connections import (
    Cjt188Device,
    Dlt645Device,
    ModbusDevice,
    ModbusTag,
    OpenSource,
    SourceOptions,
)
from config.library import Library
from config.plant import Plant
from config.problems import Problem, found, quote
from config.reading import advice
from config.reading.document import MOST_MISTAKES, Document, Mapping, Path

MOST_DEVICES: Final = 1_000
"""In one range."""
MOST_IN_ALL: Final = 50_000
"""In all ranges of a plant."""
HIGHEST_UNIT_ID: Final = 255
_THROUGH_BOTH: Final = ("power", "reactive power", "apparent power", "energy", "reactive energy")
"""Quantities measured through current and voltage transformers."""

_RANGE: Final = re.compile(r"([^{}]*)\{([0-9]{1,9})\.\.([0-9]{1,9})\}([^{}]*)")

Ranges = dict[tuple[str, str], tuple[str, ...]]
"""By source and the first device's name: the names of all the range's devices."""


class Expanded(NamedTuple):
    """A plant whose devices are all spelled out."""

    plant: Plant
    problems: list[Problem]


def name_ranges(document: Document) -> tuple[Ranges, list[Problem]]:
    """Give each range of devices its first device's name, in place; return the names to copy it to."""
    ranges: Ranges = {}
    problems: list[Problem] = []
    left = MOST_IN_ALL
    for source, devices in _devices_of_sources(document):
        meant: set[str] = set()
        called: dict[str, str | None] = {}
        for key in [key for key in devices if looks_like_range(key)]:
            count = range_of(key)
            is_too_many = count > left
            names = _names(key) if 0 < count <= left else ()
            taken = [name for name in names if name in devices or name in meant]
            if names and not taken and len(names[-1]) <= LONGEST_NAME:
                called[key] = names[0]
                ranges[source, names[0]] = names
                meant.update(names)
                left -= len(names)
                continue
            path = ("sources", source, "devices", key)
            if not names or is_too_many:
                most = MOST_IN_ALL if is_too_many else MOST_DEVICES
                problems.append(no_range(document, path, most))
            elif taken:
                args = {"key": quote(key), "taken": taken[:3]}
                problems.append(document.problem_with("E-CF-0305", path, args, at_key=True))
            else:
                problems.append(document.problem("E-CF-0122", path, at_key=True, found=found(names[-1])))
            called[key] = _stand_in(devices, key, meant)
            meant.add(called[key] or "")
        _rename(devices, called)
    return ranges, problems


def expand(plant: Plant, document: Document, ranges: Ranges, library: Library) -> Expanded:
    """Return the plant with its templates' tags and all devices of its ranges."""
    problems: list[Problem] = []
    sources: dict[str, SourceOptions] = {}
    first_use: dict[str, tuple[str, ...]] = {}
    for name, source in plant.sources.items():
        devices: dict[str, Any] = {}
        for device_name, device in source.devices.items():
            if len(problems) >= MOST_MISTAKES:
                break  # nobody reads more
            path = ("sources", name, "devices", device_name)
            whole: Any = device
            if isinstance(device, ModbusDevice) and device.template is not None:
                first_use.setdefault(device.template, path)
                whole = _from_template(device, path, document, library, problems)
            elif isinstance(device, ModbusDevice):
                problems += check_ratios(device, None, document, path)
            if whole is None:
                continue
            names = ranges.get((name, device_name), (device_name,))
            devices |= _copies(whole, names, path, document, problems)
            _place_copies(document, path, names)
        if devices:
            sources[name] = source.model_copy(update={"devices": devices})
        elif isinstance(source, OpenSource):
            sources[name] = source  # its devices are met at run time
    for template, at in first_use.items():
        problems += check_confidence(library.read(template), template, document, at)
    return Expanded(plant.model_copy(update={"sources": sources}), problems)


def _devices_of_sources(document: Document) -> Iterator[tuple[str, Mapping]]:
    sources = document.root.get("sources")
    for name, source in sources.items() if isinstance(sources, Mapping) else ():
        devices = source.get("devices") if isinstance(source, Mapping) else None
        if isinstance(devices, Mapping):
            yield name, devices


def looks_like_range(key: str) -> bool:
    """Tell whether this is no name but means several."""
    return "{" in key or "}" in key


def no_range(document: Document, path: Path, most: int) -> Problem:
    """Return that a key is no range of devices, or one of too many."""
    return document.problem("E-CF-0304", path, at_key=True, key=quote(str(path[-1])), most=most)


def range_of(key: str) -> int:
    """Return how many names a range stands for, none when it isn't understood."""
    match = _RANGE.fullmatch(key)
    count = 0 if match is None else int(match[3]) - int(match[2]) + 1
    return count if 0 < count <= MOST_DEVICES else 0


def _names(key: str) -> tuple[str, ...]:
    """Return the names a range stands for, one of not too many."""
    match = _RANGE.fullmatch(key)
    if match is None:
        return ()
    before, first, last, behind = match.groups()
    width = len(first) if first.startswith("0") else 0
    return tuple(f"{before}{number:0{width}d}{behind}" for number in range(int(first), int(last) + 1))


def _rename(devices: Mapping, called: dict[str, str | None]) -> None:
    """Give entries other keys in the same order, or leave them out."""
    if not called:
        return
    entries = [(called.get(key, key), value, devices.places[key]) for key, value in devices.items()]
    devices.clear()
    devices.places.clear()
    for key, value, place in entries:
        if key is not None:
            devices[key] = value
            devices.places[key] = place


def _stand_in(devices: Mapping, key: str, meant: set[str]) -> str | None:
    """Return a name for a range that can't be spelled out, so that what it holds is checked all the same."""
    name = key.replace("{", "").replace("}", "")[:LONGEST_NAME]
    return None if not name or name in devices or name in meant else name


def _from_template(
    device: ModbusDevice,
    path: tuple[str, ...],
    document: Document,
    library: Library,
    problems: list[Problem],
) -> ModbusDevice | None:
    name = device.template or ""
    reading = library.read(name)
    if reading is None and not library.is_whole:
        return None
    if reading is None:
        names = advice.near(name, tuple(library.names()))
        problems.append(document.problem("E-CF-0301", (*path, "template"), name=quote(name), advice=names))
        return None
    problems.extend(reading.problems)
    template = reading.template
    if template is None:
        return None
    problems.extend(check_ratios(device, template, document, path))
    unset = {
        option: value for option, value in template.options().items() if option not in device.model_fields_set
    }
    tags = template.tags
    if (device.ct, device.pt) != (None, None):
        tags = {name: _on_primary(tag, device.ct or 1.0, device.pt or 1.0) for name, tag in tags.items()}
    return device.model_copy(update={**unset, "tags": {**tags, **device.tags} if device.tags else tags})


def _on_primary(tag: ModbusTag, ct: float, pt: float) -> ModbusTag:
    """Return the tag with its value multiplied by the transformers it is measured through."""
    factor = {"current": ct, "voltage": pt}.get(tag.unit.quantity)
    if factor is None:
        factor = ct * pt if tag.unit.quantity in _THROUGH_BOTH else 1.0
    return tag.model_copy(update={"scale": tag.scale * factor, "offset": tag.offset * factor})


def _copies(
    device: Any, names: tuple[str, ...], path: tuple[str, ...], document: Document, problems: list[Problem]
) -> dict[str, Any]:
    if len(names) > 1 and isinstance(device, Dlt645Device | Cjt188Device) and device.address.isdecimal():
        return _copies_of_meter(device, names, path, document, problems)
    if not isinstance(device, ModbusDevice) or len(names) == 1:
        return dict.fromkeys(names, device)
    last = device.unit_id + len(names) - 1
    if last > HIGHEST_UNIT_ID:
        problems.append(
            document.problem(
                "E-CF-0303", (*path, "unit_id"), count=len(names), first=device.unit_id, last=last
            )
        )
        return {names[0]: device}
    return {name: device.model_copy(update={"unit_id": device.unit_id + i}) for i, name in enumerate(names)}


def _copies_of_meter(
    device: Dlt645Device | Cjt188Device,
    names: tuple[str, ...],
    path: tuple[str, ...],
    document: Document,
    problems: list[Problem],
) -> dict[str, Any]:
    # The first four of a CJ/T 188 address are the maker's: counting up must not reach them.
    kept = 4 if isinstance(device, Cjt188Device) else 0
    first, maker, number = device.address, device.address[:kept], device.address[kept:]
    digits = len(number)
    addresses = [f"{maker}{int(number) + i:0{digits}d}" for i in range(len(names))]
    if len(addresses[-1]) > len(first):
        problems.append(
            document.problem("E-CF-1808", (*path, "address"), count=len(names), first=first, digits=digits)
        )
        return {names[0]: device}
    return {
        name: device.model_copy(update={"address": address})
        for name, address in zip(names, addresses, strict=True)
    }


def _place_copies(document: Document, path: tuple[str, ...], names: tuple[str, ...]) -> None:
    devices = document.value(path[:-1])
    for name in names[1:]:
        devices[name] = devices[path[-1]]
        devices.places[name] = devices.places[path[-1]]
