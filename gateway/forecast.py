"""Serial lines that can't do what is asked of them, told before the plant runs."""

from collections.abc import Iterator
from typing import Any

from config.plant import Plant
from connectors.factory import line_load

_NS = 1e9


def overloaded_lines(plant: Plant) -> Iterator[tuple[str, str, str]]:
    """Yield (source, time needed, time there is) of each line whose scans don't fit, in seconds as text.

    It is the least: devices take their time too.
    """
    for name, load, needed, asked in cycles(plant, 0):
        if load > 1:
            yield name, needed, asked


def cycles(plant: Plant, delay: int) -> Iterator[tuple[str, float, str, str]]:
    """Yield (source, share of its time needed, time needed, time there is) of each Modbus connection.

    The time is that of the shortest scan interval on it, in seconds as text; `delay` is what a device takes
    before it answers, ns.
    """
    for name, source in plant.sources.items():
        load = line_load(source, delay)
        if load:
            asked = min(_shortest(device) for device in source.devices.values()) / _NS
            yield name, load, f"{load * asked:.2g}", f"{asked:.2g}"


def _shortest(device: Any) -> int:
    scans = [getattr(tag, "scan", None) or device.scan for tag in device.tags.values()]
    return int(min(scans, default=device.scan))
