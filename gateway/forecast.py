"""Serial lines that can't do what is asked of them, told before the plant runs."""

from collections.abc import Iterator

from config.plant import Plant
from connectors.factory import line_load

_NS = 1e9


def overloaded_lines(plant: Plant) -> Iterator[tuple[str, str, str]]:
    """Yield (source, time needed, time there is) of each line whose scans don't fit, in seconds as text.

    The time is that of the shortest scan interval on the line. It is the least: devices take their time too.
    """
    for name, source in plant.sources.items():
        load = line_load(source)
        if load > 1:
            asked = min(device.scan for device in source.devices.values()) / _NS
            yield name, f"{load * asked:.2g}", f"{asked:.2g}"
