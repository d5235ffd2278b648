"""The nodes a plant file names by globs: found while data flow already, a request at a time.

What one session has found the next knows from its beginning; it looks again, for nodes that are new. What is
found becomes a tag named by its browse path behind the fixed steps of the glob, `Line1.Press2.Temperature`.
"""

import logging
from collections.abc import Sequence
from typing import Final, NamedTuple

from asyncua import ua
from asyncua.ua.ua_binary import nodeid_to_binary

from config.connections import OpcUaNodes, OpcUaSource
from config.connections.opcua import NodeName, parse_node
from connectors.opcua.browse.glob import Glob
from connectors.opcua.browse.seen import Seen
from connectors.opcua.browse.walk import Unbrowsable, Walk
from connectors.opcua.items import Item, Items
from connectors.opcua.limits import Limits
from connectors.opcua.names import of_path
from connectors.opcua.nodes import locate_one
from connectors.opcua.session import Session
from connectors.opcua.types.model import name_of, node_of, read_key

log = logging.getLogger(__name__)

OBJECTS: Final = b"\0\x55"
"""NodeId i=85, the Objects folder."""
_AT_ONCE: Final = 1_000
"""Nodes that are taken together: their types are read and they are subscribed by a request or two."""


class Found(NamedTuple):
    """A node that was found."""

    device: str
    entry: OpcUaNodes
    name: str
    node: NodeName


class Finding:
    """The search of one session."""

    def __init__(self, options: OpcUaSource, items: Items, known: list[Item]) -> None:
        """Take in what earlier sessions found; `known` becomes what this one has and finds."""
        self._options = options
        self._items = items
        self._known = known
        self._walks: list[tuple[str, OpcUaNodes, Glob, Walk]] = []
        self._nodes_found: dict[int, ua.NodeId] = {}
        self._counts: dict[int, int] = {}
        self._matched: set[int] = set()
        """Entries for which there is a node, be it one that is read already."""
        self._left_out = 0
        self._namespaces: list[str] = []
        self._names = Seen((item.device, item.name) for item in items.items)
        self._nodes = Seen(item.node for item in items.items)
        self._take_up()

    def is_busy(self) -> bool:
        """Tell whether there may be more to find."""
        return bool(self._walks or self._nodes_found)

    def begin(self, session: Session, limits: Limits, namespaces: Sequence[str]) -> None:
        """Look at the server's nodes from their beginning."""
        self._namespaces = list(namespaces)
        for name, device in self._options.devices.items():
            for entry in device.nodes:
                start = OBJECTS
                if entry.under is not None:
                    node = locate_one(parse_node(entry.under), namespaces, self._options.namespace)
                    if node is None:
                        self._tell("a node to look under is not there", entry)
                        continue
                    start = nodeid_to_binary(node)
                glob = Glob(entry.glob)
                self._walks.append((name, entry, glob, Walk(session, limits, namespaces, start, glob)))

    async def step(self) -> dict[int, ua.NodeId]:
        """Ask once, or return some of the nodes that are new, by item.

        Raises:
            NotConnected: the connection is lost.
        """
        if self._walks and len(self._nodes_found) < _AT_ONCE:
            await self._ask()
        if self._walks and len(self._nodes_found) < _AT_ONCE:
            return {}
        places = list(self._nodes_found)[:_AT_ONCE]
        return {place: self._nodes_found.pop(place) for place in places}

    async def _ask(self) -> None:
        """Ask once, and keep what is new."""
        device, entry, glob, walk = self._walks[0]
        new: list[Found] = []
        nodes: list[ua.NodeId] = []
        try:
            for match in await walk.step():
                self._matched.add(id(entry))
                key, _ = read_key(match.node, 0)
                found = Found(device, entry, of_path(match.names, glob.fixed), name_of(key, self._namespaces))
                if not self._is_new(found):
                    continue
                if self._counts.get(id(entry), 0) >= entry.most:
                    self._tell("more nodes match than may be taken, the rest is left out", entry)
                    await walk.close()
                    break
                self._counts[id(entry)] = self._counts.get(id(entry), 0) + 1
                new.append(found)
                nodes.append(node_of(key))
        except Unbrowsable as exc:
            log.warning("%s", exc, extra={"source": self._items.source, "glob": entry.glob})
            self._walks.pop(0)
            return
        if walk.is_done:
            self._walks.pop(0)
            if id(entry) not in self._matched:
                self._tell("no node of the server matches the glob", entry)
            self._say_done()
        places = self._take(new)
        self._known += [self._items.items[place] for place in places]
        self._nodes_found |= zip(places, nodes, strict=True)

    def _take_up(self) -> None:
        """Take in what is known, where these items are not those it was found for."""
        found = [
            Found(each.device, each.options, each.name, each.node)
            for each in self._known
            if isinstance(each.options, OpcUaNodes)
        ]
        new = [each for each in found if self._is_new(each)]
        if new:
            self._known[:] = [self._items.items[place] for place in self._take(new)]

    def _is_new(self, found: Found) -> bool:
        """Tell whether a node is none that is read already, and its name is free."""
        if found.node in self._nodes:
            return False
        if not self._names.add((found.device, found.name)):
            self._left_out += 1
            return False
        return self._nodes.add(found.node)

    def _take(self, found: Sequence[Found]) -> list[int]:
        return self._items.add([(each.device, each.name, each.node, each.entry) for each in found])

    def _say_done(self) -> None:
        if self._left_out:
            log.warning(
                "some nodes are left out, others have their names already",
                extra={"source": self._items.source, "nodes": self._left_out},
            )
        if not self._walks:
            more = {
                "source": self._items.source,
                "nodes": sum(self._counts.values()),
                "known": len(self._known),
            }
            log.info("all nodes were looked through", extra=more)

    def _tell(self, what: str, entry: OpcUaNodes) -> None:
        log.warning(what, extra={"source": self._items.source, "glob": entry.glob, "most": entry.most})
