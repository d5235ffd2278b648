"""One Modbus value read in every way a manual may have meant it: type, byte order, the address one beside."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from config.checks.registers import ADDRESSES, NAMED_ORDERS
from config.connections import ModbusDevice, ModbusTag
from config.connections.modbus_tcp import WireType
from config.plant import Plant
from config.problems import Language
from gateway.console import say
from gateway.probe import Reading

_TYPES: Final[dict[int, tuple[WireType, ...]]] = {
    1: ("uint16", "int16", "float16", "bcd"),
    2: ("float32", "uint32", "int32", "bcd"),
    4: ("float64", "uint64", "int64", "bcd"),
}
"""By width in registers."""

AS_WRITTEN: Final = "*"
"""The way the plant file has it."""


class NoWays(Exception):
    """The plant file has no such value, or none that can be read in more than one way."""


def in_every_way(plant: Plant, wanted: str) -> Plant:
    """Return a plant with one device, whose tags are the ways to read ``device/tag``; raises NoWays."""
    for source_name, source in plant.sources.items():
        for device_name, device in source.devices.items():
            if not isinstance(device, ModbusDevice):
                continue
            for tag_name, tag in device.tags.items():
                if wanted == f"{device_name}/{tag_name}" and not tag.is_bits and tag.registers in _TYPES:
                    only = device.model_copy(update={"tags": _ways(tag)})
                    alone = source.model_copy(update={"devices": {device_name: only}})
                    return plant.model_copy(update={"sources": {source_name: alone}})
    raise NoWays(wanted)


def sensible(plant: Plant, readings: Sequence[Reading], language: Language) -> list[Reading]:
    """Return what was read of such a plant, in the order of the ways, without those that give no value."""
    (source,) = plant.sources.values()
    (device,) = source.devices.values()
    place = {name: i for i, name in enumerate(device.tags)}
    shown = [each for each in readings if each.is_good or each.tag == AS_WRITTEN]
    written = say(language, "probe.as_written")
    return [
        replace(each, tag=written) if each.tag == AS_WRITTEN else each
        for each in sorted(shown, key=lambda each: place[each.tag])
    ]


def _ways(tag: ModbusTag) -> dict[str, ModbusTag]:
    """Return each way by what to write in the plant file for it; first as it is written."""
    plain = tag.model_copy(update={"count": 1, "counter": False, "bit": None, "scan": None})
    found = {AS_WRITTEN: plain}
    for way in _TYPES[tag.registers]:
        length = tag.registers if way == "bcd" else None
        for order in NAMED_ORDERS if tag.registers > 1 else ("AB", "BA"):
            update = {"type": way, "order": order, "length": length, "byte": None, "not_available": None}
            found[f"type: {way}, order: {order}"] = plain.model_copy(update=update)
    for address in (tag.address - 1, tag.address + 1):
        if 0 <= address < ADDRESSES - tag.registers:
            found[f"address: {address}"] = plain.model_copy(update={"address": address})
    return found
