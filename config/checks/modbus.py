"""Modbus connections: who is asked, by which unit id, and how much at a time."""

import os
import re
from collections.abc import Iterator
from typing import Final

from config.base import format_duration
from config.checks.ranges import once_a_range
from config.connections import ModbusDevice, ModbusSerialSource, ModbusTcpSource
from config.plant import Plant
from config.problems import Problem, quote
from config.reading.document import Document, Path
from config.reading.yaml_tree import OtherBase
from config.tags import SHORTEST_ACCOUNTING_INTERVAL_NS

_BITS_OF_A_BYTE: Final = 8
_WINDOWS_PORT: Final = re.compile(r"com[0-9]{1,4}", re.IGNORECASE)

_TRADE: Final = {"holding": ("4", 40_000), "input": ("3", 30_000), "discrete": ("1", 10_000)}
_TRADE_COUNT: Final = 10_000
"""Manuals write 40001 for the first holding register, up to 49999."""

ModbusSource = ModbusTcpSource | ModbusSerialSource

HIGHEST_UNIT_ID_ON_A_LINE: Final = 247
"""0 is a broadcast that nobody answers, those above are reserved (Modbus over Serial Line V1.02, 2.2)."""


def check_modbus(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield connections made twice, unit ids used twice, values too wide and devices without tags."""
    connections: dict[tuple[str, int], str] = {}
    ports: dict[str, str] = {}
    for name, source in plant.sources.items():
        path = ("sources", name)
        if isinstance(source, ModbusSerialSource):
            yield from _serial(source, ports.setdefault(_port(source.port), name), document, path)
        elif isinstance(source, ModbusTcpSource):
            first = connections.setdefault((source.host.lower(), source.port), name)
            yield from _tcp(source, first, document, path)
        else:
            continue
        yield from _unit_ids(source, document, path)
        for device_name, device in source.devices.items():
            yield from _device(device, document, (*path, "devices", device_name))
        yield from _trade_addresses(source, document, path)
        yield from _overlaps(source, document, path)
        if isinstance(source, ModbusSerialSource) or source.framing != "tcp":
            yield from _devices_on_line(source, document, path)


def _tcp(source: ModbusTcpSource, first: str, document: Document, path: Path) -> Iterator[Problem]:
    if first != path[-1]:
        yield document.problem("E-CF-0514", (*path, "host"), host=source.host, port=source.port, first=first)
    yield from _backup(source, document, path)
    if source.hang_up and source.framing != "tcp":
        yield document.problem("E-CF-1604", (*path, "hang_up"))
    if source.framing == "tcp":
        if "quiet" in source.model_fields_set:
            yield document.problem("E-CF-0524", (*path, "quiet"), at_key=True, option="quiet")
        if source.pause:
            for name, device in source.devices.items():
                if device.max_in_flight > 1:
                    yield document.problem("E-CF-1601", (*path, "devices", name, "max_in_flight"))
                    break


def _backup(source: ModbusTcpSource, document: Document, path: Path) -> Iterator[Problem]:
    if source.backup_port is not None and source.backup_host is None:
        yield document.problem("E-CF-1602", (*path, "backup_port"), at_key=True)
    if source.backup_host is not None:
        second = source.backup_host.lower(), source.backup_port or source.port
        if second == (source.host.lower(), source.port):
            yield document.problem("E-CF-1603", (*path, "backup_host"))


def _serial(source: ModbusSerialSource, first: str, document: Document, path: Path) -> Iterator[Problem]:
    if first != path[-1]:
        yield document.problem("E-CF-0520", (*path, "port"), port=quote(source.port), first=first)
    if source.framing == "rtu" and source.data_bits != _BITS_OF_A_BYTE:
        yield document.problem("E-CF-0523", (*path, "data_bits"))


def _devices_on_line(source: ModbusSource, document: Document, path: Path) -> Iterator[Problem]:
    told: set[int] = set()
    for name, device in source.devices.items():
        at = (*path, "devices", name)
        if id(document.value(at)) in told:
            continue  # of one range
        if not 1 <= device.unit_id <= HIGHEST_UNIT_ID_ON_A_LINE:
            told.add(id(document.value(at)))
            most = HIGHEST_UNIT_ID_ON_A_LINE
            yield document.problem("E-CF-0521", (*at, "unit_id"), unit_id=device.unit_id, most=most)
        if device.max_in_flight > 1:
            told.add(id(document.value(at)))
            yield document.problem("E-CF-0522", (*at, "max_in_flight"))


def _port(name: str) -> str:
    """Return what tells a port from others: Windows does not heed case, nor a prefix for high numbers."""
    bare = name.removeprefix("\\\\.\\")
    return bare.upper() if _WINDOWS_PORT.fullmatch(bare) else os.path.normpath(name)


def _trade_addresses(source: ModbusSource, document: Document, path: Path) -> Iterator[Problem]:
    """Doubt, once a device, a number that looks like a manual's 40001 but is taken as it stands."""
    for at, device in once_a_range(source.devices, document, path):
        for tag_name, tag in device.tags.items():
            place = (*at, "tags", tag_name, "address")
            digit, first = _TRADE.get(tag.table, ("", 0))
            as_written = document.value(place)
            if isinstance(as_written, OtherBase) or as_written != tag.address:
                continue  # spelled as the wire's address, or as a manual's
            if digit and 0 < tag.address - first < _TRADE_COUNT:
                trade, plain = f"{digit}x{tag.address - first:05}", f"0x{tag.address:04X}"
                yield document.problem("W-CF-0525", place, address=tag.address, trade=trade, plain=plain)
                break


def _overlaps(source: ModbusSource, document: Document, path: Path) -> Iterator[Problem]:
    """Doubt, once a device, a value that begins within another and ends behind it: no register map has that.

    One that lies within another whole is meant: a word of a counter, a part of a text.
    """
    for at, device in once_a_range(source.devices, document, path):
        around: list[tuple[str, int, int, str]] = []
        for each in sorted(_places(device), key=lambda place: (place[0], place[1], -place[2])):
            table, begin, end, tag = each
            while around and (around[-1][0] != table or around[-1][2] <= begin):
                around.pop()
            if around and around[-1][1] < begin and around[-1][2] < end:
                _, first_begin, first_end, first = around[-1]
                written = [one for one in (tag, first) if document.value((*at, "tags", one)) is not None]
                if written:  # else both are the template's: nothing to mend in this file
                    args: dict[str, object] = {"first": first, "begin": first_begin, "end": first_end - 1}
                    args |= {"name": tag, "address": begin, "next": first_end}
                    yield document.problem_with("W-CF-0526", (*at, "tags", written[0], "address"), args)
                    break
            around.append(each)


def _places(device: ModbusDevice) -> Iterator[tuple[str, int, int, str]]:
    """Yield table, first register, the one behind the last, and name, of every value of several registers."""
    for name, tag in device.tags.items():
        width = tag.registers
        if width > 1 and not tag.is_bits:
            for begin in range(tag.address, tag.address + width * tag.count, width):
                yield tag.table, begin, begin + width, name


def _unit_ids(source: ModbusSource, document: Document, path: Path) -> Iterator[Problem]:
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
        end = tag.address + tag.count
        if device.bits_from_zero and tag.is_bits and end > device.max_bits:
            yield document.problem("E-CF-1605", at, at_key=True, name=name, bits=end, most=device.max_bits)
        if not tag.is_bits and tag.registers > device.max_registers:
            yield document.problem(
                "E-CF-0503", at, at_key=True, name=name, registers=tag.registers, most=device.max_registers
            )
        if tag.counter and (tag.scan or device.scan) > SHORTEST_ACCOUNTING_INTERVAL_NS:
            most = format_duration(SHORTEST_ACCOUNTING_INTERVAL_NS)
            where = (*path, "scan") if tag.scan is None else (*at, "scan")
            yield document.problem("E-CF-0609", where, name=name, most=most)
