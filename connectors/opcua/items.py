"""The tags of a source, one item per node, as arrays the hot path gathers from.

An item's number is its place in the plant file; it is the client handle of its monitored item, so that a row
finds its tag by one gather. Items keep their numbers while the source lives, whatever the server does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.connections import OpcUaDevice, OpcUaSource, OpcUaTag
from config.connections.opcua import NodeName, parse_node
from config.tags import Deadband
from connectors.describe import describe, device_path, is_scaled
from connectors.opcua.types.flatten import Enums, Leaf
from connectors.opcua.types.leaves import Leaves
from connectors.opcua.types.model import Enumeration, Types
from connectors.tags import PART_OF_KIND, Kind, Part, TagTable

DATE_TIME: Final = 13
KIND_OF_BUILTIN: Final = {
    1: Kind.BOOL,
    **dict.fromkeys((2, 3, 4, 5, 6, 7), Kind.INT32),
    8: Kind.INT64,
    9: Kind.UINT64,
    10: Kind.FLOAT64,
    11: Kind.FLOAT64,
    **dict.fromkeys((12, 13, 14, 15, 16, 17, 18, 20, 21), Kind.TEXT),
    19: Kind.INT32,
}
"""By the number of a built-in type (OPC 10000-6, 5.1.2): Boolean, SByte … UInt32, Int64, UInt64, Float,
Double; String, DateTime, Guid, ByteString, XmlElement, NodeId, ExpandedNodeId, QualifiedName, LocalizedText;
StatusCode."""
KIND_OF_TYPE: Final = {
    "bool": Kind.BOOL,
    "int32": Kind.INT32,
    "int64": Kind.INT64,
    "uint64": Kind.UINT64,
    "double": Kind.FLOAT64,
    "string": Kind.TEXT,
}
_SMALL: Final = (2, 3, 4, 5, 6, 7)
ACCEPTED: Final = {
    Kind.BOOL: (1,),
    Kind.INT32: (*_SMALL, 19),
    Kind.FLOAT64: (*_SMALL, 10, 11, 19),
    Kind.INT64: (*_SMALL, 8, DATE_TIME),
    Kind.UINT64: (3, 5, 7, 9),
    Kind.TEXT: (12, DATE_TIME, 21),
}
"""Built-in types whose every value the kind holds exactly."""
ONE_VALUE: Final = frozenset((*range(1, 14), 19, 21))
"""Built-in types whose values come in columns."""
SCALED: Final = (*_SMALL, 8, 9, 10, 11)
"""A scaled tag takes 64 bit as well: float64 is the plant file's own choice; what is inexact is marked."""
_ELEMENTS: Final = 256
OWN_ITEMS: Final = 2
"""Handles behind the last item's are ours: the list of namespaces, and what proves a subscription alive."""


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
    enums: Enums
    elements: int
    """Most single values kept of it."""
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
        """Bit b is set when a value of built-in type b fits; none where the value is kept in parts."""
        self.is_spread = np.zeros(size, np.bool_)
        """Whether the value is kept in parts, see `leaves`."""
        self.leaves = Leaves(source)
        self.types = Types()
        self.enumerations: dict[int, Enumeration] = {}
        """Names of the values, of items that want them."""
        self._table: TagTable | None = None
        self._is_own = np.zeros(size, np.bool_)
        """Whether the item has a tag of its own name."""

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.items)

    def announce_known(self, tags: TagTable) -> None:
        """Announce the tags whose kind the plant file tells, or the table remembers of the path."""
        self._table = tags
        for place, parts in self.leaves.remembered(tags, {item.path: i for i, item in enumerate(self.items)}):
            self._spread_out(place)
            self.leaves.announce(tags, [(place, self.items[place], suffix, kind) for suffix, kind in parts])
        for i, item in enumerate(self.items):
            if item.kind is None and not self.is_spread[i]:
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

    def name_values(self, names: Mapping[int, Enumeration]) -> None:
        """Keep the text of these items' values too, or instead, as each wants it."""
        self.enumerations |= names
        for place in names:
            self._spread_out(place)

    def spread(self, found: Sequence[tuple[int, Leaf]]) -> None:
        """Announce single values of items that are more than one; their own names stand for nothing more."""
        if self._table is None:  # never entered
            return
        new = [(i, self.items[i], leaf.suffix, kind_of(self.items[i].options, leaf)) for i, leaf in found]
        for place in {place for place, *_ in new}:
            self._spread_out(place)
        self.leaves.announce(self._table, new)
        self._keep(self._table)

    def takes(self, place: int, builtin: int) -> bool:
        """Tell whether an item's values may be of this type."""
        return bool(self.is_spread[place] or self.accepted[place] >> builtin & 1)

    def _spread_out(self, place: int) -> None:
        self.is_spread[place] = True
        self._is_own[place] = False
        self.accepted[place] = 0
        self.part[place] = Part.NUMBER

    def _announce(self, tags: TagTable, places: Iterable[int]) -> None:
        known = np.fromiter((i for i in places if not self.is_spread[i]), np.intp)
        numbers = tags.announce(
            [
                describe(self.source, item.path, item.kind, item.options)
                for item in (self.items[i] for i in known.tolist())
                if item.kind is not None
            ]
        )
        self.number[known] = numbers
        self._is_own[known] = True
        for i in known.tolist():
            item = self.items[i]
            if item.kind is not None:
                self.part[i] = PART_OF_KIND[item.kind]
                accepted = SCALED if is_scaled(item.options) else ACCEPTED[item.kind]
                self.accepted[i] = sum(1 << builtin for builtin in accepted)
        self._keep(tags)

    def _keep(self, tags: TagTable) -> None:
        own = self.number[self._is_own]
        tags.keep_only(self.source, np.concatenate([own, self.leaves.numbers()]).astype(np.int32))

    def places(self) -> dict[int, int]:
        """Return the item of each tag number, of single values that of the whole."""
        found = {int(self.number[i]): i for i in np.flatnonzero(~self.is_spread).tolist()}
        leaves = ((leaf.number, i) for i, each in self.leaves.of.items() for leaf in each.values())
        return found | dict(leaves)

    def of_device(self, device: str) -> NDArray[np.intp]:
        """Return the items of one device."""
        return np.fromiter((i for i, item in enumerate(self.items) if item.device == device), np.intp)


def kind_of(options: OpcUaTag, leaf: Leaf) -> Kind:
    """Return the kind of a single value of this tag: as the plant file says where it can be that."""
    if is_scaled(options) and leaf.builtin in SCALED:
        return Kind.FLOAT64
    wanted = KIND_OF_TYPE.get(options.type or "")
    if wanted is not None and leaf.builtin in ACCEPTED[wanted]:
        return wanted
    return KIND_OF_BUILTIN.get(leaf.builtin, Kind.FLOAT64)


def _item(path: str, name: str, tag: OpcUaTag, device: OpcUaDevice, source: OpcUaSource) -> Item:
    read = tag.read or device.read or source.read
    enums = tag.enums or device.enums or source.enums or "number"
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
        enums=enums,
        elements=tag.elements or device.elements or source.elements or _ELEMENTS,
        kind=Kind.FLOAT64 if is_scaled(tag) else KIND_OF_TYPE.get(tag.type or ""),
    )


def _remembered(item: Item, tags: TagTable) -> Kind | None:
    for path in (item.path, item.options.was):
        number = None if path is None else tags.number(path)
        if number is not None:
            return tags[number].kind
    return None
