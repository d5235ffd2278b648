"""The tags of a source, one item per node, as arrays the hot path gathers from.

An item's number is its place in the plant file; it is the client handle of its monitored item, so that a row
finds its tag by one gather. Items keep their numbers while the source lives, whatever the server does.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from config.connections import OpcUaNodes, OpcUaSource, OpcUaTag
from config.connections.opcua import OWN_NAMESPACE, NodeName, parse_node
from config.tags import Deadband
from connectors.describe import describe, device_path, is_scaled, read_as
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
NAMESPACES_HANDLE: Final = 2**31 - 1
"""Client handle of the list of namespaces. Of 2**32 - 1 node-opcua would make 0."""
PULSE_HANDLE: Final = 2**31 - 2
"""Client handle of what proves a subscription alive; items count from 0."""


@dataclass(slots=True)
class Item:
    """One tag and its node."""

    device: str
    path: str
    options: OpcUaTag | OpcUaNodes
    node: NodeName
    """With the URI of its namespace."""
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

    @property
    def name(self) -> str:
        """Return the tag's name."""
        return self.path.rpartition("/")[2]

    @property
    def read_as(self) -> int:
        """Return a number that changes with the node the plant file names; of one that was found, 0.

        A found node has its name from its place in the tree, and servers number nodes anew.
        """
        return read_as(*self.node) if isinstance(self.options, OpcUaTag) else 0


class Items:
    """All items of one source."""

    def __init__(self, source: str, site: str, options: OpcUaSource) -> None:
        self.source = source
        self._site = site
        self._options = options
        self.by_server = options.timestamps == "server"
        """The server's clock dates the values."""
        self.items = [
            self._item(name, tag_name, parse_node(tag.node), tag)
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
        self._sought = np.empty(0, np.int32)
        """Tags a former run has found and this one may find again: they stay until all was looked through."""
        self._is_own = np.zeros(size, np.bool_)
        """Whether the item has a tag of its own name."""

    def _item(self, device_name: str, name: str, node: NodeName, options: OpcUaTag | OpcUaNodes) -> Item:
        source, device = self._options, self._options.devices[device_name]
        levels = (options, device, source)
        queue = (each.queue for each in levels if each.queue is not None)
        deadband = (each.server_deadband for each in levels if each.server_deadband is not None)
        read = options.read or device.read or source.read
        return Item(
            device=device_name,
            path=f"{device_path(self._site, device.at, device_name)}/{name}",
            options=options,
            node=_with_namespace(node, source.namespace or OWN_NAMESPACE),
            scan=options.scan or device.scan,
            is_polled=read == "poll" or options.counter or options.heartbeat is not None,
            queue=next(queue, None),
            server_deadband=next(deadband, None),
            enums=options.enums or device.enums or source.enums or "number",
            elements=options.elements or device.elements or source.elements or _ELEMENTS,
            kind=Kind.FLOAT64 if is_scaled(options) else KIND_OF_TYPE.get(options.type or ""),
        )

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.items)

    def add(self, found: Sequence[tuple[str, str, NodeName, OpcUaNodes]]) -> list[int]:
        """Take in nodes that were found, by device and name; return their places."""
        begin = len(self.items)
        for device, name, node, entry in found:
            self.items.append(self._item(device, name, node, entry))
        more = len(found)
        for column in ("number", "part", "accepted", "is_spread", "_is_own"):
            old = getattr(self, column)
            setattr(self, column, np.concatenate([old, np.zeros(more, old.dtype)]))
        return list(range(begin, begin + more))

    def announce_found(self, tags: TagTable, places: Sequence[int], kinds: Mapping[int, Kind]) -> None:
        """Announce these items; nothing else is retired by it."""
        self._know(places, kinds)
        whole = {i: self.items[i] for i in self.leaves.of}
        self.leaves.take(whole, {self.items[i].path for i in places})
        self._announce(tags, places)

    def all_found(self, tags: TagTable, *, are_all: bool = True) -> None:
        """Retire what a former run had found and this one has not, when all was looked through."""
        if are_all:
            self._sought = np.empty(0, np.int32)
            self._keep(tags)

    def announce_known(self, tags: TagTable) -> None:
        """Announce the tags whose kind the plant file tells, or the table remembers of the path."""
        self._table = tags
        self._sought = self._seek(tags)
        for place, parts in self.leaves.remembered(tags, {item.path: i for i, item in enumerate(self.items)}):
            self._spread_out(place)
            self.leaves.announce(tags, [(place, self.items[place], suffix, kind) for suffix, kind in parts])
        for i, item in enumerate(self.items):
            if item.kind is None and not self.is_spread[i]:
                item.kind = _remembered(item, tags)
        self._announce(tags, [i for i, item in enumerate(self.items) if item.kind is not None])
        self._keep(tags)

    def announce_all(self, tags: TagTable, kinds: Mapping[int, Kind]) -> None:
        """Take in the kinds the server told, by item, and announce all tags.

        The plant file's word holds. A tag whose kind nobody knows is announced as a number, to be seen Bad.
        """
        self._know(range(len(self.items)), kinds)
        self._announce(tags, range(len(self.items)))
        self._keep(tags)

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

    def _know(self, places: Iterable[int], kinds: Mapping[int, Kind]) -> None:
        for i, kind in kinds.items():
            options = self.items[i].options
            if options.type is None and not is_scaled(options):
                self.items[i].kind = kind
        for i in places:
            item = self.items[i]
            item.kind = Kind.FLOAT64 if item.kind is None else item.kind

    def _seek(self, tags: TagTable) -> NDArray[np.int32]:
        """Announce again what the table knows of devices whose nodes are found; return the numbers."""
        devices = {
            device_path(self._site, device.at, name)
            for name, device in self._options.devices.items()
            if device.nodes
        }
        mine = {item.path for item in self.items}
        known = [
            tag
            for tag in (tags.known_of(self.source) if devices else ())
            if tag.device in devices and tag.path not in mine and not tag.for_sink
        ]
        newest = [tag for tag in known if (n := tags.number(tag.path)) is not None and tags[n] == tag]
        return tags.announce(newest)

    def _spread_out(self, place: int) -> None:
        self.is_spread[place] = True
        self._is_own[place] = False
        self.accepted[place] = 0
        self.part[place] = Part.NUMBER

    def _announce(self, tags: TagTable, places: Iterable[int]) -> None:
        known = np.fromiter((i for i in places if not self.is_spread[i]), np.intp)
        numbers = tags.announce(
            [
                describe(self.source, item.path, item.kind, item.options, read_as=item.read_as)
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

    def _keep(self, tags: TagTable) -> None:
        own = self.number[self._is_own]
        tags.keep_only(
            self.source, np.concatenate([own, self.leaves.numbers(), self._sought]).astype(np.int32)
        )

    def places(self) -> dict[int, int]:
        """Return the item of each tag number, of single values that of the whole."""
        found = {int(self.number[i]): i for i in np.flatnonzero(~self.is_spread).tolist()}
        leaves = ((leaf.number, i) for i, each in self.leaves.of.items() for leaf in each.values())
        return found | dict(leaves)

    def of_device(self, device: str) -> NDArray[np.intp]:
        """Return the items of one device."""
        return np.fromiter((i for i, item in enumerate(self.items) if item.device == device), np.intp)


def _with_namespace(node: NodeName, default: str) -> NodeName:
    return node if node.namespace else node._replace(namespace=default)


def kind_of(options: OpcUaTag | OpcUaNodes, leaf: Leaf) -> Kind:
    """Return the kind of a single value of this tag: as the plant file says where it can be that."""
    if is_scaled(options) and leaf.builtin in SCALED:
        return Kind.FLOAT64
    wanted = KIND_OF_TYPE.get(options.type or "")
    if wanted is not None and leaf.builtin in ACCEPTED[wanted]:
        return wanted
    return KIND_OF_BUILTIN.get(leaf.builtin, Kind.FLOAT64)


def _remembered(item: Item, tags: TagTable) -> Kind | None:
    for path in (item.path, item.options.was or tags.former(item.path)):
        number = tags.number(path)
        if number is not None:
            return tags[number].kind
    return None
