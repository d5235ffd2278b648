"""Devices written as one range are one entry of the file: its mistakes are told once."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from config.reading.document import Document, Path

T = TypeVar("T")


def once_a_range(devices: Mapping[str, T], document: Document, path: Path) -> Iterator[tuple[Path, T]]:
    """Yield the path of each entry under `devices` of this source, with the first device it makes."""
    seen: set[int] = set()
    for name, device in devices.items():
        at = (*path, "devices", name)
        entry = id(document.value(at))
        if entry not in seen:
            seen.add(entry)
            yield at, device
