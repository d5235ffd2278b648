"""Which tags there are: the store's catalogue, read-only, by path, the gateway's own behind the plant's."""

from collections import OrderedDict
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.units import find_unit
from connectors import Tag
from gateway.buffer.known_tags import read_tags

_SEARCHES_KEPT: Final = 32


class Catalogue:
    """The active tags of one version of the table."""

    def __init__(self, tags: dict[int, Tag], version: int) -> None:
        self.version = version
        self.tags = tags
        ordered = sorted(tags, key=lambda number: _place(tags[number].path))
        self.number: NDArray[np.int32] = np.array(ordered, np.int32)
        """(n,), by path, the gateway's own (``site/_energy/…``) last"""
        self.devices: list[str] = []
        """Paths of devices, in their order."""
        device_of: dict[str, int] = {}
        self.sources: list[str] = []
        """The source of each device."""
        place = np.empty(len(ordered), np.int32)
        for i, number in enumerate(ordered):
            tag = tags[number]
            if tag.device not in device_of:
                device_of[tag.device] = len(self.devices)
                self.devices.append(tag.device)
                self.sources.append(tag.source)
            place[i] = device_of[tag.device]
        self.device: NDArray[np.int32] = place
        """(n,) index into `devices`"""
        self.by_path = {tags[number].path: number for number in ordered}
        self._lower = [tags[number].path.lower() for number in ordered]
        self._found: OrderedDict[str, NDArray[np.intp]] = OrderedDict()

    def search(self, words: str) -> NDArray[np.intp]:
        """Return the places in `number` of the tags whose path holds every word.

        The first letter of 100,000 tags takes 6 ms; each further one looks only at what those before found.
        """
        key = " ".join(words.lower().split())
        found = self._found.get(key)
        if found is None:
            found = self._search(key)
            self._found[key] = found
            if len(self._found) > _SEARCHES_KEPT:
                self._found.popitem(last=False)
        return found

    def _search(self, key: str) -> NDArray[np.intp]:
        lower = self._lower
        shorter = max((known for known in self._found if key.startswith(known)), key=len, default="")
        places = self._found[shorter].tolist() if shorter else range(len(lower))
        for word in key.split():
            places = [i for i in places if word in lower[i]]
        return np.array(places, np.intp)

    def unit(self, number: int) -> str:
        """Return the symbol of a tag's unit; empty for plain numbers."""
        code = self.tags[number].unit
        unit = find_unit(code)
        symbol = unit.symbol if unit else code
        return "" if symbol == "1" else symbol


def _place(path: str) -> tuple[bool, str]:
    return path.partition("/")[2].startswith("_"), path


def read_catalogue(store: Path, active: NDArray[np.uint8], version: int) -> Catalogue:
    """Return the tags a running source announces; those thinned for one sink are not the plant's.

    Raises sqlite3.Error while there is no store to read.
    """
    found = read_tags(store, lambda number: number < len(active) and bool(active[number]))
    return Catalogue({number: tag for number, tag in found.items() if not tag.for_sink}, version)
