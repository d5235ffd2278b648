"""Which rows of a stored batch go into which device's message, worked out once per layout. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from connectors.batch import Columns
from connectors.sparkplug.edge.encode import Group, group
from connectors.sparkplug.edge.wire import lengths
from connectors.tags import Kind, TagTable

_CACHED_ROWS: Final = 200_000
"""About 15 MB of prepared layouts; a plant whose batches never repeat must not fill the memory."""
FIRST_ALIAS: Final = 128
"""Of tags; below it are the node's own. The first 16,256 take two bytes, all of them alike. A tag's number is
never given again, and so is its alias."""


@dataclass(slots=True)
class Share:
    """One device's rows of one layout."""

    device: int
    groups: tuple[Group, ...]
    tag: NDArray[np.int32]
    """Of each row, in the groups' order."""
    row: NDArray[np.int32]
    """Row numbers in a whole batch."""
    named: int = -1
    """After how many births every tag of this share was seen to be named."""
    is_own: bool | None = None
    """Whether it has tags that were thinned for this sink; None: nobody has looked."""

    def columns(self, parts: tuple[Columns, ...]) -> list[Columns]:
        """Return each group's rows."""
        return [_taken(parts[each.part], each.places) for each in self.groups]


def _taken(part: Columns, places: slice | NDArray[np.intp]) -> Columns:
    return Columns(part.tag[places], part.time[places], part.value[places], part.quality[places])


def aliases(tag: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Return the aliases of tags, (n,)."""
    return (tag.astype(np.int64) + FIRST_ALIAS).astype(np.uint64)


class Layouts:
    """Shares of the batches that come again and again."""

    def __init__(self, tags: TagTable) -> None:
        self._tags = tags
        self._known: dict[tuple[bytes, ...], tuple[Share, ...]] = {}
        self._cached_rows = 0
        self._version = tags.version

    def shares(self, parts: tuple[Columns, ...]) -> tuple[Share, ...]:
        """Return one share per device, in the order of the devices' numbers."""
        if self._version != self._tags.version:  # a renamed tag may belong to another device
            self._version = self._tags.version
            self._forget()
        key = tuple([part.tag.tobytes() for part in parts])
        found = self._known.get(key)
        if found is None:
            found = tuple(self._made(parts))
            rows = sum(len(share.row) for share in found)
            if self._cached_rows + rows > _CACHED_ROWS:
                self._forget()
            self._cached_rows += rows
            self._known[key] = found
        return found

    def _forget(self) -> None:
        self._known.clear()
        self._cached_rows = 0

    def _made(self, parts: tuple[Columns, ...]) -> Iterator[Share]:
        devices = [self._tags.device[part.tag] for part in parts]
        for device in np.unique(np.concatenate(devices)).tolist():
            yield self._share(device, [np.flatnonzero(each == device) for each in devices], parts)

    def _share(self, device: int, places: list[NDArray[np.intp]], parts: tuple[Columns, ...]) -> Share:
        groups, tags, rows = [], [], []
        first_row = 0
        for i, (mine, part) in enumerate(zip(places, parts, strict=True)):
            tag = part.tag[mine]
            kind = self._tags.kind[tag]
            length = lengths(aliases(tag)) if len(tag) else np.zeros(0, np.int64)
            for looks in np.unique(kind.astype(np.int64) * 16 + length).tolist():
                alike = mine[(kind == looks // 16) & (length == looks % 16)]
                groups.append(group(i, _as_slice(alike), Kind(looks // 16), aliases(part.tag[alike])))
                tags.append(part.tag[alike])
                rows.append(alike + first_row)
            first_row += len(part)
        return Share(device, tuple(groups), np.concatenate(tags), np.concatenate(rows).astype(np.int32))


def _as_slice(places: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Return the places as a slice where they are neighbours: slicing copies nothing."""
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first == len(places) - 1 else places
