"""Paths: every device and every tag has one of its own, and keeps away from the names we publish under."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import TypeAdapter, ValidationError

from config.base import Name
from config.connections import (
    Cjt188Device,
    Cjt188Tag,
    Dlt645Device,
    Dlt645Tag,
    ModbusDevice,
    ModbusTag,
    OpcUaDevice,
    OpcUaTag,
    SimulatedDevice,
    SimulatedTag,
)
from config.derived import DerivedDevice, DerivedTag
from config.plant import Plant
from config.problems import Problem, quote
from config.reading.document import Document, Path

AnyDevice = Cjt188Device | Dlt645Device | ModbusDevice | OpcUaDevice | SimulatedDevice | DerivedDevice
Tags = Mapping[str, Cjt188Tag | Dlt645Tag | ModbusTag | OpcUaTag | SimulatedTag | DerivedTag]

LEVELS: Final = 5
"""site/area/line/device/tag"""

_NAME: Final = TypeAdapter[str](Name)
_ELEMENT: Final = re.compile(r"(.+)_(0|[1-9][0-9]{0,8})")


def check_paths(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield levels that can't be used, devices and tags whose paths meet, and renamings that can't be."""
    yield from _reserved(document, ("gateway", "site"), plant.gateway.site)
    devices: dict[str, tuple[Path, Tags]] = {}
    for path, device in _devices(plant):
        name = str(path[-1])
        tags: Tags = device.tags
        yield from _reserved(document, path, name)
        yield from _levels(document, (*path, "at"), device.at)
        full = f"{plant.gateway.site}/{device.at}/{name}"
        if full in devices:
            first, _ = devices[full]
            yield document.problem("E-CF-0404", path, at_key=True, path=full, first=first[1])
        devices.setdefault(full, (path, tags))
    seen: set[int] = set()
    for path, tags in devices.values():
        # Devices of one range or template share their tags: one look is enough.
        if id(tags) not in seen:
            seen.add(id(tags))
            yield from _names(document, path, tags)
    yield from _renamings(document, devices)
    yield from _renamed_devices(plant, document, set(devices))


def _devices(plant: Plant) -> Iterator[tuple[Path, AnyDevice]]:
    for source_name, source in plant.sources.items():
        for name, device in source.devices.items():
            yield ("sources", source_name, "devices", name), device
    for name, place in plant.derived.items():
        yield ("derived", name), place


def _reserved(document: Document, path: Path, name: str) -> Iterator[Problem]:
    if name.startswith("_"):
        is_key = path[-1] == name
        yield document.problem("E-CF-0401", path, at_key=is_key, name=quote(name))


def _levels(document: Document, path: Path, at: str) -> Iterator[Problem]:
    levels = at.split("/")
    if len(levels) != 2 or not all(_is_name(level) for level in levels):
        yield document.problem("E-CF-0402", path, at=quote(at))
    elif any(level.startswith("_") for level in levels):
        yield document.problem("E-CF-0401", path, name=quote(at))


def _is_name(text: str) -> bool:
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True


def _names(document: Document, path: Path, tags: Tags) -> Iterator[Problem]:
    for name in tags:
        tag_path = (*path, "tags", name)
        yield from _reserved(document, tag_path, name)
        array = _array_with(tags, name)
        if array is not None and tags[name].count == 1:
            yield document.problem("E-CF-0403", tag_path, at_key=True, name=name, array=array)


def has_tag(tags: Tags, name: str) -> bool:
    """Tell whether a device has this tag, alone or as a value of an array."""
    return (name in tags and tags[name].count == 1) or _array_with(tags, name) is not None


def _array_with(tags: Tags, name: str) -> str | None:
    """Return the array one of whose values has this name."""
    match = _ELEMENT.fullmatch(name)
    array = tags.get(match[1]) if match else None
    return match[1] if match and array is not None and array.count > max(1, int(match[2])) else None


def _renamings(document: Document, devices: Mapping[str, tuple[Path, Tags]]) -> Iterator[Problem]:
    claimed: dict[str, str] = {}
    told: set[tuple[int, str]] = set()
    for full, (path, tags) in devices.items():
        for name, tag in tags.items():
            if tag.was is None or (id(tags), name) in told:
                continue
            at = (*path, "tags", name, "was")
            device, _, old = tag.was.rpartition("/")
            if tag.was.count("/") != LEVELS - 1 or not all(_is_name(level) for level in tag.was.split("/")):
                yield document.problem("E-CF-0406", at, was=quote(tag.was))
            elif tag.count > 1:
                yield document.problem("E-CF-0408", at, name=name)
            elif device in devices and has_tag(devices[device][1], old):
                yield document.problem("E-CF-0405", at, was=tag.was)
            elif tag.was in claimed:
                yield document.problem("E-CF-0407", at, was=tag.was, first=claimed[tag.was])
                told.add((id(tags), name))  # the devices of a range share their tags
            claimed.setdefault(tag.was, f"{full}/{name}")


def _renamed_devices(plant: Plant, document: Document, paths: set[str]) -> Iterator[Problem]:
    claimed: dict[str, str] = {}
    for path, device in _devices(plant):
        was, full = device.was, f"{plant.gateway.site}/{device.at}/{path[-1]}"
        if was is None:
            continue
        at = (*path, "was")
        levels = was.split("/")
        if len(levels) != LEVELS - 1 or not all(_is_name(level) for level in levels):
            yield document.problem("E-CF-0409", at, was=quote(was))
        elif was in paths:
            yield document.problem("E-CF-0410", at, was=was)
        elif claimed.get(was, full) != full:
            yield document.problem("E-CF-0407", at, was=was, first=claimed[was])
        claimed.setdefault(was, full)
