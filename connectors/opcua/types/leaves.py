"""The tags of items whose value is kept in parts: one for each single value, named by its place in the value.

An array that grows brings new tags; one that shrinks leaves some without a value. What a source had before it
was started again is remembered from the table, so that it is Bad while the server is away.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from config.tags import Limits, TagOptions
from config.units import find_unit
from connectors.describe import describe
from connectors.opcua.browse.seen import Seen
from connectors.opcua.names import fitting
from connectors.tags import PART_OF_KIND, Kind, Part, TagTable

_SUFFIX: Final = re.compile(r"(?:_(?:0|[1-9][0-9]*))*(?:\..+)?")
_PLAIN: Final[dict[str, Any]] = {
    "unit": find_unit("1"),
    "scale": 1.0,
    "offset": 0.0,
    "deliver_as": None,
    "limits": Limits(),
    "deadband": None,
}
"""What makes no sense of a text."""


class Whole(Protocol):
    """The tag of the plant file whose value is more than one."""

    path: str
    options: Any

    @property
    def read_as(self) -> int:
        """Changes with the node it is."""
        ...


@dataclass(frozen=True, slots=True)
class LeafTag:
    """The tag of one single value."""

    number: int
    kind: Kind
    part: Part


class Leaves:
    """All of one source."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.of: dict[int, dict[str, LeafTag]] = {}
        """By item and suffix."""
        self._taken = Seen()
        """Paths of the plant file's own tags; no single value may have one."""

    def remembered(
        self, tags: TagTable, items: Mapping[str, int]
    ) -> Iterator[tuple[int, list[tuple[str, Kind]]]]:
        """Yield items with the suffixes the table knows of them, and their kinds."""
        self._taken = Seen(items)
        found: dict[int, dict[str, Kind]] = {}
        for tag in tags.known_of(self._source):
            number = None if tag.path in items else tags.number(tag.path)
            if number is None or tags[number].source != self._source or tag.for_sink:
                continue
            whole = _whole(tag.path, items)
            if whole is not None:
                found.setdefault(items[whole], {})[tag.path[len(whole) :]] = tags[number].kind
        for place, parts in found.items():
            yield place, list(parts.items())

    def take(self, items: Mapping[int, Whole], paths: set[str]) -> None:
        """Give these paths to tags of their own: no single value has them any longer."""
        self._taken.update(paths)
        for place, leaves in self.of.items():
            for suffix in [each for each in leaves if each and _path(items[place], each) in paths]:
                del leaves[suffix]

    def may_have(self, item: Whole, suffix: str) -> bool:
        """Tell whether a tag can be called so: no other tag of the plant file is."""
        return not suffix or _path(item, suffix) not in self._taken

    def announce(self, tags: TagTable, new: Sequence[tuple[int, Whole, str, Kind]]) -> None:
        """Announce single values by item: what the plant file says of the whole holds for every number."""
        numbers = tags.announce(
            [
                describe(self._source, _path(item, s), kind, _options(item, s, kind), read_as=item.read_as)
                for _, item, s, kind in new
            ]
        )
        for (place, _, suffix, kind), number in zip(new, numbers.tolist(), strict=True):
            self.of.setdefault(place, {})[suffix] = LeafTag(number, kind, PART_OF_KIND[kind])

    def numbers(self) -> NDArray[np.int32]:
        """Return the numbers of all, (n,) int32."""
        found = [leaf.number for leaves in self.of.values() for leaf in leaves.values()]
        return np.array(found, np.int32)


def _whole(path: str, items: Mapping[str, int]) -> str | None:
    """Return the longest path of the plant file that may have a single value of this path."""
    at = len(path)
    while at > 0:
        at = max(path.rfind("_", 0, at), path.rfind(".", 0, at))
        if at > 0 and path[:at] in items and _SUFFIX.fullmatch(path, at):
            return path[:at]
    return None


def _path(item: Whole, suffix: str) -> str:
    device, _, name = item.path.rpartition("/")
    return f"{device}/{fitting(name + suffix, name + suffix)}"


def _options(item: Whole, suffix: str, kind: Kind) -> TagOptions:
    options: TagOptions = item.options
    was = None if options.was is None else options.was + suffix
    return options.model_copy(update={"was": was} | (_PLAIN if kind is Kind.TEXT else {}))
