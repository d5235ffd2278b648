"""Modbus connections: who is asked, by which unit id, and how much at a time."""

from collections.abc import Iterator

from config.base import format_duration
from config.connections import ModbusDevice, ModbusTcpSource
from config.plant import Plant
from config.problems import Problem
from config.reading.document import Document, Path
from config.tags import SHORTEST_ACCOUNTING_INTERVAL_NS


def check_modbus(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield connections made twice, unit ids used twice, values too wide and devices without tags."""
    connections: dict[tuple[str, int], str] = {}
    for name, source in plant.sources.items():
        if not isinstance(source, ModbusTcpSource):
            continue
        path = ("sources", name)
        first = connections.setdefault((source.host.lower(), source.port), name)
        if first != name:
            yield document.problem(
                "E-CF-0514", (*path, "host"), host=source.host, port=source.port, first=first
            )
        yield from _unit_ids(source, document, path)
        for device_name, device in source.devices.items():
            yield from _device(device, document, (*path, "devices", device_name))


def _unit_ids(source: ModbusTcpSource, document: Document, path: Path) -> Iterator[Problem]:
    users: dict[int, str] = {}
    for name, device in source.devices.items():
        first = users.setdefault(device.unit_id, name)
        if first != name:
            at = (*path, "devices", name)
            yield document.problem(
                "E-CF-0501", (*at, "unit_id"), unit_id=device.unit_id, name=name, first=first
            )


def _device(device: ModbusDevice, document: Document, path: Path) -> Iterator[Problem]:
    if not device.tags and not document.value((*path, "tags")):
        yield document.problem("E-CF-0515", path, at_key=True)
    for name, tag in device.tags.items():
        at = (*path, "tags", name)
        if not tag.is_bits and tag.registers > device.max_registers:
            yield document.problem(
                "E-CF-0503", at, at_key=True, name=name, registers=tag.registers, most=device.max_registers
            )
        if tag.counter and device.scan > SHORTEST_ACCOUNTING_INTERVAL_NS:
            most = format_duration(SHORTEST_ACCOUNTING_INTERVAL_NS)
            yield document.problem("E-CF-0609", (*path, "scan"), name=name, most=most)
