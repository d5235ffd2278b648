"""Time zones that are the opposite of what they look like."""

import re
from collections.abc import Iterator
from typing import Final

from config.connections import MqttSource
from config.plant import Plant
from config.problems import Problem
from config.reading.document import Document, Path

_BEHIND: Final = re.compile(r"(?:Etc/)?GMT\+([1-9]\d?)")
"""The sign is that of POSIX: Etc/GMT+8 is behind UTC (tz database, file etcetera)."""


def check_zones(plant: Plant, document: Document) -> Iterator[Problem]:
    """Yield zones that are as many hours behind UTC as somebody means them to be ahead."""
    for path, zone in _zones(plant):
        found = _BEHIND.fullmatch(zone or "")
        if found:
            yield document.problem("W-CF-0129", path, zone=zone, hours=found[1])


def _zones(plant: Plant) -> Iterator[tuple[Path, str | None]]:
    yield ("gateway", "time_zone"), plant.gateway.time_zone
    for name, source in plant.sources.items():
        if isinstance(source, MqttSource):
            for place, messages in enumerate(source.messages):
                if messages.time is not None:
                    yield ("sources", name, "messages", place, "time", "zone"), messages.time.zone
