"""Finds nodes whose subscription has gone deaf: some servers forget a node that was replaced, without a word.

Subscribed nodes are read now and then, a chunk at a time. What differs from what the subscription told last,
at two readings of the same value, while other messages came and none of this node, is not told any more.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from asyncua import ua

from connectors.clock import Clock
from connectors.opcua.columns import Gathering
from connectors.opcua.items import Items
from connectors.opcua.limits import Limits
from connectors.opcua.polling import Group
from connectors.opcua.session import Session
from connectors.opcua.statistics import Statistics
from connectors.opcua.told import Told
from connectors.quality import BAD_NODE_ID_UNKNOWN
from connectors.tags import Part

log = logging.getLogger(__name__)

_EVERY_NS: Final = 60_000_000_000
"""Between readings."""
_MESSAGES: Final = 10
"""So many must have come between two readings: who was not listened to can't have told."""


class _Suspect(NamedTuple):
    value: Any
    times: int
    messages: int


class Watch:
    """Compares what is read with what was told."""

    def __init__(self, source: str, items: Items, told: Told, statistics: Statistics, clock: Clock) -> None:
        self._source = source
        self._items = items
        self._told = told
        self._statistics = statistics
        self._clock = clock
        self._watched: list[int] = []
        self._suspects: dict[int, _Suspect] = {}
        self._next = 0
        self.at = 2**62
        """When to look next, monotonic ns."""

    def add(self, places: Iterable[int], publish: int) -> None:
        """Watch subscribed items, but those that may rightly be silent from one reading to the next."""
        items = self._items.items
        self._watched += sorted(i for i in places if 2 * max(items[i].scan, publish) <= _EVERY_NS)
        if self._watched and self.at == 2**62:
            self.at = self._clock.monotonic() + _EVERY_NS

    async def look(self, session: Session, nodes: Mapping[int, ua.NodeId], limits: Limits) -> list[int]:
        """Read some of the items; return those of whose changes the server is silent, and watch them no more.

        Raises:
            NotConnected: the connection is lost, or there is no answer in time.
        """
        asked = self._due(limits.read)
        read = Gathering(self._items, Statistics())
        await Group(asked, nodes, limits).read(session, read, self._clock)
        self.at = self._clock.monotonic() + _EVERY_NS
        deaf = self._deaf(asked, read.told)
        if deaf:
            gone = set(deaf)
            self._watched = [i for i in self._watched if i not in gone]
            first = self._items.items[deaf[0]]
            log.warning(
                "the server tells no more of changes of some nodes, they are polled",
                extra={
                    "source": self._source,
                    "tags": len(deaf),
                    "first": first.path,
                    "node": str(first.node),
                },
            )
        return deaf

    def _due(self, most: int) -> list[int]:
        """Return the suspects and the next of all."""
        asked = list(self._suspects)[:most]
        if self._next >= len(self._watched):
            self._next = 0
        fresh = self._watched[self._next : self._next + most - len(asked)]
        self._next += len(fresh)
        return [*asked, *(i for i in fresh if i not in self._suspects)]

    def _deaf(self, asked: Iterable[int], read: Told) -> list[int]:
        found = []
        messages = self._statistics.notifications + self._statistics.keep_alives
        for item in asked:
            part = Part(int(self._items.part[item]))
            said, quality = read.row(item, part)
            known, _ = self._told.row(item, part)
            times = int(self._told.times[item])
            before = self._suspects.pop(item, None)
            # A server may refuse to be asked what it tells by itself.
            is_answer = said is not None or quality == BAD_NODE_ID_UNKNOWN
            if not is_answer or not times or said == known:
                continue
            if before is None or before.times != times or before.value != said:
                self._suspects[item] = _Suspect(said, times, messages)
            elif messages - before.messages < _MESSAGES:
                self._suspects[item] = before
            else:
                found.append(item)
        return found
