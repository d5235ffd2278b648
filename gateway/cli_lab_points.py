"""Which register holds what, for simulated devices: from a template or from the sources of a plant file."""

from collections.abc import Mapping
from typing import TypeVar

from config.connections.modbus_serial import ModbusSerialSource
from config.connections.modbus_tcp import ModbusTag, ModbusTcpSource
from config.library import Library
from config.plant import Plant
from config.problems import Language, quote
from config.reading.advice import near
from gateway.console import fail, say
from gateway.lab.modbus.meter import Point

Points = dict[int, tuple[Point, ...]]
"""By unit id."""
S = TypeVar("S")


def of_template(name: str, units: int, language: Language) -> Points:
    """Return unit ids 1 to `units`, all of this template; say why not, and end, when there is no such one."""
    library = Library()
    reading = library.read(name)
    if reading is None or reading.template is None:
        fail(say(language, "devices.none", name=quote(name), advice=near(name, tuple(library.names()))))
    return dict.fromkeys(range(1, units + 1), _points(reading.template.tags))


def of_plant(plant: Plant, source: str | None, language: Language) -> Points:
    """Return the devices of the plant's Modbus source, of the one named where there are several."""
    fitting = {
        name: each
        for name, each in plant.sources.items()
        if isinstance(each, ModbusTcpSource | ModbusSerialSource)
    }
    chosen = only_source(plant, source, fitting, "modbus", language)
    return {device.unit_id: _points(device.tags) for device in chosen.devices.values()}


def only_source(
    plant: Plant, source: str | None, fitting: Mapping[str, S], kind: str, language: Language
) -> S:
    """Return the one source that fits, or the one of this name; say why there is none, and end, else."""
    known = [each for name, each in fitting.items() if source in (None, name)]
    if len(known) != 1:
        there = ", ".join(f"{name} ({each.kind})" for name, each in plant.sources.items())
        fail(say(language, "lab.source", kind=kind, count=len(known), there=there))
    return known[0]


def _points(tags: Mapping[str, ModbusTag]) -> tuple[Point, ...]:
    return tuple(
        Point(
            name,
            tag.table,
            tag.address,
            tag.type,
            tag.order,
            tag.scale,
            tag.offset,
            tag.unit.symbol,
            tag.length,
            tag.bit,
            tag.byte,
            tag.count,
            tag.counter,
        )
        for name, tag in tags.items()
    )
