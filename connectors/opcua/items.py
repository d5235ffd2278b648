"""The tags of a source, one item per node, as arrays the hot path gathers from.

An item's number is its place in the plant file; it is the client handle of its monitored item, so that a row
finds its tag by one gather. Items keep their numbers while the source lives, whatever the server does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.connections import OpcUaDevice, OpcUaSource, OpcUaTag
from config.connections.opcua import NodeName, parse_node
from config.tags import Deadband
from connectors.describe import describe, device_path, is_scaled
from connectors.tags import PART_OF_KIND, Kind, TagTable

KIND_OF_BUILTIN: Final = {
    1: Kind.BOOL,
    **dict.fromkeys((2, 3, 4, 5, 6, 7), Kind.INT32),
    8: Kind.INT64,
    9: Kind.UINT64,
    10: Kind.FLOAT64,
    11: Kind.FLOAT64,
    12: Kind.TEXT,
    21: Kind.TEXT,
}
"""By the number of a built-in type (OPC 10000-6, 5.1.2): Boolean, SByte … UInt32, Int64, UInt64, Float,
Double, String, LocalizedText."""
_KIND_OF_TYPE: Final = {
    "bool": Kind.BOOL,
    "int32": Kind.INT32,
    "int64": Kind.INT64,
    "uint64": Kind.UINT64,
    "double": Kind.FLOAT64,
    "string": Kind.TEXT,
}
_SMALL: Final = (2, 3, 4, 5, 6, 7)
_ACCEPTED: Final = {
    Kind.BOOL: (1,),
    Kind.INT32: _SMALL,
    Kind.FLOAT64: (*_SMALL, 10, 11),
    Kind.INT64: (*_SMALL, 8),
    Kind.UINT64: (3, 5, 7, 9),
    Kind.TEXT: (12, 21),
}
"""Built-in types whose every value the kind holds exactly."""
_SCALED: Final = (*_SMALL, 8, 9, 10, 11)
"""A scaled tag takes 64 bit as well: float64 is the plant file's own choice; what is inexact is marked."""


@dataclass(slots=True)
class Item:
    """One tag and its node."""

    device: str
    path: str
    options: OpcUaTag
    node: NodeName
    scan: int
    is_polled: bool
    """Asked for by polling in any case."""
    queue: int | None
    """None is what a scan can bring between two messages, twice."""
    server_deadband: Deadband | None
    kind: Kind | None
    """None until it is known."""


class Items:
    """All items of one source."""

    def __init__(self, source: str, site: str, options: OpcUaSource) -> None:
        self.source = source
        self.items = [
            _item(f"{device_path(site, device.at, name)}/{tag_name}", name, tag, device, options)
            for name, device in options.devices.items()
            for tag_name, tag in device.tags.items()
        ]
        size = len(self.items)
        self.number = np.zeros(size, np.int32)
        self.part = np.zeros(size, np.uint8)
        self.accepted = np.zeros(size, np.uint32)
        """Bit b is set when a value of built-in type b fits."""

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.items)

    def announce_known(self, tags: TagTable) -> None:
        """Announce the tags whose kind the plant file tells, or the table remembers of the path."""
        for item in self.items:
            if item.kind is None:
                item.kind = _remembered(item, tags)
        self._announce(tags, [i for i, item in enumerate(self.items) if item.kind is not None])

    def announce_all(self, tags: TagTable, kinds: Mapping[int, Kind]) -> None:
        """Take in the kinds the server told, by item, and announce all tags.

        The plant file's word holds. A tag whose kind nobody knows is announced as a number, to be seen Bad.
        """
        for i, kind in kinds.items():
            options = self.items[i].options
            if options.type is None and not is_scaled(options):
                self.items[i].kind = kind
        for item in self.items:
            item.kind = Kind.FLOAT64 if item.kind is None else item.kind
        self._announce(tags, range(len(self.items)))

    def _announce(self, tags: TagTable, places: Iterable[int]) -> None:
        known = np.fromiter(places, np.intp)
        numbers = tags.announce(
            [
                describe(self.source, item.path, item.kind, item.options)
                for item in (self.items[i] for i in known.tolist())
                if item.kind is not None
            ]
        )
        self.number[known] = numbers
        for i in known.tolist():
            item = self.items[i]
            if item.kind is not None:
                self.part[i] = PART_OF_KIND[item.kind]
                accepted = _SCALED if is_scaled(item.options) else _ACCEPTED[item.kind]
                self.accepted[i] = sum(1 << builtin for builtin in accepted)
        tags.keep_only(self.source, numbers)

    def of_device(self, device: str) -> NDArray[np.intp]:
        """Return the items of one device."""
        return np.fromiter((i for i, item in enumerate(self.items) if item.device == device), np.intp)


def _item(path: str, name: str, tag: OpcUaTag, device: OpcUaDevice, source: OpcUaSource) -> Item:
    read = tag.read or device.read or source.read
    queue = (each.queue for each in (tag, device, source) if each.queue is not None)
    deadband = (each.server_deadband for each in (tag, device, source) if each.server_deadband is not None)
    return Item(
        device=name,
        path=path,
        options=tag,
        node=parse_node(tag.node),
        scan=tag.scan or device.scan,
        is_polled=read == "poll" or tag.counter or tag.heartbeat is not None,
        queue=next(queue, None),
        server_deadband=next(deadband, None),
        kind=Kind.FLOAT64 if is_scaled(tag) else _KIND_OF_TYPE.get(tag.type or ""),
    )


def _remembered(item: Item, tags: TagTable) -> Kind | None:
    for path in (item.path, item.options.was):
        number = None if path is None else tags.number(path)
        if number is not None:
            return tags[number].kind
    return None
