"""Lines of meters (DL/T 645, CJ/T 188): where they are, who is on them, what is asked of each."""

from collections.abc import Iterator, Mapping

from config.base import format_duration
from config.checks.ranges import once_a_range
from config.connections import Cjt188Device, Cjt188Source, Dlt645Device, Dlt645Source, ModbusSerialSource
from config.connections.dlt645 import Dlt645Tag
from config.dlt645_identifiers import identifiers
from config.plant import Plant
from config.problems import Problem, quote
from config.reading.document import Document, Path
from config.tags import SHORTEST_ACCOUNTING_INTERVAL_NS

_ANY = "any"


def check_meter_lines(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield lines that are nowhere or in two places, addresses used twice, tags that can't be asked for."""
    ports: dict[str, str] = {}
    for name, source in plant.sources.items():
        if isinstance(source, ModbusSerialSource):
            ports.setdefault(source.port, name)
        elif isinstance(source, Dlt645Source | Cjt188Source):
            path = ("sources", name)
            if (source.port is None) == (source.host is None):
                yield document.problem("E-CF-1801", path, at_key=True)
            elif source.port is None and source.tcp_port is None:
                yield document.problem("E-CF-1801", (*path, "host"), at_key=True)
            first = ports.setdefault(source.port, name) if source.port else name
            if first != name:
                yield document.problem(
                    "E-CF-0520", (*path, "port"), port=quote(source.port or ""), first=first
                )
            yield from _addresses(source, document, path)
            devices: Mapping[str, Dlt645Device | Cjt188Device] = source.devices
            for at, device in once_a_range(devices, document, path):
                yield from _asked(device, document, at)
                yield from _twice(device, document, at)
                if isinstance(device, Dlt645Device):
                    yield from _identifiers(device, document, at)
                else:
                    yield from _units(device, document, at)


def _addresses(source: Dlt645Source | Cjt188Source, document: Document, path: Path) -> Iterator[Problem]:
    users: dict[str, str] = {}
    for name, device in source.devices.items():
        at = (*path, "devices", name, "address")
        first = users.setdefault(device.address, name)
        if device.address == _ANY:
            if first == name and len(source.devices) > 1:
                yield document.problem("E-CF-1803", at)
        elif first != name:
            yield document.problem("E-CF-1802", at, address=device.address, first=first)


def _asked(device: Dlt645Device | Cjt188Device, document: Document, path: Path) -> Iterator[Problem]:
    # Tags that are written wrongly are told already, and are not here any more.
    if not device.tags and not document.value((*path, "tags")):
        yield document.problem("E-CF-1804", path, at_key=True)
    for name, tag in device.tags.items():
        if tag.counter and device.scan > SHORTEST_ACCOUNTING_INTERVAL_NS:
            most = format_duration(SHORTEST_ACCOUNTING_INTERVAL_NS)
            yield document.problem("E-CF-0609", (*path, "scan"), name=name, most=most)


def _twice(device: Dlt645Device | Cjt188Device, document: Document, path: Path) -> Iterator[Problem]:
    """Doubt a tag that is another one's number: its `place` or `di` may have been forgotten."""
    users: dict[str, str] = {}
    for name, tag in device.tags.items():
        asked = tag.di.upper() if isinstance(tag, Dlt645Tag) else f"{tag.di.upper()}, place {tag.place}"
        first = users.setdefault(asked, name)
        at = (*path, "tags", name)
        if first != name and document.value(at) is not None:
            yield document.problem("W-CF-1810", at, at_key=True, name=name, first=first, asked=asked)


def _identifiers(device: Dlt645Device, document: Document, path: Path) -> Iterator[Problem]:
    for name, tag in device.tags.items():
        at = (*path, "tags", name)
        if tag.format is None:
            yield document.problem("E-CF-1805", (*at, "di"), di=tag.di)
            continue
        known, digits = identifiers().get(tag.di.upper()), tag.format.count("X")
        if known is None and digits % 2:
            yield document.problem("E-CF-1806", (*at, "format"), format=tag.format)
        elif known is not None and digits != known.format.count("X"):
            # Fewer would leave out the highest digits, and an odd number of them the highest of all.
            args: dict[str, object] = {
                "di": known.di,
                "known": known.format.count("X"),
                "usual": known.format,
            }
            args |= {"format": tag.format, "digits": digits}
            yield document.problem_with("E-CF-1809", (*at, "format"), args)


def _units(device: Cjt188Device, document: Document, path: Path) -> Iterator[Problem]:
    for name, tag in device.tags.items():
        if tag.expected is None:
            yield document.problem("E-CF-1807", (*path, "tags", name, "unit"), unit=tag.unit.symbol)
