"""How long the cycles of a plant's lines take, told before it runs; also that some can't be done."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from config.load import Outcome
from config.plant import Plant
from config.problems import in_order
from connectors.factory import line_load

_NS = 1e9


def foretold(outcome: Outcome) -> Outcome:
    """Return it with a warning for each connection whose scans don't fit into their time."""
    plant, document = outcome.plant, outcome.document
    if plant is None or document is None:
        return outcome
    warnings = (
        document.problem("W-LN-0001", ("sources", name), at_key=True, needed=needed, asked=asked)
        for name, load, needed, asked in cycles(plant)
        if load > 1
    )
    return replace(outcome, problems=in_order((*outcome.problems, *warnings)))


def cycles(plant: Plant, delay: int | None = None) -> Iterator[tuple[str, float, str, str]]:
    """Yield (source, share of its time needed, time needed, time there is) of each line or connection.

    The time is that of the shortest scan interval on it, in seconds as text; `delay` is what every device
    takes before it answers, ns, instead of its own `reply`.
    """
    for name, source in plant.sources.items():
        load = line_load(source, delay)
        if load:
            asked = min(_shortest(device) for device in source.devices.values()) / _NS
            yield name, load, f"{load * asked:.2g}", f"{asked:.2g}"


def _shortest(device: Any) -> int:
    scans = [getattr(tag, "scan", None) or device.scan for tag in device.tags.values()]
    return int(min(scans, default=device.scan))
